/* SPDX-License-Identifier: Apache-2.0 */
/* Computes single expressions over one record, or shows why one is refused. */
#ifndef MU_EXPR_RIG_H
#define MU_EXPR_RIG_H

#include "tap.h"

#include "base/clock.h"
#include "engine/expr/link.h"
#include "engine/pack.h"

#include <glob.h>

#define RIG_TEXT 700

/* Columns of every type, with and without a value; lists of the package beside two that are made here. */
static const char rig_pack_text[] =
    "{\"muster_pack\":1,\"pack\":\"rig\",\"version\":\"1.0.0\",\"title\":\"t\",\"columns\":{"
    "\"t\":{\"type\":\"text\"},\"u\":{\"type\":\"text\"},\"n\":{\"type\":\"decimal\"},\"m\":{\"type\":\"decimal\"},"
    "\"d\":{\"type\":\"date\"},\"ts\":{\"type\":\"timestamp\"},\"b\":{\"type\":\"bool\"},"
    "\"no_t\":{\"type\":\"text\"},\"no_n\":{\"type\":\"decimal\"},\"no_d\":{\"type\":\"date\"},\"no_b\":{\"type\":\"bool\"},"
    "\"bad_n\":{\"type\":\"decimal\"},\"bad_d\":{\"type\":\"date\"},\"bad_b\":{\"type\":\"bool\"},"
    "\"e\":{\"type\":\"text\",\"empty\":\"value\"}},"
    "\"lists\":{\"cal\":\"rig-cal@1\",\"ccy\":\"rig-ccy@1\",\"country\":\"iso3166\",\"cfi\":\"cfi\",\"iban\":\"iban-registry\",\"isin\":\"isin-prefix\"},"
    "\"params\":{\"limit\":{\"type\":\"decimal\",\"default\":\"10000.00\"},\"word\":{\"type\":\"text\",\"default\":\"it's\"},\"day\":{\"type\":\"date\",\"default\":\"2026-03-02\"}},"
    "\"let\":{\"big\":\"n > 100\",\"nothing\":\"is_missing(no_t)\"},"
    "\"rules\":[{\"id\":\"A\",\"severity\":\"low\",\"expr\":\"b\"}]}";

static const char rig_cal_text[] = "# muster-list 1 rig-cal 1 key=kind\nkind,from,to,value,title\n"
                                   "holiday,2026-05-25,,,Memorial Day\n"
                                   "offset,2025-11-02T06:00:00Z,,-05:00,\n"
                                   "offset,2026-03-08T07:00:00Z,,-04:00,\n"
                                   "offset,2026-11-01T06:00:00Z,,-05:00,\n"
                                   "valid,2026-01-01,2027-01-01,,\n"
                                   "weekend,,,6,Saturday\nweekend,,,7,Sunday\nzone,,,America/New_York,\n";
static const char rig_ccy_text[] = "# muster-list 1 rig-ccy 1 key=code\ncode,country,from,to,status,expiry\n"
                                   "DEM,DE,,2002-03-01,,\nEUR,EU,1999-01-01,,,\nOLD,XX,,,EXPIRED,2020-01-01\nUSD,US,,,ACTIVE,\n";

struct rig_value {
    const char *name, *text; /* NULL: missing */
};
static const struct rig_value rig_values[] = {
    {"t", "Straße"},  {"u", "EUR"},          {"n", "12.50"},      {"m", "-3"},   {"d", "2026-03-06"},
    {"ts", "2026-03-06T21:00:00Z"}, {"b", "true"}, {"bad_n", "1e3"}, {"bad_d", "2026-02-30"}, {"bad_b", "yes"}, {"e", ""},
};

struct rig {
    struct mu_pack *pack;
    struct mu_list_data *lists[16];
    struct mu_xvalue params[8];
    struct mu_pool *pool;
    struct mu_env env;
    struct mu_linker *linker;
    struct mu_value values[32];
    struct mu_record record;
    struct mu_frame frame;
};

static struct mu_list_data *rig_list(const char *name)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    struct mu_list_data *list = NULL;
    struct mu_error err = {0};
    char pattern[600], part[4096];
    glob_t found = {0};
    size_t got;
    if (strcmp(name, "rig-cal") == 0)
        mu_text_puts(&bytes, rig_cal_text);
    else if (strcmp(name, "rig-ccy") == 0)
        mu_text_puts(&bytes, rig_ccy_text);
    else {
        (void)snprintf(pattern, sizeof(pattern), "%s/workers/lists/%s@*.csv", getenv("MUSTER_BUILD"), name);
        FILE *f = glob(pattern, 0, NULL, &found) == 0 ? fopen(found.gl_pathv[0], "rb") : NULL;
        while (f && (got = fread(part, 1, sizeof(part), f)) > 0)
            mu_text_add(&bytes, mu_span(part, got));
        if (f)
            (void)fclose(f);
        globfree(&found);
    }
    if (!mu_list_parse(&list, mu_text_span(&bytes), &err))
        TAP_FAIL("list %s: %s", name, err.text);
    return list;
}

