/* SPDX-License-Identifier: Apache-2.0 */
/* What targets share that run the rules of a pack: the shipped lists, read once, and two runs of the same
 * bytes that are to say the same. */
#ifndef MU_FUZZ_RULES_H
#define MU_FUZZ_RULES_H

#include "../unit/run_rig.h"

#include "format/schema.h"
#include "fuzz.h"

#define FUZZ_LISTS_MAX 64

static struct mu_list_data *fuzz_lists[FUZZ_LISTS_MAX];
static size_t fuzz_list_count;

static inline void fuzz_read_lists(void)
{
    char pattern[600];
    glob_t found = {0};
    const char *build = getenv("MUSTER_BUILD");
    (void)snprintf(pattern, sizeof(pattern), "%s/workers/lists/*@*.csv", build ? build : "build");
    FUZZ_HOLDS(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc <= FUZZ_LISTS_MAX,
               "%s (is MUSTER_BUILD set?)", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
        struct mu_error err = {0};
        FUZZ_HOLDS(rig_slurp(found.gl_pathv[i], &bytes) &&
                       mu_list_parse(&fuzz_lists[i], mu_text_span(&bytes), &err),
                   "%s: %s", found.gl_pathv[i], err.text);
    }
    fuzz_list_count = found.gl_pathc;
    globfree(&found);
}

/* The list that a pack names; any other one, if it is not shipped: it may be the wrong kind, and must be
 * refused then. */
static inline const struct mu_list_data *fuzz_list(const char *name)
{
    for (size_t i = 0; i < fuzz_list_count; i++)
        if (strcmp(mu_list_name(fuzz_lists[i]), name) == 0)
            return fuzz_lists[i];
    return fuzz_lists[strlen(name) % fuzz_list_count];
}

/* A task with `rig->pack` over records in the message. False: the rules do not go with the lists; *err is a
 * refusal. */
static inline bool fuzz_ready(struct rig *rig, const struct mu_list_data **lists, struct mu_error *err)
{
    struct mu_task *t = &rig->task;
    for (size_t i = 0; i < rig->pack->list_count; i++)
        lists[i] = fuzz_list(rig->pack->lists[i].name);
    t->terms = &rig->terms;
    rig->terms.pack.digest = rig->pack->digest;
    rig->terms.shard_bytes = 64 << 20;
    (void)snprintf(t->id_text, sizeof(t->id_text), "01932b3f-0000-7000-8000-000000000001");
    (void)snprintf(t->job_text, sizeof(t->job_text), "%s", t->id_text);
    (void)snprintf(t->source_name, sizeof(t->source_name), "records");
    FUZZ_HOLDS(mu_id_parse(mu_span_of(t->id_text), &t->task_id) &&
                   mu_date_parse(mu_span_of("2026-03-06"), &rig->terms.as_of),
               "the task");
    t->job_id = t->task_id;
    const struct mu_ready_setup setup = {.pack = rig->pack, .lists = lists, .params = rig->params, .as_of = rig->terms.as_of};
    return mu_ready_new(&rig->ready, &setup, err);
}

static inline void fuzz_findings(struct mu_span findings)
{
    MU_AUTO(mu_text_free) struct mu_text array = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *found = NULL;
    struct mu_error err = {0};
    size_t i;
    json_t *finding;
    mu_text_putc(&array, '[');
    mu_text_add(&array, findings);
    mu_text_putc(&array, ']');
    FUZZ_HOLDS(mu_json_parse(&found, mu_text_span(&array), (size_t)64 << 20, &err), "findings: %s", err.text);
    json_array_foreach(found, i, finding)
        FUZZ_HOLDS(mu_schema_check(mu_schema_builtin("finding"), finding, &err), "finding %zu, %s: %s", i,
                   err.pointer, err.text);
}

#endif
