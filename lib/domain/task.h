/* SPDX-License-Identifier: Apache-2.0 */
/* A task: the unit that one worker executes, and the queue message in which one or several of them ride. All that
 * influences a result stands in the task's bytes, or in the terms that they name by digest; they are fixed when they
 * are committed, and their SHA-256 is the task digest that an outcome carries back.
 *
 * To change the form: raise "v" in schemas/task.json and MU_TASK_V, keep the old reader for one release, add a
 * sample of the old form to tests/corpus/schemas/task. A worker that meets a newer form refuses it (`bad_task`). */
#ifndef MU_TASK_H
#define MU_TASK_H

#include "base/digest.h"
#include "base/id.h"
#include "domain/names.h"
#include "domain/terms.h"
#include "format/json_arena.h"

#define MU_TASK_V 1
#define MU_RIDE_TASKS_MAX 256
#define MU_TASK_MESSAGE_MAX (256 * 1024)
#define MU_TASK_ROOM 2048 /* of it, for what is not terms and tasks: envelope, headers, the shard of a planned task */

enum mu_stage { MU_STAGE_PLAN, MU_STAGE_SCAN, MU_STAGE_MERGE };
const char *mu_stage_name(enum mu_stage s);

struct mu_shard {
    int64_t index, count;            /* of how many */
    int64_t from, to;                /* bytes of the source, [from, to) */
    int64_t first_record, records;   /* record_no of its first record; how many */
    int64_t first_line;              /* line of its first byte, from 1: findings name lines of the whole source */
    struct mu_digest digest;         /* SHA-256 of its bytes */
};

struct mu_task {
    struct mu_id task_id, job_id;
    char id_text[MU_ID_MAX], job_text[MU_ID_MAX];
    enum mu_stage stage;
    struct mu_digest digest;         /* of `raw` */
    struct mu_span raw;              /* borrowed: the task's exact bytes */
    json_t *doc;                     /* owned: the parsed task */
    const struct mu_terms *terms;    /* borrowed: what it names by digest */
    const json_t *source;            /* object, or NULL if `records` */
    struct mu_span records;          /* raw bytes of the records array, or empty */
    const json_t *records_doc;       /* the same, parsed; within doc */
    bool has_shard;
    struct mu_shard shard;
    int64_t input_size;              /* of the planned source, with has_shard */
    struct mu_digest input_digest;   /* of the whole planned source, with has_shard */
    char source_name[MU_TOKEN_MAX];  /* "records" for records in the message */
};

/* One task alone. The bytes and the terms must outlive it. MU_REJECTED (bad_task). */
MU_MUST bool mu_task_parse(struct mu_task *out, struct mu_span raw, const struct mu_terms *terms, struct mu_error *err);
void mu_task_fini(struct mu_task *t);
MU_DEFINE_AUTO_VALUE(struct mu_task, mu_task_fini)

/* A queue message. */
struct mu_ride {
    struct mu_id ride_id;
    char id_text[MU_ID_MAX];
    int64_t n;                       /* how often it has been published, this time included */
    bool fresh;                      /* go to no checkpoint of an earlier n */
    char queue[MU_TOKEN_MAX];
    enum mu_priority priority;
    struct mu_terms *terms;          /* owned; its tasks borrow it */
    struct mu_task *tasks;           /* owned */
    size_t count;
};
/* Checks the body against schema and subject, and the members against the terms. The body must outlive the ride,
 * and so must the arena's content (NULL: no arena).
 * MU_REJECTED (bad_task): a member or the message itself is not as it must be; err->pointer says which. */
MU_MUST bool mu_ride_parse(struct mu_ride *out, const char *subject, struct mu_span body, struct mu_json_arena *arena,
                           struct mu_error *err);
void mu_ride_fini(struct mu_ride *r);
MU_DEFINE_AUTO_VALUE(struct mu_ride, mu_ride_fini)

/* Writes the queue message around the exact bytes of its terms and tasks. */
void mu_ride_write(struct mu_text *out, const char *ride_id, int64_t n, bool fresh, const char *queue,
                   enum mu_priority p, struct mu_span terms, const struct mu_span *tasks, size_t count);

#endif
