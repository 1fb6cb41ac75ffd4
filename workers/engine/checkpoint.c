/* SPDX-License-Identifier: Apache-2.0 */
/* The saved form of a run:
 *   {"format":1,"key":<digest of pack, lists, params,
 * day>,"input":<digest>,"from":…,"header":<digest>,"byte_off":…,
 *    "record_no":…,"line":…,"reader":<its state, if it has one>,"records":…,"bad":…,"findings":…,
 *    "rules":[[pass,warn,fail,error,not_evaluated,out_of_scope],…],"checks":[null|[name,version,state],…],
 *    "samples":[[[record_no,byte_off,length,line],…],…]}     (of rules with `mostly`; left out if there are none)
 * with rules in the order of their ids. To change it: raise RUN_FORMAT, keep the reader of the old form for
 * one release; a form that nobody reads makes the task start afresh. */
#include "engine/run_state.h"

#include <inttypes.h>

#define RUN_FORMAT 1

static void put_digest(struct mu_text *out, const char *key, const struct mu_digest *d)
{
    char hex[MU_DIGEST_HEX];
    mu_digest_format(d, hex);
    mu_json_put_text(out, key, hex);
}

static void save_counts(const struct mu_run *run, struct mu_text *out)
{
    mu_json_key(out, "rules");
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        const struct mu_rule_counts *c = &run->counts[i];
        mu_text_addf(out, "%c[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]",
                     i ? ',' : '[', c->pass, c->warn, c->fail, c->error, c->not_evaluated, c->out_of_scope);
    }
    mu_text_putc(out, ']');
}

static bool save_checks(const struct mu_run *run, struct mu_text *out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0);
    mu_json_key(out, "checks");
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        const struct ready_rule *rr = &run->ready->rules[i];
        mu_text_putc(out, i ? ',' : '[');
        if (!rr->runs) {
            mu_text_puts(out, "null");
            continue;
        }
        mu_text_reset(&state);
        if (!rr->rule->check->save(run->states[i], &state, err) || !mu_text_ok(&state, err))
            return mu_while(err, "saving rule %s", rr->rule->id);
        mu_text_addf(out, "[\"%s\",%d,", rr->rule->check->name, rr->rule->check->version);
        mu_text_add_json(out, mu_text_span(&state));
        mu_text_putc(out, ']');
    }
    mu_text_putc(out, ']');
    return true;
}

static void save_samples(const struct mu_run *run, struct mu_text *out)
{
    bool any = false;
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        const struct run_samples *s = run->samples[i];
        if (!s)
            continue;
        if (!any)
            mu_json_key(out, "samples");
        mu_text_puts(out, any ? ",[" : "[[");
        any = true;
        for (size_t k = 0; k < s->count; k++)
            mu_text_addf(out, "%s[%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64 "]", k ? "," : "", s->at[k].record_no,
                         s->at[k].byte_off, s->at[k].length, s->at[k].line);
        mu_text_putc(out, ']');
    }
    if (any)
        mu_text_putc(out, ']');
}

/* Left out where the position says all. */
static bool save_reader(const struct mu_run *run, struct mu_text *out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0);
    mu_reader_save(run->reader, &state);
    if (state.len)
        mu_json_put_raw(out, "reader", mu_text_span(&state));
    return mu_text_ok(&state, err);
}

bool mu_run_save(const struct mu_run *run, struct mu_text *out, struct mu_error *err)
{
    const struct mu_position at = mu_reader_position(run->reader);
    const struct mu_digest header = mu_reader_header_digest(run->reader);
    mu_text_putc(out, '{');
    mu_json_put_int(out, "format", RUN_FORMAT);
    put_digest(out, "key", &run->ready->digest);
    put_digest(out, "input", &run->source_digest);
    mu_json_put_int(out, "from", run_from(run));
    put_digest(out, "header", &header);
    mu_json_put_int(out, "byte_off", at.byte_off);
    mu_json_put_int(out, "record_no", at.record_no);
    mu_json_put_int(out, "line", at.line);
    if (!save_reader(run, out, err))
        return false;
    mu_json_put_int(out, "records", run->records);
    mu_json_put_int(out, "bad", run->bad);
    mu_json_put_int(out, "findings", mu_run_findings_total(run));
    save_counts(run, out);
    if (!save_checks(run, out, err))
        return false;
    save_samples(run, out);
    mu_text_putc(out, '}');
    return mu_text_ok(out, err);
}

static bool refuse(struct mu_error *err, const char *what)
{
    return mu_reject(err, "invalid", "", "the checkpoint %s", what);
}

static bool digest_agrees(const json_t *saved, const char *key, const struct mu_digest *want)
{
    struct mu_digest got;
    return mu_digest_parse(mu_json_span(saved, key), &got) && mu_digest_equal(&got, want);
}

static bool restore_counts(struct mu_run *run, const json_t *saved, struct mu_error *err)
{
    const json_t *rules = json_object_get(saved, "rules");
    if (json_array_size(rules) != run->ready->rule_count)
        return refuse(err, "counts other rules");
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        struct mu_rule_counts *c = &run->counts[i];
        int64_t *const to[] = {&c->pass, &c->warn, &c->fail, &c->error, &c->not_evaluated, &c->out_of_scope};
        const json_t *counts = json_array_get(rules, i);
        if (json_array_size(counts) != MU_COUNT(to))
            return refuse(err, "is not whole");
        for (size_t k = 0; k < MU_COUNT(to); k++)
            *to[k] = json_integer_value(json_array_get(counts, k));
    }
    return true;
}

