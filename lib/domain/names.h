/* SPDX-License-Identifier: Apache-2.0 */
/* Every subject, stream, bucket and consumer name is spelled here and nowhere else. */
#ifndef MU_NAMES_H
#define MU_NAMES_H

#include "base/base.h"
#include "base/error.h"

#define MU_SUBJECT_MAX 200
#define MU_TOKEN_MAX 64 /* queue, agent and source names with NUL: [A-Za-z0-9_-]{1,63} */
#define MU_API_MAX 80   /* "$JS.API", or "$JS.<domain>.API" */

#define MU_OBJECT_NAME_MAX 513     /* name of an object, with NUL */
#define MU_OBJECT_SUBJECT_MAX 800  /* of what describes it: the name in base64url */

#define MU_STREAM_INTAKE "MUSTER_INTAKE"
#define MU_STREAM_TASKS "MUSTER_TASKS"
#define MU_STREAM_RESULTS "MUSTER_RESULTS"
#define MU_STREAM_PARTIALS "MUSTER_PARTIALS"
#define MU_STREAM_EVENTS "MUSTER_EVENTS"
#define MU_BUCKET_STATE "muster_state"
#define MU_BUCKET_AGENTS "muster_agents"
#define MU_BUCKET_PACKS "muster_packs"
#define MU_BUCKET_POLICY "muster_policy"
#define MU_CONSUMER_INTAKE "intake"
#define MU_CONSUMER_RECORDER "recorder"
#define MU_SUBJECT_INTAKE "muster.intake"
#define MU_SUBJECT_API "muster.api." /* and the verb */
#define MU_SUBJECTS_TASK "muster.task.>"
#define MU_SUBJECTS_RESULT "muster.result.>"
#define MU_SUBJECTS_FINDING "muster.finding.>"
#define MU_SUBJECTS_PARTIAL "muster.partial.>"
#define MU_SUBJECTS_EVENT "muster.event.>"
#define MU_SUBJECTS_AGENT "muster.agent.>"   /* republished registry */
#define MU_SUBJECTS_POLICY "muster.policy.>" /* republished policies */
#define MU_SUBJECT_POLICY "muster.policy."   /* and the key */
#define MU_EVENT_TYPE "io.muster.event.v1." /* and what: type of an event, no subject */
#define MU_SUBJECT_CONTROL_ALL "muster.control.all"
#define MU_SERVICE "muster"

enum mu_priority { MU_HIGH, MU_NORMAL, MU_LOW, MU_PRIORITIES };
const char *mu_priority_name(enum mu_priority p); /* "high", "normal", "low" */
MU_MUST bool mu_priority_parse(struct mu_span name, enum mu_priority *out);

bool mu_token_valid(struct mu_span token);
/* A host or unit name as a token: other characters become '_', cut to fit. Never empty. */
void mu_token_from(const char *text, char out[MU_TOKEN_MAX]);

/* These fill char[MU_SUBJECT_MAX]; the parts are tokens and ids, so they always fit. */
void mu_subject_task(char *out, const char *queue, enum mu_priority p, const char *ride_id);
void mu_subject_result(char *out, const char *queue, const char *ride_id);
void mu_subject_finding(char *out, const char *queue, const char *task_id);
/* Parts of a task's state that is too large for its key, in one of two places that take turns (0, 1). */
void mu_subject_state(char *out, const char *job_id, unsigned place, const char *task_id);
void mu_subject_control(char *out, const char *agent);
void mu_inbox_of(char *out, const char *role); /* "_INBOX_<role>": what a role may subscribe to is below it */
void mu_subject_event(char *out, const char *what); /* "job.accepted" */
void mu_consumer_task(char *out, const char *queue, enum mu_priority p); /* "w-<q>-<p>" */
void mu_filter_task(char *out, const char *queue, enum mu_priority p);   /* "muster.task.<q>.<p>.>" */
void mu_stream_of_bucket(char *out, const char *bucket);                  /* "KV_<b>" */
void mu_subject_of_key(char *out, const char *bucket, const char *key);   /* "$KV.<b>.<k>": as it is stored */
void mu_stream_of_objects(char *out, const char *bucket);                 /* "OBJ_<b>": a bucket of the object store */
void mu_subject_of_chunks(char *out, const char *bucket, const char *nuid); /* "$O.<b>.C.<nuid>" */
/* "$O.<b>.M.<name in base64url>". False: the name is empty or too long. */
MU_MUST bool mu_subject_of_object(char out[MU_OBJECT_SUBJECT_MAX], const char *bucket, struct mu_span name);
/* JetStream in a domain (JETSTREAM.md §12): its API and writes of keys have subjects of their own; stored subjects,
 * messages of streams and acks stay as they are. domain is a token, or "". */
void mu_api_prefix(char out[MU_API_MAX], const char *domain);
void mu_subject_of_put(char *out, const char *domain, const char *bucket, const char *key);

/* A stored subject taken apart; false if it is no task, result or finding subject of ours. */
struct mu_task_subject {
    char queue[MU_TOKEN_MAX];
    enum mu_priority priority;
    char ride_id[MU_TOKEN_MAX];
};
MU_MUST bool mu_subject_parse_task(const char *subject, struct mu_task_subject *out);
struct mu_result_subject {
    bool finding; /* else a result */
    char queue[MU_TOKEN_MAX];
    char id[MU_TOKEN_MAX];
};
MU_MUST bool mu_subject_parse_result(const char *subject, struct mu_result_subject *out);

#endif
