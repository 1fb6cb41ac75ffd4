/* SPDX-License-Identifier: Apache-2.0 */
/* Runs one check over values, without the engine: the env and the sink that the engine would give it, and the
 * lists that are shipped. What a record came to is a text: "pass", "fail: check digit 4, expected 5",
 * "not_evaluated". */
#ifndef MU_CHECK_RIG_H
#define MU_CHECK_RIG_H

#include "tap.h"

#include "base/clock.h"
#include "engine/check.h"
#include "engine/pool.h"
#include "format/json.h"

#include <glob.h>

#define RIG_COLUMNS 8
#define RIG_TEXT 512
#define RIG_INVALID "\x01invalid" /* a value that the reader could not read as its type */

struct rig_list {
    const char *alias;
    struct mu_list_data *list;
};

struct rig {
    struct mu_env env;
    struct mu_sink sink;
    struct mu_text scratch;
    struct mu_error err;
    const struct mu_check *check;
    json_t *params;
    char columns[RIG_COLUMNS][64];
    size_t column_count;
    void *conf, *state;
    int verdicts; /* of the record at hand: must be one */
    char last[RIG_TEXT];
};

/* Lists that tests load by hand come before the shipped ones. */
static struct rig_list rig_lists[16];
static size_t rig_list_count;

__attribute__((unused)) static struct mu_list_data *rig_read_list(const char *path)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    struct mu_list_data *list = NULL;
    struct mu_error err = {0};
    char part[65536];
    size_t n;
    FILE *f = fopen(path, "rb");
    while (f && (n = fread(part, 1, sizeof part, f)) > 0)
        mu_text_add(&bytes, mu_span(part, n));
    if (f)
        fclose(f);
    if (!f || !mu_list_parse(&list, mu_text_span(&bytes), &err))
        TAP_FAIL("list %s: %s", path, f ? err.text : "cannot be read");
    return list;
}

__attribute__((unused)) static void rig_add_list(const char *alias, struct mu_list_data *list)
{
    for (size_t i = rig_list_count++; i > 0; i--)
        rig_lists[i] = rig_lists[i - 1];
    rig_lists[0] = (struct rig_list){alias, list};
}

/* The shipped lists under the aliases that the checks look for by default. */
__attribute__((unused)) static void rig_load_lists(void)
{
    static const char *const shipped[][2] = {{"cfi", "cfi"},          {"country", "iso3166"},
                                             {"currency", "iso4217"}, {"iban", "iban-registry"},
                                             {"isin", "isin-prefix"}, {"mic", "mic"}};
    const char *build = getenv("MUSTER_BUILD");
    for (size_t i = 0; i < MU_COUNT(shipped); i++) {
        char pattern[600];
        glob_t found;
        snprintf(pattern, sizeof pattern, "%s/workers/lists/%s@*.csv", build ? build : ".", shipped[i][1]);
        if (glob(pattern, 0, NULL, &found) != 0 || found.gl_pathc != 1)
            TAP_FAIL("%s: expected one list", pattern);
        else
            rig_add_list(shipped[i][0], rig_read_list(found.gl_pathv[0]));
        globfree(&found);
    }
}

__attribute__((unused)) static void rig_free_lists(void)
{
    while (rig_list_count > 0)
        mu_list_data_free(rig_lists[--rig_list_count].list);
}

static int rig_column(struct mu_env *env, const char *name)
{
    struct rig *r = env->engine;
    for (size_t i = 0; i < r->column_count; i++) {
        if (strcmp(r->columns[i], name) == 0)
            return (int)i;
    }
    return -1;
}

static const struct mu_list_data *rig_list(struct mu_env *env, const char *alias)
{
    (void)env;
    for (size_t i = 0; i < rig_list_count; i++) {
        if (strcmp(rig_lists[i].alias, alias) == 0)
            return rig_lists[i].list;
    }
    return NULL;
}

static void rig_verdict(struct mu_sink *sink, enum mu_verdict verdict, struct mu_span message)
{
    static const char *const names[] = {"pass", "warn", "fail", "error", "not_evaluated", "out_of_scope"};
    struct rig *r = (struct rig *)(void *)((char *)sink - offsetof(struct rig, sink));
    bool with_message = verdict == MU_V_FAIL || verdict == MU_V_ERROR || verdict == MU_V_WARN;
    r->verdicts++;
    snprintf(r->last, sizeof r->last, "%s%s%.*s", names[verdict], with_message ? ": " : "",
             with_message ? (int)message.len : 0, with_message ? message.at : "");
}