static const struct mu_list_data *rig_env_list(struct mu_env *env, const char *alias)
{
    struct rig *r = env->engine;
    for (size_t i = 0; i < r->pack->list_count; i++)
        if (strcmp(r->pack->lists[i].alias, alias) == 0)
            return r->lists[i];
    return NULL;
}

static int rig_env_column(struct mu_env *env, const char *name)
{
    return mu_pack_column(((struct rig *)env->engine)->pack, mu_span_of(name));
}

static bool rig_open(struct rig *r)
{
    struct mu_error err = {0};
    *r = (struct rig){.pool = mu_pool_new(64 << 20)};
    if (!mu_pack_parse(&r->pack, mu_span_of(rig_pack_text), &err)) {
        TAP_FAIL("the rig's pack: %s %s", err.pointer, err.text);
        return false;
    }
    for (size_t i = 0; i < r->pack->list_count; i++)
        r->lists[i] = rig_list(r->pack->lists[i].name);
    for (size_t i = 0; i < r->pack->param_count; i++)
        CHECK(mu_xvalue_parse(r->pack->params[i].type, mu_span_of(r->pack->params[i].otherwise), &r->params[i]));
    r->env = (struct mu_env){.pool = r->pool, .column = rig_env_column, .list = rig_env_list, .engine = r};
    CHECK(mu_date_parse(mu_span_of("2026-03-02"), &r->env.as_of));
    for (size_t i = 0; i < r->pack->column_count; i++) {
        r->values[i].state = MU_VALUE_MISSING;
        for (size_t k = 0; k < MU_COUNT(rig_values); k++)
            if (strcmp(rig_values[k].name, r->pack->columns[i].name) == 0)
                r->values[i] = (struct mu_value){rig_values[k].text[0] ? MU_VALUE_TEXT : MU_VALUE_MISSING,
                                                 mu_span_of(rig_values[k].text)};
    }
    r->record = (struct mu_record){.values = r->values, .count = r->pack->column_count};
    const struct mu_link_setup setup = {r->pack, (const struct mu_list_data *const *)r->lists, r->params, &r->env};
    return mu_linker_new(&r->linker, &setup, &err) && mu_frame_init(&r->frame, 100000, &err);
}

static void rig_close(struct rig *r)
{
    mu_frame_fini(&r->frame);
    mu_linker_free(r->linker);
    for (size_t i = 0; i < MU_COUNT(r->lists); i++)
        mu_list_data_free(r->lists[i]);
    mu_pool_free(r->pool);
    mu_pack_free(r->pack);
}

/* "12.5", "missing", "invalid", or "refused: …; hint". */
static const char *rig_compute(struct rig *r, const char *text)
{
    static char out[RIG_TEXT];
    const struct mu_scope scope = {.pool = r->pool, .pack = r->pack, .columns = true, .lets = true};
    struct mu_error err = {0};
    const struct mu_expr *e;
    const struct mu_op *op;
    if (!mu_expr_parse(&e, &scope, mu_span_of(text), MU_TYPE_MISSING, "/expr", &err) ||
        !mu_link(&op, r->linker, e, "/expr", &err)) {
        (void)snprintf(out, sizeof(out), "refused: %s; %s", err.text, err.hint);
        if (err.fault != MU_REJECTED || strcmp(err.pointer, "/expr") != 0)
            TAP_FAIL("%s: fault %s at %s", text, mu_fault_name(err.fault), err.pointer);
        return out;
    }
    mu_frame_record(&r->frame, &r->record);
    const struct mu_xvalue *v = mu_eval(op, &r->frame);
    struct mu_text formatted = MU_TEXT(0);
    if (v->state == MU_VALUE_TEXT)
        mu_xvalue_format(e->type, v, &formatted);
    else
        mu_text_puts(&formatted, v->state == MU_VALUE_MISSING ? "missing" : "invalid");
    (void)snprintf(out, sizeof(out), "%.*s", (int)formatted.len, formatted.len ? formatted.at : "");
    mu_text_free(&formatted);
    return out;
}

struct rig_case {
    const char *expression, *want;
};
__attribute__((unused)) static void rig_cases(const struct rig_case *cases, size_t count)
{
    struct rig r;
    if (!rig_open(&r))
        return;
    for (size_t i = 0; i < count; i++) {
        const char *got = rig_compute(&r, cases[i].expression);
        if (strcmp(got, cases[i].want) != 0)
            TAP_FAIL("%s\n#   got  %s\n#   want %s", cases[i].expression, got, cases[i].want);
    }
    rig_close(&r);
}
#define RIG_CASES(...)                                                                                       \
    rig_cases((const struct rig_case[]){__VA_ARGS__}, MU_COUNT(((const struct rig_case[]){__VA_ARGS__})))

#endif
