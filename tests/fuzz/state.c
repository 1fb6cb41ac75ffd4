/* SPDX-License-Identifier: Apache-2.0 */
/* Saved states of a run that are not what was saved. A run of a pack with every kind of state is stopped
 * behind a record; the input is a list of changes to what it saved, or in place of it a document whose
 * digests are put right. It is refused, or a run goes on from it to its end, and what was restored is saved
 * in a form that is restored again. */
#include "rules.h"

static const char pack_text[] =
    "{\"muster_pack\":1,\"pack\":\"s\",\"version\":\"1.0.0\",\"title\":\"t\",\"columns\":{\"id\":{\"type\":"
    "\"text\"},"
    "\"person\":{\"type\":\"text\",\"mask\":\"hash\"},\"day\":{\"type\":\"date\"},\"amount\":{\"type\":"
    "\"decimal\"},\"ts\":{\"type\":\"timestamp\"},"
    "\"open\":{\"type\":\"bool\"}},\"rules\":["
    "{\"id\":\"A\",\"severity\":\"low\",\"group_by\":{\"person\":\"person\",\"day\":\"day\"},\"having\":"
    "\"sum(amount) > 1\","
    "\"evidence\":{\"d\":\"count_distinct(id)\",\"f\":\"first(ts)\",\"l\":\"last(open)\",\"m\":\"avg(amount)"
    "\",\"x\":\"max(day)\",\"n\":\"min(ts)\"}},"
    "{\"id\":\"B\",\"severity\":\"low\",\"group_by\":{\"day\":\"day\"},\"window\":{\"on\":\"day\",\"size\":"
    "\"3d\",\"emit\":\"runs\"},\"value\":\"count()\","
    "\"bands\":[{\"lt\":\"2\",\"outcome\":\"pass\"},{\"outcome\":\"warn\"}]},"
    "{\"id\":\"C\",\"severity\":\"low\",\"expr\":\"open\",\"mostly\":\"0.9\"},"
    "{\"id\":\"D\",\"severity\":\"low\",\"expr\":\"amount < 5\",\"max_findings\":1},"
    "{\"id\":\"E\",\"severity\":\"low\",\"check\":\"unique\",\"with\":{\"columns\":[\"id\"]}},"
    "{\"id\":\"F\",\"severity\":\"low\",\"having\":\"min(amount) < 1 or count_if(open) > 3 or sum_if(amount, "
    "open) = 7\"},"
    "{\"id\":\"G\",\"severity\":\"low\",\"group_by\":{\"n\":\"amount\"},\"window\":{\"on\":\"n\",\"size\":"
    "\"5\"},\"having\":\"count_distinct(person) > 1\"}]}";
static const char records_text[] =
    "[{\"id\":\"1\",\"person\":\"P1\",\"day\":\"2026-03-02\",\"amount\":\"9999.99\",\"ts\":\"2026-03-02T14:"
    "00:00Z\",\"open\":true},"
    "{\"id\":\"2\",\"person\":\"P1\",\"day\":\"2026-03-02\",\"amount\":\"2\",\"ts\":\"2026-03-02T15:00:00+01:"
    "00\",\"open\":false},"
    "{\"id\":\"1\",\"person\":\"P2\",\"day\":\"2026-03-03\",\"amount\":\"x\"},{\"id\":\"4\",\"day\":\"2026-"
    "03-09\",\"amount\":\"-7\",\"open\":true},"
    "7,{\"id\":\"5\",\"person\":\"P\\u00e9\",\"day\":\"2026-02-30\",\"amount\":\"3\"},{},{\"id\":\"2\","
    "\"person\":\"P2\",\"day\":\"2026-03-04\",\"amount\":\"4\"}]";
#define RECORDS 8

static struct rig rig;
static struct mu_text truth[RECORDS]; /* what is saved behind each record */

static struct mu_span bytes(void)
{
    return mu_span(records_text, sizeof(records_text) - 1);
}

static void save_after(int64_t records, struct mu_text *state)
{
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0);
    MU_AUTO(mu_run_free) struct mu_run *run = NULL;
    struct mu_error err = {0};
    FUZZ_HOLDS(rig_start(&rig, &run, bytes(), SIZE_MAX, &err) &&
                   rig_feed(run, bytes(), bytes().len, SIZE_MAX, records, &findings, &err) &&
                   mu_run_save(run, state, &err),
               "%s", err.text);
}

/* Changes are four bytes each: where (two), what is done, and with which byte. */
static void change(struct mu_text *state, struct mu_span changes)
{
    for (; changes.len >= 4; changes = mu_span(changes.at + 4, changes.len - 4)) {
        const uint8_t *c = (const uint8_t *)changes.at;
        const size_t at = state->len ? (size_t)(c[0] << 8 | c[1]) % state->len : 0;
        MU_AUTO(mu_text_free) struct mu_text changed = MU_TEXT(0);
        size_t gone = c[2] % 3 == 0 ? 1 : c[2] % 3 == 1 ? c[3] % 32u : 0; /* replaced, taken out, put in */
        gone = gone < state->len - at ? gone : state->len - at;
        mu_text_add(&changed, mu_span(state->at, at));
        if (c[2] % 3 != 1)
            mu_text_putc(&changed, (char)c[3]);
        mu_text_add(&changed, mu_span(state->at + at + gone, state->len - at - gone));
        mu_text_reset(state);
        mu_text_add(state, mu_text_span(&changed));
    }
}

