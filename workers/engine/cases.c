/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/cases.h"

#include "base/clock.h"
#include "engine/local.h"

#define ROWS_TOLD 12           /* of a case that fails */
#define RECORD_BYTES ((size_t)1 << 20)
#define FINDINGS_BYTES ((size_t)64 << 20)

struct tally {
    int64_t count[6];
    json_t *keys; /* owned: of the groups found, each an array of texts, sorted by their bytes */
};
static const char *const words[6] = {"pass", "warn", "fail", "error", "not_evaluated", "out_of_scope"};

static void tally_fini(struct tally *t)
{
    json_decref(t->keys);
}
MU_DEFINE_AUTO_VALUE(struct tally, tally_fini)

/* What is the same for all rows of a case. */
struct trial {
    const struct mu_alone *rule;
    const struct mu_ready *ready;
    int32_t as_of;
};

size_t mu_cases_count(const struct mu_rule *rule)
{
    return json_array_size(json_object_get(rule->document, "cases"));
}

static bool note_keys(struct tally *t, struct mu_span findings, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(FINDINGS_BYTES + 2);
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    mu_text_putc(&text, '[');
    mu_text_add(&text, findings);
    mu_text_putc(&text, ']');
    if (!mu_text_ok(&text, err) || !mu_json_parse(&doc, mu_text_span(&text), FINDINGS_BYTES + 2, err))
        return mu_while(err, "findings of a case");
    for (size_t i = 0; i < json_array_size(doc); i++) {
        json_t *key = json_object_get(json_object_get(json_array_get(doc, i), "evidence"), "key"), *value;
        json_t *values = key ? json_array() : NULL;
        const char *name;
        json_object_foreach(key, name, value)
            json_array_append(values, value);
        if (values)
            json_array_append_new(t->keys, values);
    }
    return true;
}

static bool take(struct mu_run *run, struct tally *t, struct mu_error *err)
{
    int64_t count;
    const struct mu_span findings = mu_run_findings(run, &count);
    const bool done = note_keys(t, findings, err);
    mu_run_take_findings(run);
    return done;
}

static bool drain(void *context, struct mu_run *run, struct mu_error *err)
{
    return take(run, context, err);
}

static bool feed(struct mu_run *run, struct mu_span rest, struct tally *t, struct mu_error *err)
{
    struct mu_position first;
    bool done = false;
    size_t used;
    if (!mu_run_header(run, mu_span("", 0), false, &done, &first, err))
        return false;
    do {
        if (!mu_run_feed(run, rest, true, 0, &used, err) || !take(run, t, err))
            return false;
        rest = mu_span(rest.at + used, rest.len - used);
    } while (rest.len);
    return mu_run_finish(run, err) && take(run, t, err);
}

/* Over the rows as they stand: an array of objects. */
static bool run_rows(const struct trial *trial, const json_t *rows, struct tally *out, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    MU_AUTO(mu_run_free) struct mu_run *run = NULL;
    struct mu_local local;
    size_t count;
    mu_json_write(&bytes, rows);
    if (!mu_text_ok(&bytes, err))
        return false;
    const struct mu_digest digest = mu_digest_of(mu_text_span(&bytes));
    if (!mu_local_init(&local, trial->ready, &trial->rule->pack, NULL, "records", trial->as_of, &digest, err))
        return false;
    const struct mu_run_setup setup = {.task = &local.task,
                                       .ready = trial->ready,
                                       .limits = {RECORD_BYTES, MU_JSON_DEPTH},
                                       .source_digest = digest,
                                       .drain = drain,
                                       .drain_context = out};
    if (!mu_run_open(&run, &setup, err) || !feed(run, mu_text_span(&bytes), out, err))
        return false;
    const struct mu_rule_counts *c = mu_run_rules(run, &count);
    for (size_t i = 0; i < count; i++)
        if (strcmp(c[i].rule, trial->rule->rule.id) == 0)
            memcpy(out->count, (int64_t[]){c[i].pass, c[i].warn, c[i].fail, c[i].error, c[i].not_evaluated, c[i].out_of_scope},
                   sizeof(out->count));
    return true;
}

/* The rows with what `given` has for the columns that they leave out. */
static json_t *whole_rows(const struct mu_rule *rule, const json_t *of)
{
    json_t *rows = json_array();
    for (size_t i = 0; rows && i < json_array_size(of); i++) {
        json_t *given = json_object_get(rule->document, "given"), *row = given ? json_copy(given) : json_object();
        if (row)
            json_object_update(row, json_array_get(of, i));
        json_array_append_new(rows, row);
    }
    return rows;
}

