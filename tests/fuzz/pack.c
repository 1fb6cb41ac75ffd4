/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a rule pack. It is refused with the places of its mistakes, or its rules run over a few
 * records, and say the same when the run is cut into pieces and goes on from a checkpoint. */
#include "rules.h"

#define RECORDS 9

struct notes {
    size_t count;
    struct mu_error first;
};

static void note(void *context, const struct mu_error *mistake)
{
    struct notes *n = context;
    fuzz_refusal(mistake, "a mistake");
    if (!n->count++)
        n->first = *mistake;
}

/* Both readers of packs agree. */
static bool read_pack(struct mu_pack **out, struct mu_span bytes)
{
    struct mu_pack *again = NULL;
    struct notes notes = {0};
    struct mu_error all = {0}, one = {0};
    const bool good = mu_pack_parse_all(out, bytes, note, &notes, &all),
               same = mu_pack_parse(&again, bytes, &one);
    FUZZ_HOLDS(good == same, "read whole: %s; up to the first mistake: %s", all.text, one.text);
    if (good) {
        FUZZ_HOLDS(!notes.count && mu_digest_equal(&(*out)->digest, &again->digest),
                   "%zu mistakes in a pack that is taken", notes.count);
        mu_pack_free(again);
        return true;
    }
    fuzz_refusal(&all, "the pack");
    FUZZ_HOLDS(strcmp(all.text, one.text) == 0 && strcmp(all.pointer, one.pointer) == 0,
               "%s at %s, or %s at %s", all.text, all.pointer, one.text, one.pointer);
    FUZZ_HOLDS(!notes.count ||
                   (strcmp(notes.first.text, all.text) == 0 && strcmp(notes.first.pointer, all.pointer) == 0),
               "%s at %s was noted first, then %s at %s", notes.first.text, notes.first.pointer, all.text,
               all.pointer);
    return false;
}

/* Records in which each column of the pack has good, bad and missing values. */
static void make_records(const struct mu_pack *pack, struct mu_text *out)
{
    static const char *const values[] = {"\"1\"",          "\"US0378331005\"",
                                         "\"2026-03-06\"", "null",
                                         "\"\"",           "\"-12.50\"",
                                         "true",           "\"2026-03-06T21:00:00Z\"",
                                         "\"EUR\"",        "\"x\"",
                                         "\"\\u00e9\"",    "\"99999999999999999999999999999999999999\"",
                                         "\"2026-02-30\"", "\"1\""};
    mu_text_putc(out, '[');
    for (size_t i = 0; i < RECORDS; i++) {
        mu_text_puts(out, i ? ",{" : "{");
        for (size_t c = 0; c < pack->column_count; c++) {
            mu_text_puts(out, c ? "," : "");
            mu_text_add_json(out, mu_span_of(pack->columns[c].name));
            mu_text_addf(out, ":%s", i == 4 && c == 0 ? "7" : values[(i / 2 * 5 + c * 3) % MU_COUNT(values)]);
        }
        mu_text_putc(out, '}');
    }
    mu_text_putc(out, ']');
}

/* The second run stops behind a record, and another one goes on from what it saved. */
static void run_in_parts(struct rig *rig, struct mu_span bytes, int64_t stop, struct mu_text *findings,
                         struct mu_text *summary)
{
    MU_AUTO(mu_text_free) struct mu_text state = MU_TEXT(0), again = MU_TEXT(0);
    MU_AUTO(mu_json_free) json_t *saved = NULL;
    MU_AUTO(mu_run_free) struct mu_run *first = NULL;
    MU_AUTO(mu_run_free) struct mu_run *second = NULL;
    struct mu_error err = {0};
    int64_t count;
    bool good = rig_start(rig, &first, bytes, 7, &err) &&
                rig_feed(first, bytes, bytes.len, 7, stop, findings, &err) &&
                mu_run_save(first, &state, &err);
    if (good) {
        FUZZ_HOLDS(mu_json_parse(&saved, mu_text_span(&state), (size_t)64 << 20, &err), "the saved state: %s",
                   err.text);
        FUZZ_HOLDS(rig_start(rig, &second, bytes, 5, &err) && mu_run_restore(second, saved, &err) &&
                       mu_run_save(second, &again, &err),
                   "a saved state is refused: %s", err.text);
        FUZZ_HOLDS(mu_span_equal(mu_text_span(&state), mu_text_span(&again)),
                   "saved %s, restored and saved %s", state.at, again.at);
        good = rig_feed(second, bytes, bytes.len, 11, 0, findings, &err) && mu_run_finish(second, &err);
    }
    if (!good) {
        mu_text_addf(summary, "%s: %s %s", mu_fault_name(err.fault), err.code, err.text);
        return;
    }
    const struct mu_span rest = mu_run_findings(second, &count);
    if (count && findings->len)
        mu_text_putc(findings, ',');
    mu_text_add(findings, rest);
    rig_summary(second, summary);
}

