/* SPDX-License-Identifier: Apache-2.0 */
/* Runs whole packs over bytes, as a worker would but without files and messages: a task made by hand, the
 * shipped lists, any cutting of the bytes, a stop and a resumption after any record. */
#ifndef MU_RUN_RIG_H
#define MU_RUN_RIG_H

#include "tap.h"

#include "base/clock.h"
#include "engine/plan.h"
#include "engine/run.h"

#include <glob.h>

#define RIG_LISTS_MAX 8

struct rig {
    struct mu_pack *pack;
    struct mu_list_data *lists[RIG_LISTS_MAX];
    struct mu_terms terms; /* of the task */
    struct mu_task task;
    json_t *source, *params;
    struct mu_ready *ready;
    struct mu_reader_limits limits;
};

__attribute__((unused)) static bool rig_slurp(const char *path, struct mu_text *out)
{
    char buf[65536];
    size_t n;
    FILE *f = fopen(path, "rb");
    if (!f)
        return false;
    while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
        mu_text_add(out, mu_span(buf, n));
    (void)fclose(f);
    return mu_text_ok(out, NULL);
}

/* The shipped list of a name, or the file that is named by an absolute path. */
__attribute__((unused)) static struct mu_list_data *rig_list(const char *name)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    struct mu_list_data *list = NULL;
    struct mu_error err = {0};
    char pattern[600];
    glob_t found = {0};
    (void)snprintf(pattern, sizeof(pattern), "%s/workers/lists/%s@*.csv", getenv("MUSTER_BUILD"), name);
    if (name[0] == '/')
        (void)snprintf(pattern, sizeof(pattern), "%s", name);
    if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc != 1 || !rig_slurp(found.gl_pathv[0], &bytes) ||
        !mu_list_parse(&list, mu_text_span(&bytes), &err))
        TAP_FAIL("list %s: %s", pattern, err.text);
    globfree(&found);
    return list;
}

__attribute__((unused)) static bool rig_ready(struct rig *rig, struct mu_error *err)
{
    const struct mu_ready_setup setup = {.pack = rig->pack,
                                         .lists = (const struct mu_list_data *const *)rig->lists,
                                         .params = rig->params,
                                         .as_of = rig->terms.as_of};
    return mu_ready_new(&rig->ready, &setup, err);
}

/* pack: its document; source: its description as JSON, NULL for records in the message. */
__attribute__((unused)) static bool rig_open(struct rig *rig, const char *pack, const char *source,
                                             struct mu_error *err)
{
    *rig = (struct rig){.limits = {1 << 20, 4096}};
    if (!mu_pack_parse(&rig->pack, mu_span_of(pack), err))
        return false;
    for (size_t i = 0; i < rig->pack->list_count; i++)
        if (!rig->lists[i])
            rig->lists[i] = rig_list(rig->pack->lists[i].name);
    rig->source = source ? json_loads(source, 0, NULL) : NULL;
    struct mu_task *t = &rig->task;
    t->source = rig->source;
    t->terms = &rig->terms;
    rig->terms.pack.digest = rig->pack->digest;
    rig->terms.shard_bytes = 64 << 20;
    (void)snprintf(t->id_text, sizeof(t->id_text), "01932b3f-0000-7000-8000-000000000001");
    (void)snprintf(t->job_text, sizeof(t->job_text), "%s", t->id_text);
    if (!mu_id_parse(mu_span_of(t->id_text), &t->task_id) ||
        !mu_date_parse(mu_span_of("2025-09-30"), &rig->terms.as_of))
        TAP_FAIL("the task's id or day");
    t->job_id = t->task_id;
    (void)snprintf(t->source_name, sizeof(t->source_name), "%s",
                   source ? mu_json_text(rig->source, "name") : "records");
    return rig_ready(rig, err);
}

__attribute__((unused)) static void rig_close(struct rig *rig)
{
    mu_ready_free(rig->ready);
    for (size_t i = 0; i < RIG_LISTS_MAX; i++)
        mu_list_data_free(rig->lists[i]);
    mu_pack_free(rig->pack);
    json_decref(rig->source);
    json_decref(rig->params);
}