static bool known_columns(const struct mu_pack *pack, const json_t *row, const char *pointer, struct mu_error *wrong)
{
    const char *name;
    json_t *value;
    char place[100];
    json_object_foreach((json_t *)(uintptr_t)row, name, value)
    {
        (void)value;
        if (mu_pack_column(pack, mu_span_of(name)) >= 0)
            continue;
        (void)snprintf(place, sizeof(place), "%s/%.63s", pointer, name);
        (void)mu_reject(wrong, "invalid", place, "expected a column of the pack, found \"%.60s\"", name);
        return mu_hint(wrong, "example: {\"%s\": \"%s\"}", pack->columns[0].name, mu_type_example(pack->columns[0].type));
    }
    return true;
}

static bool rows_fit(const struct mu_alone *a, const json_t *one, struct mu_error *wrong)
{
    const json_t *rows = json_object_get(one, "rows");
    if (!known_columns(&a->pack, json_object_get(a->rule.document, "given"), "/given", wrong))
        return false;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        char pointer[32];
        (void)snprintf(pointer, sizeof(pointer), "/rows/%zu", i);
        if (!known_columns(&a->pack, json_array_get(rows, i), pointer, wrong))
            return false;
    }
    return true;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The keys as one text, sorted: equal sets, equal texts. */
static bool write_keys(struct mu_text *out, const json_t *keys, struct mu_error *err)
{
    const size_t count = json_array_size(keys);
    MU_AUTO(mu_free) char **texts = calloc(count + 1, sizeof(*texts));
    bool whole = texts != NULL;
    for (size_t i = 0; whole && i < count; i++)
        whole = (texts[i] = json_dumps(json_array_get(keys, i), JSON_COMPACT)) != NULL;
    if (whole) {
        qsort(texts, count, sizeof(*texts), by_text);
        mu_text_putc(out, '[');
        for (size_t i = 0; i < count; i++)
            mu_text_addf(out, "%s%s", i ? "," : "", texts[i]);
        mu_text_putc(out, ']');
    }
    for (size_t i = 0; texts && i < count; i++)
        free(texts[i]);
    return whole ? mu_text_ok(out, err) : mu_fail(err, MU_BROKEN, "out of memory");
}

static void write_counts(struct mu_text *out, const int64_t count[6])
{
    const size_t before = out->len;
    for (size_t i = 0; i < 6; i++)
        if (count[i])
            mu_text_addf(out, "%s%lld %s", out->len > before ? ", " : "", (long long)count[i], words[i]);
    if (out->len == before)
        mu_text_puts(out, "nothing");
}

/* What each of the first rows comes to by itself: of rules that judge single records. */
static bool write_rows(const struct trial *trial, const json_t *rows, struct mu_text *out, struct mu_error *err)
{
    if (trial->rule->rule.kind == MU_RULE_GROUP)
        return true;
    for (size_t i = 0; i < json_array_size(rows) && i < ROWS_TOLD; i++) {
        MU_AUTO(mu_json_free) json_t *row = json_pack("[O]", json_array_get(rows, i));
        MU_AUTO(tally_fini) struct tally t = {.keys = json_array()};
        if (!row || !run_rows(trial, row, &t, err))
            return false;
        mu_text_addf(out, "%s row %zu ", i ? "," : ";", i + 1);
        for (size_t k = 0; k < 6; k++)
            if (t.count[k])
                mu_text_puts(out, words[k]);
    }
    if (json_array_size(rows) > ROWS_TOLD)
        mu_text_puts(out, ", …");
    return true;
}

struct expectation {
    int64_t count[6];
    const json_t *keys; /* NULL: not said */
};

static bool tell(const struct trial *trial, const json_t *rows, const struct expectation *want, const struct tally *got,
                 struct mu_error *wrong, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text right = MU_TEXT(0);
    mu_text_puts(&text, "expected ");
    write_counts(&text, want->count);
    mu_text_puts(&text, "; found ");
    write_counts(&text, got->count);
    if (!write_rows(trial, rows, &text, err) || !mu_text_ok(&text, err))
        return false;
    for (size_t i = 0; i < 6; i++)
        if (got->count[i])
            mu_text_addf(&right, "%s\"%s\": %lld", right.len ? ", " : "", words[i], (long long)got->count[i]);
    (void)mu_reject(wrong, "case", "/expect", "%s", text.at);
    mu_hint(wrong, "if that is right: \"expect\": {%s}", right.len ? right.at : "");
    return true;
}