static void check_runs(struct rig *rig, uint8_t choice)
{
    MU_AUTO(mu_text_free)
    struct mu_text records = MU_TEXT(0),
                   whole = MU_TEXT(0), parts = MU_TEXT(0), summary = MU_TEXT(0), other = MU_TEXT(0);
    make_records(rig->pack, &records);
    rig_run(rig, mu_text_span(&records), SIZE_MAX, &whole, &summary);
    run_in_parts(rig, mu_text_span(&records), 1 + choice % RECORDS, &parts, &other);
    FUZZ_HOLDS(!tap_failures && strncmp(summary.at, mu_fault_name(MU_BROKEN), 6) != 0, "the run: %s",
               summary.at);
    FUZZ_HOLDS(mu_span_equal(mu_text_span(&summary), mu_text_span(&other)), "in one: %s\nin parts: %s",
               summary.at, other.at);
    FUZZ_HOLDS(mu_span_equal(mu_text_span(&whole), mu_text_span(&parts)), "in one: %.*s\nin parts: %.*s",
               (int)whole.len, whole.len ? whole.at : "", (int)parts.len, parts.len ? parts.at : "");
    fuzz_findings(mu_text_span(&whole));
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    fuzz_read_lists();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu_span bytes = mu_span((const char *)data, size);
    const struct fuzz_choices choices = fuzz_choices(&bytes);
    struct rig rig = {.limits = {1 << 16, 4096}};
    struct mu_error err = {0};
    if (!read_pack(&rig.pack, bytes))
        return 0;
    MU_AUTO(mu_free) const struct mu_list_data **lists = calloc(rig.pack->list_count + 1, sizeof(*lists));
    if (fuzz_ready(&rig, lists, &err))
        check_runs(&rig, choices.at[0]);
    else
        fuzz_refusal(&err, "the rules");
    rig_close(&rig);
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    static const char head[] = "{\"muster_pack\":1,\"pack\":\"p\",\"version\":\"1.0.0\",\"title\":\"t\","
                               "\"columns\":{\"a\":{\"type\":\"text\"}},\"rules\":[";
    static const struct {
        const char *name, *begin, *again, *end;
        int times;
        bool pack;
    } made[] = {
        {"a hundred thousand levels", "", "[", "", 100000, false},
        {"a hundred thousand levels of objects", "", "{\"a\":", "", 100000, false},
        {"an expression of parentheses alone", "{\"id\":\"A\",\"severity\":\"low\",\"expr\":\"", "(", "\"}]}",
         5000, true},
        {"more rules than a pack may have", "{\"id\":\"A\",\"severity\":\"low\",\"expr\":\"true\"}",
         ",{\"id\":\"A\",\"severity\":\"low\",\"expr\":\"true\"}", "]}", 600, true},
        {"larger than a pack may be", "{\"id\":\"A\",\"severity\":\"low\",\"title\":\"", "xxxxxxxxxxxxxxxx",
         "\"}]}", 1 << 16, true},
    };
    if (index >= MU_COUNT(made))
        return NULL;
    mu_text_puts(out, made[index].pack ? head : "");
    mu_text_puts(out, made[index].begin);
    for (int i = 0; i < made[index].times; i++)
        mu_text_puts(out, made[index].again);
    mu_text_puts(out, made[index].end);
    return made[index].name;
}