/* `columns` are names with a blank between two; `as_of` a date. False: configure refused, r->err says why. */
__attribute__((unused)) static bool rig_open(struct rig *r, const char *check, const char *columns,
                                             const char *params, const char *as_of)
{
    *r = (struct rig){.env = {.column = rig_column, .list = rig_list}, .sink = {.verdict = rig_verdict}};
    r->env.engine = r;
    r->env.pool = mu_pool_new(64 << 20);
    r->sink.scratch = &r->scratch;
    r->scratch = MU_TEXT(4096);
    r->check = mu_check_find(mu_span_of(check));
    if (!r->check) {
        TAP_FAIL("no check %s", check);
        return false;
    }
    if (!mu_date_parse(mu_span_of(as_of), &r->env.as_of))
        TAP_FAIL("%s is no date", as_of);
    for (const char *at = columns; *at;) {
        size_t len = strcspn(at, " ");
        if (!mu_copy_text(r->columns[r->column_count++], 64, mu_span(at, len)))
            TAP_FAIL("column name too long: %s", at);
        at += len + (at[len] == ' ');
    }
    if (!mu_json_parse(&r->params, mu_span_of(params), 1 << 20, &r->err)) {
        TAP_FAIL("parameters %s: %s", params, r->err.text);
        return false;
    }
    return r->check->configure(&r->conf, &r->env, r->params, &r->err) &&
           r->check->begin(&r->state, &r->env, r->conf, &r->err);
}

__attribute__((unused)) static void rig_close(struct rig *r)
{
    json_decref(r->params);
    mu_text_free(&r->scratch);
    mu_pool_free(r->env.pool);
}

/* One record of these values (NULL: missing) in the state; what it came to, until the next record. */
__attribute__((unused)) static const char *rig_record_in(struct rig *r, void *state,
                                                         const char *const *values)
{
    struct mu_value value[RIG_COLUMNS];
    for (size_t i = 0; i < r->column_count; i++) {
        const char *text = values[i];
        enum mu_value_state is = !text                            ? MU_VALUE_MISSING
                                 : strcmp(text, RIG_INVALID) == 0 ? MU_VALUE_INVALID
                                                                  : MU_VALUE_TEXT;
        value[i] = (struct mu_value){is, is == MU_VALUE_TEXT ? mu_span_of(text) : mu_span("", 0)};
    }
    struct mu_record rec = {.values = value, .count = r->column_count};
    r->verdicts = 0;
    mu_text_reset(&r->scratch);
    if (!r->check->record(state, &rec, &r->sink, &r->err))
        snprintf(r->last, sizeof r->last, "broken: %s", r->err.text);
    else if (r->verdicts != 1)
        snprintf(r->last, sizeof r->last, "%d verdicts", r->verdicts);
    return r->last;
}

__attribute__((unused)) static const char *rig_record(struct rig *r, const char *const *values)
{
    return rig_record_in(r, r->state, values);
}

__attribute__((unused)) static const char *rig_value(struct rig *r, const char *value)
{
    return rig_record_in(r, r->state, (const char *const[RIG_COLUMNS]){value});
}

/* The place and sentence of the refusal, or "accepted". */
__attribute__((unused)) static const char *rig_refusal(const char *check, const char *columns,
                                                       const char *params)
{
    static char text[RIG_TEXT + 8];
    struct rig r;
    bool accepted = rig_open(&r, check, columns, params, "2026-11-24");
    snprintf(text, sizeof text, "%s %s", r.err.pointer, r.err.text);
    if (!accepted && (r.err.fault != MU_REJECTED || strcmp(r.err.code, "invalid") != 0))
        TAP_FAIL("%s %s: fault %s, code %s", check, params, mu_fault_name(r.err.fault), r.err.code);
    rig_close(&r);
    return accepted ? "accepted" : text;
}

struct rig_case {
    const char *value, *want;
};

/* All cases of a check on one column `x`. */
__attribute__((unused)) static void rig_cases(const char *check, const char *params, const char *as_of,
                                              const struct rig_case *cases, size_t count)
{
    struct rig r;
    if (!rig_open(&r, check, "x", params, as_of))
        TAP_FAIL("%s %s: %s %s", check, params, r.err.pointer, r.err.text);
    for (size_t i = 0; r.state && i < count; i++) {
        const char *got = rig_value(&r, cases[i].value);
        if (strcmp(got, cases[i].want) != 0)
            TAP_FAIL("%s %s: \"%s\", want \"%s\"", check, cases[i].value ? cases[i].value : "missing", got,
                     cases[i].want);
    }
    rig_close(&r);
}
#define RIG_CASES(check, params, ...)                                                                        \
    rig_cases(check, params, "2026-11-24", (const struct rig_case[]){__VA_ARGS__},                           \
              MU_COUNT(((const struct rig_case[]){__VA_ARGS__})))

#endif