static bool compare_keys(const struct expectation *want, const struct tally *got, struct mu_error *wrong, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text expected = MU_TEXT(0);
    MU_AUTO(mu_text_free) struct mu_text found = MU_TEXT(0);
    if (!want->keys)
        return true;
    if (!write_keys(&expected, want->keys, err) || !write_keys(&found, got->keys, err))
        return false;
    if (mu_span_equal(mu_text_span(&expected), mu_text_span(&found)))
        return true;
    (void)mu_reject(wrong, "case", "/expect/keys", "expected the groups %.120s; found %.120s", expected.at, found.at);
    mu_hint(wrong, "keys stand in the order of their names, as texts; if that is right: \"keys\": %.100s", found.at);
    return true;
}

static bool judge(const struct trial *trial, const json_t *one, struct mu_error *wrong, struct mu_error *err)
{
    const json_t *expect = json_object_get(one, "expect");
    MU_AUTO(mu_json_free) json_t *rows = whole_rows(&trial->rule->rule, json_object_get(one, "rows"));
    MU_AUTO(tally_fini) struct tally got = {.keys = json_array()};
    struct expectation want = {.keys = json_object_get(expect, "keys")};
    if (!rows || !got.keys)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (size_t i = 0; i < 6; i++)
        want.count[i] = mu_json_int(expect, words[i], 0);
    if (!run_rows(trial, rows, &got, err))
        return false;
    if (memcmp(want.count, got.count, sizeof(want.count)) != 0)
        return tell(trial, rows, &want, &got, wrong, err);
    return compare_keys(&want, &got, wrong, err);
}

/* False only if this machine is broken. */
static bool run_case(const struct mu_alone *a, const struct mu_list_data *const *lists, const json_t *one,
                     struct mu_error *wrong, struct mu_error *err)
{
    MU_AUTO(mu_ready_free) struct mu_ready *ready = NULL;
    MU_AUTO(mu_json_free) json_t *none = json_object();
    const json_t *params = json_object_get(one, "params");
    struct trial trial = {.rule = a, .as_of = mu_alone_day(a)};
    if (mu_json_text(one, "as_of") && !mu_date_parse(mu_json_span(one, "as_of"), &trial.as_of))
        return mu_fail(err, MU_BROKEN, "a day that the schema has let pass");
    if (!rows_fit(a, one, wrong))
        return true;
    if (!mu_alone_ready(&ready, a, lists, params ? params : none, trial.as_of, wrong)) {
        if (wrong->fault == MU_REJECTED)
            return true;
        return mu_fail(err, wrong->fault, "%s", wrong->text);
    }
    trial.ready = ready;
    if (judge(&trial, one, wrong, err) || err->fault != MU_REJECTED)
        return err->fault == MU_OK;
    *wrong = *err; /* a limit: the case has it met */
    mu_error_clear(err);
    return true;
}

bool mu_cases_run(const struct mu_alone *a, const struct mu_list_data *const *lists, mu_case_note *note, void *context,
                  struct mu_error *err)
{
    const json_t *cases = json_object_get(a->rule.document, "cases");
    for (size_t i = 0; i < json_array_size(cases); i++) {
        const json_t *one = json_array_get(cases, i);
        const char *name = mu_json_text(one, "name");
        struct mu_error wrong = {0};
        char pointer[60], number[32];
        (void)snprintf(number, sizeof(number), "case %zu", i + 1);
        if (!run_case(a, lists, one, &wrong, err))
            return mu_while(err, "rule %s, case %zu", a->rule.id, i + 1);
        if (strncmp(wrong.pointer, "/given", 6) == 0)
            (void)snprintf(pointer, sizeof(pointer), "/rules/%zu", a->index);
        else
            (void)snprintf(pointer, sizeof(pointer), "/rules/%zu/cases/%zu", a->index, i);
        if (wrong.fault != MU_OK && strncmp(wrong.pointer, "/rules/", 7) != 0)
            mu_under(&wrong, pointer);
        note(context, &a->rule, name ? name : number, wrong.fault == MU_OK ? NULL : &wrong);
    }
    return true;
}