/* Only what is beyond the digests is of interest: those of the true state are put in. */
static json_t *document(struct mu_span text)
{
    static const char *const pinned[] = {"format", "key", "input", "header", "from"};
    MU_AUTO(mu_json_free) json_t *saved = NULL;
    json_t *doc = NULL;
    struct mu_error err = {0};
    if (!mu_json_parse(&doc, text, (size_t)1 << 20, &err))
        return NULL;
    FUZZ_HOLDS(mu_json_parse(&saved, mu_text_span(&truth[0]), (size_t)1 << 20, &err), "%s", err.text);
    for (size_t i = 0; json_is_object(doc) && i < MU_COUNT(pinned); i++)
        json_object_set(doc, pinned[i], json_object_get(saved, pinned[i]));
    return doc;
}

/* To the end of the records, if the position is one of theirs. */
static void go_on(struct mu_run *run)
{
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0);
    struct mu_error err = {0};
    const int64_t at = mu_run_position(run).byte_off;
    int64_t count;
    FUZZ_HOLDS(at >= 0, "byte %lld", (long long)at);
    if ((size_t)at > bytes().len)
        return;
    if (!rig_feed(run, bytes(), bytes().len, 16, 0, &findings, &err) || !mu_run_finish(run, &err)) {
        FUZZ_HOLDS(err.text[0], "a failure without a word");
        return;
    }
    const struct mu_span rest = mu_run_findings(run, &count);
    if (count && findings.len)
        mu_text_putc(&findings, ',');
    mu_text_add(&findings, rest);
    fuzz_findings(mu_text_span(&findings));
}

static void restore(const json_t *doc)
{
    MU_AUTO(mu_text_free) struct mu_text once = MU_TEXT(0), twice = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *saved = NULL;
    MU_AUTO(mu_run_free) struct mu_run *first = NULL;
    MU_AUTO(mu_run_free) struct mu_run *second = NULL;
    MU_AUTO(mu_run_free) struct mu_run *third = NULL; /* an honest one */
    struct mu_error err = {0};
    FUZZ_HOLDS(rig_start(&rig, &first, bytes(), SIZE_MAX, &err) &&
                   rig_start(&rig, &second, bytes(), SIZE_MAX, &err) &&
                   rig_start(&rig, &third, bytes(), SIZE_MAX, &err),
               "%s", err.text);
    if (!mu_run_restore(first, doc, &err)) {
        fuzz_refusal(&err, "the state");
        return;
    }
    FUZZ_HOLDS(mu_run_save(first, &once, &err) &&
                   mu_json_parse(&saved, mu_text_span(&once), (size_t)16 << 20, &err),
               "saved: %s", err.text);
    FUZZ_HOLDS(mu_run_restore(second, saved, &err) && mu_run_save(second, &twice, &err),
               "what was restored is refused: %s; %s", err.text, once.at);
    FUZZ_HOLDS(mu_span_equal(mu_text_span(&once), mu_text_span(&twice)), "saved %s, then %s", once.at,
               twice.at);
    go_on(first);
    MU_AUTO(mu_text_free) struct mu_text findings = MU_TEXT(0);
    FUZZ_HOLDS(rig_feed(third, bytes(), bytes().len, SIZE_MAX, 2, &findings, &err), "%s", err.text);
    mu_text_reset(&once);
    if (mu_run_merge(second, third, &err) && mu_run_save(second, &once, &err))
        go_on(second);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    static const struct mu_list_data *none[1];
    struct mu_error err = {0};
    rig.limits = (struct mu_reader_limits){1 << 16, 4096};
    FUZZ_HOLDS(mu_pack_parse(&rig.pack, mu_span_of(pack_text), &err) && fuzz_ready(&rig, none, &err),
               "%s: %s", err.pointer, err.text);
    for (int64_t i = 0; i < RECORDS; i++)
        save_after(i + 1, &truth[i]);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const struct mu_span input = mu_span((const char *)data, size);
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    struct mu_error err = {0};
    if (!input.len)
        return 0;
    if (input.at[0] == '{') {
        doc = document(input);
    } else {
        mu_text_add(&state, mu_text_span(&truth[(uint8_t)input.at[0] % RECORDS]));
        change(&state, mu_span(input.at + 1, input.len - 1));
        if (!mu_json_parse(&doc, mu_text_span(&state), (size_t)1 << 20, &err))
            doc = NULL;
    }
    if (doc)
        restore(doc);
    FUZZ_HOLDS(!tap_failures, "the run");
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    static const char *const names[] = {"nothing changed behind record 1", "nothing changed behind record 2",
                                        "nothing changed behind record 3", "nothing changed behind record 4",
                                        "nothing changed behind record 5", "nothing changed behind record 6",
                                        "nothing changed behind record 7", "nothing changed at the end"};
    if (index >= MU_COUNT(names))
        return NULL;
    mu_text_putc(out, (char)index);
    return names[index];
}