__attribute__((unused)) static bool rig_start(struct rig *rig, struct mu_run **run, struct mu_span bytes,
                                              size_t chunk, struct mu_error *err)
{
    const struct mu_run_setup setup = {.task = &rig->task,
                                       .ready = rig->ready,
                                       .limits = rig->limits,
                                       .source_digest = rig->task.has_shard ? rig->task.input_digest
                                                                            : mu_digest_of(bytes)};
    struct mu_position first;
    bool done = false;
    if (!mu_run_open(run, &setup, err))
        return false;
    for (size_t at = 0; !done;) {
        const size_t n = chunk < bytes.len - at ? chunk : bytes.len - at;
        if (!mu_run_header(*run, mu_span(bytes.at + at, n), at + n == bytes.len, &done, &first, err))
            return false;
        at += n;
    }
    CHECK_INT(mu_run_position(*run).byte_off, first.byte_off);
    return true;
}

/* Feeds from the run's position on, in chunks; stops after `records` (0: to the end). Findings go to *out. */
__attribute__((unused)) static bool rig_feed(struct mu_run *run, struct mu_span bytes, size_t end,
                                             size_t chunk, int64_t records, struct mu_text *out,
                                             struct mu_error *err)
{
    size_t at = (size_t)mu_run_position(run).byte_off;
    bool ended = false;
    while (!ended) {
        const size_t n = chunk < end - at ? chunk : end - at;
        const bool last = at + n == end;
        const int64_t before = mu_run_counts(run).records;
        size_t used;
        char *copy = malloc(n + 1); /* so that a sanitizer sees a step beyond */
        memcpy(copy, bytes.at + at, n);
        const bool ok = mu_run_feed(run, mu_span(copy, n), last, records, &used, err);
        free(copy);
        if (!ok)
            return false;
        at += used;
        int64_t count;
        const struct mu_span findings = mu_run_findings(run, &count);
        if (count && out->len)
            mu_text_putc(out, ',');
        mu_text_add(out, findings);
        mu_run_take_findings(run);
        ended = last && used == n;
        if (records && (records -= mu_run_counts(run).records - before) == 0)
            return true;
    }
    return true;
}

/* What an outcome would say of a run at its end. */
__attribute__((unused)) static void rig_summary(const struct mu_run *run, struct mu_text *out)
{
    size_t count;
    const struct mu_counts c = mu_run_counts(run);
    const struct mu_rule_counts *rules = mu_run_rules(run, &count);
    mu_text_addf(out, "result %d records %lld bad %lld bytes %lld findings %lld", (int)mu_run_result(run),
                 (long long)c.records, (long long)c.bad, (long long)c.bytes,
                 (long long)mu_run_findings_total(run));
    for (size_t i = 0; i < count; i++) {
        char head[200];
        (void)snprintf(head, sizeof(head), "{%s}", rules[i].head);
        json_t *doc = json_loads(head, 0, NULL);
        const char *mode = mu_json_text(doc, "mode"), *reason = mu_json_text(doc, "reason");
        CHECK_TEXT(mu_json_text(doc, "rule"), rules[i].rule);
        mu_text_addf(out, "\n%s %s p%lld w%lld f%lld e%lld n%lld o%lld%s%s%s%s", rules[i].rule, mu_json_text(doc, "severity"),
                     (long long)rules[i].pass, (long long)rules[i].warn, (long long)rules[i].fail,
                     (long long)rules[i].error, (long long)rules[i].not_evaluated,
                     (long long)rules[i].out_of_scope, mode ? " " : "", mode ? mode : "",
                     reason ? " " : "", reason ? reason : "");
        json_decref(doc);
    }
}

/* A run from the beginning to the end: findings, and behind them the summary or the failure. */
__attribute__((unused)) static void rig_run(struct rig *rig, struct mu_span bytes, size_t chunk,
                                            struct mu_text *findings, struct mu_text *summary)
{
    struct mu_error err = {0};
    struct mu_run *run = NULL;
    const size_t end = rig->task.has_shard ? (size_t)rig->task.shard.to : bytes.len;
    if (rig_start(rig, &run, bytes, chunk, &err) && rig_feed(run, bytes, end, chunk, 0, findings, &err) &&
        mu_run_finish(run, &err)) {
        int64_t count; /* what group rules have found at the end */
        const struct mu_span rest = mu_run_findings(run, &count);
        if (count && findings->len)
            mu_text_putc(findings, ',');
        mu_text_add(findings, rest);
        rig_summary(run, summary);
    }
    else
        mu_text_addf(summary, "%s: %s %s", mu_fault_name(err.fault), err.code, err.text);
    mu_run_free(run);
}

#endif