static bool restore_check(const struct ready_rule *rr, void *state, const json_t *saved, struct mu_error *err)
{
    if (!rr->runs)
        return true;
    const struct mu_check *check = rr->rule->check;
    const json_t *text = json_array_get(saved, 2);
    const char *name = json_string_value(json_array_get(saved, 0));
    if (!name || strcmp(name, check->name) != 0 || !json_is_string(text) ||
        json_integer_value(json_array_get(saved, 1)) != check->version)
        return refuse(err, "holds the state of another check or version");
    return check->restore(state, mu_span(json_string_value(text), json_string_length(text)), err);
}

static bool restore_samples(struct mu_run *run, const json_t *saved, struct mu_error *err)
{
    const json_t *all = json_object_get(saved, "samples");
    size_t at = 0;
    for (size_t i = 0; i < run->ready->rule_count; i++) {
        if (!run->samples[i])
            continue;
        const json_t *samples = json_array_get(all, at++);
        if (!samples || json_array_size(samples) > MU_SAMPLES_MAX)
            return refuse(err, "is not whole");
        for (size_t k = 0; k < json_array_size(samples); k++) {
            const json_t *s = json_array_get(samples, k);
            run_add_sample(run->samples[i], &(struct mu_sample){json_integer_value(json_array_get(s, 0)),
                                                                json_integer_value(json_array_get(s, 1)),
                                                                json_integer_value(json_array_get(s, 2)),
                                                                json_integer_value(json_array_get(s, 3))});
        }
    }
    return true;
}

bool mu_run_restore(struct mu_run *run, const json_t *saved, struct mu_error *err)
{
    const struct mu_digest header = mu_reader_header_digest(run->reader);
    const struct mu_position at = {mu_json_int(saved, "byte_off", -1), mu_json_int(saved, "record_no", -1),
                                   mu_json_int(saved, "line", -1)};
    const json_t *checks = json_object_get(saved, "checks");
    if (mu_json_int(saved, "format", 0) != RUN_FORMAT)
        return refuse(err, "has a form that this version does not read");
    if (!digest_agrees(saved, "key", &run->ready->digest))
        return refuse(err, "is of another pack, list, parameter or day");
    if (!digest_agrees(saved, "input", &run->source_digest) || !digest_agrees(saved, "header", &header) ||
        mu_json_int(saved, "from", -1) != run_from(run))
        return refuse(err, "is of another input");
    run->records = mu_json_int(saved, "records", -1);
    run->bad = mu_json_int(saved, "bad", -1);
    run->findings_total = mu_json_int(saved, "findings", -1);
    if (at.byte_off < run_from(run) || at.record_no < 1 || at.line < 1 || run->records < 0 || run->bad < 0 ||
        run->findings_total < 0 || json_array_size(checks) != run->ready->rule_count)
        return refuse(err, "is not whole");
    if (!restore_counts(run, saved, err))
        return false;
    for (size_t i = 0; i < run->ready->rule_count; i++)
        if (!restore_check(&run->ready->rules[i], run->states[i], json_array_get(checks, i), err))
            return mu_while(err, "rule %s", run->ready->rules[i].rule->id);
    if (!restore_samples(run, saved, err))
        return false;
    mu_reader_seek(run->reader, at);
    run->fed = at.byte_off;
    return mu_reader_restore(run->reader, json_object_get(saved, "reader"), err);
}

/* Both are in the order of records; the first of them all are kept. */
static void merge_samples(struct run_samples *into, const struct run_samples *other)
{
    const struct run_samples mine = *into;
    size_t i = 0, j = 0;
    into->count = 0;
    while (into->count < MU_SAMPLES_MAX && (i < mine.count || j < other->count)) {
        const bool first = j == other->count || (i < mine.count && mine.at[i].record_no < other->at[j].record_no);
        run_add_sample(into, first ? &mine.at[i++] : &other->at[j++]);
    }
}

bool mu_run_merge(struct mu_run *into, const struct mu_run *other, struct mu_error *err)
{
    if (into->ready != other->ready)
        return mu_fail(err, MU_BROKEN, "runs of different packs cannot be merged");
    for (size_t i = 0; i < into->ready->rule_count; i++) {
        const struct ready_rule *rr = &into->ready->rules[i];
        struct mu_rule_counts *a = &into->counts[i];
        const struct mu_rule_counts *b = &other->counts[i];
        a->pass += b->pass;
        a->warn += b->warn;
        a->fail += b->fail;
        a->error += b->error;
        a->not_evaluated += b->not_evaluated;
        a->out_of_scope += b->out_of_scope;
        if (into->samples[i])
            merge_samples(into->samples[i], other->samples[i]);
        if (rr->runs && !rr->rule->check->merge(into->states[i], other->states[i], err))
            return mu_while(err, "rule %s", rr->rule->id);
    }
    into->records += other->records;
    into->bad += other->bad;
    return true;
}
