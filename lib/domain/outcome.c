/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/outcome.h"
#include "base/clock.h"

const char *mu_result_name(enum mu_result r)
{
    switch (r) {
    case MU_PASS:
        return "pass";
    case MU_WARN:
        return "warn";
    case MU_FAIL:
        return "fail";
    case MU_NOT_EVALUATED:
        return "not_evaluated";
    case MU_ERROR:
        return "error";
    case MU_REFUSED:
        return "rejected";
    case MU_CANCELLED:
        return "cancelled";
    case MU_EXHAUSTED:
        return "exhausted";
    case MU_PLANNED:
        return "planned";
    }
    return "";
}

static void put_digest(struct mu_text *out, const char *key, const struct mu_digest *d)
{
    char hex[MU_DIGEST_HEX];
    mu_digest_format(d, hex);
    mu_json_put_text(out, key, hex);
}

static void put_time(struct mu_text *out, const char *key, int64_t wall_us)
{
    char text[MU_RFC3339_MAX];
    mu_rfc3339_format(wall_us, text);
    mu_json_put_text(out, key, text);
}

static void put_count(struct mu_text *out, const char *key, int64_t count)
{
    if (count)
        mu_json_put_int(out, key, count);
}

static void write_resumes(struct mu_text *out, const struct mu_outcome *o)
{
    mu_json_key(out, "resumes");
    mu_text_putc(out, '[');
    for (size_t i = 0; i < o->resume_count; i++) {
        const struct mu_resume *r = &o->resumes[i];
        mu_text_puts(out, i ? ",{" : "{");
        mu_json_put_text(out, "agent", r->agent);
        mu_json_put_text(out, "from_agent", r->from_agent);
        mu_json_put_int(out, "record_no", r->record_no);
        mu_json_put_int(out, "byte_off", r->byte_off);
        mu_text_putc(out, '}');
    }
    mu_text_putc(out, ']');
}

void mu_outcome_write(struct mu_text *out, const struct mu_outcome *o)
{
    mu_text_putc(out, '{');
    mu_json_put_text(out, "task_id", o->task->id_text);
    if (strcmp(o->task->job_text, o->task->id_text) != 0)
        mu_json_put_text(out, "job_id", o->task->job_text);
    if (o->n != 1)
        mu_json_put_int(out, "n", o->n);
    if (o->delivery != 1)
        mu_json_put_int(out, "delivery", o->delivery);
    put_digest(out, "task_digest", &o->task->digest);
    if (o->has_input_digest)
        put_digest(out, "input_digest", &o->input_digest);
    mu_json_put_text(out, "result", mu_result_name(o->result));
    if (o->reason[0])
        mu_json_put_text(out, "reason", o->reason);
    if (o->message[0])
        mu_json_put_text(out, "message", o->message);
    mu_json_put_int(out, "records", o->counts.records);
    put_count(out, "bad", o->counts.bad);
    put_count(out, "skipped", o->counts.skipped);
    mu_json_put_int(out, "bytes", o->counts.bytes);
    put_count(out, "findings_total", o->findings_total);
    if (o->findings.len)
        mu_json_put_raw(out, "findings", o->findings);
    if (o->plan.len)
        mu_json_put_raw(out, "plan", o->plan);
    if (o->resume_count)
        write_resumes(out, o);
    put_count(out, "crashes", o->crashes);
    put_time(out, "started_at", o->started_us);
    put_time(out, "finished_at", o->finished_us);
    mu_text_putc(out, '}');
}

void mu_tally_write(struct mu_text *out, const struct mu_rule_counts *rules, size_t count)
{
    mu_text_putc(out, '[');
    for (size_t i = 0; i < count; i++) {
        const struct mu_rule_counts *r = &rules[i];
        mu_text_puts(out, i ? ",{" : "{");
        mu_text_puts(out, r->head);
        put_count(out, "pass", r->pass);
        put_count(out, "warn", r->warn);
        put_count(out, "fail", r->fail);
        put_count(out, "error", r->error);
        put_count(out, "not_evaluated", r->not_evaluated);
        put_count(out, "out_of_scope", r->out_of_scope);
        put_count(out, "withheld", r->withheld);
        mu_text_putc(out, '}');
    }
    mu_text_putc(out, ']');
}
