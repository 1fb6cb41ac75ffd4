/* SPDX-License-Identifier: Apache-2.0 */
/* Any bytes as a source, read by the reader of FUZZ_FORMAT under several descriptions. However they are cut
 * into pieces, whether their fields are taken apart or only boundaries are looked for, and wherever another
 * reader goes on: the same records stand at the same places. */
#include "fuzz.h"

#include "engine/reader.h"
#include "format/json.h"

#define RECORDS_MAX 100000

static const char *const columns[] = {"a", "b", "c"};

struct description {
    const char *format, *source; /* JSON; NULL: inline records */
    bool sparse;                 /* only the second column is wanted */
    struct mu_reader_limits limits;
};
#define WIDE                                                                                                 \
    {                                                                                                        \
        1 << 16, 256                                                                                         \
    }
#define NARROW                                                                                               \
    {                                                                                                        \
        48, 5                                                                                                \
    }

static const struct description descriptions[] = {
    {"csv", "{}", false, WIDE},
    {"csv", "{}", true, NARROW},
    {"csv", "{\"header\":false,\"columns\":{\"a\":1,\"b\":2,\"c\":3},\"trim\":true}", false, WIDE},
    {"csv",
     "{\"delimiter\":\";\",\"quote\":\"'\",\"columns\":{\"a\":\"A\",\"b\":2},\"missing\":[\"-\",\"N/A\"]}",
     false, WIDE},
    {"csv", "{\"delimiter\":\"\\t\",\"quote\":\"\",\"header\":false,\"columns\":{\"b\":2}}", false, NARROW},
    {"json", "{}", false, WIDE},
    {"json", "{\"record\":\"/data/rows\",\"columns\":{\"a\":\"/x/y\"}}", false, WIDE},
    {"json", "{}", true, NARROW},
    {"jsonl", "{}", false, WIDE},
    {"jsonl", "{\"columns\":{\"a\":\"/x/y\",\"b\":\"x.z\"}}", false, WIDE},
    {"jsonl", "{}", true, NARROW},
    {"records", NULL, false, WIDE},
    {"records", NULL, true, NARROW},
    {"xml", "{\"record\":\"Tx\"}", false, WIDE},
    {"xml", "{\"record\":\"/Doc/Tx\",\"columns\":{\"a\":\"@id\",\"b\":\"P/Q\",\"c\":\".\"}}", false, WIDE},
    {"xml", "{\"record\":\"Tx\"}", true, NARROW},
};

/* What a reader said of a source. */
struct told {
    struct place {
        struct mu_locator at;
        struct mu_position next; /* the reader's, behind it */
        size_t words;            /* end of what it said of the record, in `text` */
        size_t state;            /* end of what it takes to go on there, in `states` */
        bool can_cut;            /* nothing else than the position */
    } * records;
    size_t count, room;
    struct mu_text text, states;
    bool header, failed;
    struct mu_position first, end;
    struct mu_error err;
};

struct way {
    size_t piece;                   /* bytes at a time */
    bool empty_last;                /* the end is told by an empty piece */
    bool skip;                      /* only boundaries */
    const struct mu_position *from; /* NULL: the first record */
    struct mu_span state;           /* of the reader that was there; empty: none */
};

static void forget(struct told *t)
{
    free(t->records);
    mu_text_free(&t->text);
    mu_text_free(&t->states);
}

static void note_words(struct mu_text *out, const struct mu_record *rec)
{
    if (rec->bad) {
        mu_text_addf(out, "bad at %lld: %s", (long long)rec->bad_at, rec->bad);
        return;
    }
    for (size_t i = 0; i < rec->count; i++) {
        mu_text_addf(out, "%d:%zu:", (int)rec->values[i].state, rec->values[i].text.len);
        mu_text_add(out, rec->values[i].text);
    }
}

static void note(struct told *t, const struct mu_record *rec, const struct mu_reader *r, bool skip)
{
    FUZZ_HOLDS(t->count < RECORDS_MAX, "there is no end of records");
    if (t->count == t->room) {
        t->room = t->room ? t->room * 2 : 64;
        t->records = realloc(t->records, t->room * sizeof(*t->records));
    }
    if (!skip)
        note_words(&t->text, rec);
    mu_reader_save(r, &t->states);
    t->records[t->count++] =
        (struct place){rec->at, mu_reader_position(r), t->text.len, t->states.len, mu_reader_can_cut(r)};
}

static char *piece_of(struct mu_span bytes, size_t at, size_t n)
{
    char *copy = malloc(n); /* so that a sanitizer sees a step beyond, and what is kept too long */
    if (n)
        memcpy(copy, bytes.at + at, n);
    return copy;
}

static bool read_header(struct told *t, struct mu_reader *r, struct mu_span bytes, const struct way *way)
{
    for (size_t at = 0; !t->header;) {
        const size_t n = bytes.len - at < way->piece ? bytes.len - at : way->piece;
        const bool last = at + n == bytes.len && (!way->empty_last || n == 0);
        char *copy = piece_of(bytes, at, n);
        const bool good = mu_reader_header(r, mu_span(copy, n), last, &t->header, &t->first, &t->err);
        free(copy);
        if (!good)
            return false;
        FUZZ_HOLDS(t->header || !last, "the header is not done with the last bytes");
        at += n;
    }
    FUZZ_HOLDS(t->first.byte_off >= 0 && (size_t)t->first.byte_off <= bytes.len && t->first.record_no == 1 &&
                   t->first.line >= 1,
               "byte %lld, record %lld", (long long)t->first.byte_off, (long long)t->first.record_no);
    return true;
}

static void read_records(struct told *t, struct mu_reader *r, struct mu_span bytes, const struct way *way)
{
    for (size_t at = (size_t)mu_reader_position(r).byte_off;;) {
        const size_t n = bytes.len - at < way->piece ? bytes.len - at : way->piece;
        const bool last = at + n == bytes.len && (!way->empty_last || n == 0);
        char *copy = piece_of(bytes, at, n);
        struct mu_record rec = {0};
        enum mu_read got;
        mu_reader_feed(r, mu_span(copy, n), last);
        while ((got = way->skip ? mu_reader_skip(r, &rec.at, &t->err) : mu_reader_next(r, &rec, &t->err)) ==
               MU_READ_RECORD)
            note(t, &rec, r, way->skip);
        free(copy);
        at += n;
        if (got == MU_READ_MORE && !last)
            continue;
        t->failed = got == MU_READ_FAILED;
        FUZZ_HOLDS(t->failed || got == MU_READ_END, "after the last bytes: %d", (int)got);
        break;
    }
    t->end = mu_reader_position(r);
}

static struct told read_all(const struct description *d, struct mu_span bytes, struct way way)
{
    struct told t = {.text = MU_TEXT(0), .states = MU_TEXT(0)};
    static const bool second[] = {false, true, false};
    MU_AUTO(mu_json_free) json_t *source = NULL;
    MU_AUTO(mu_json_free) json_t *state = NULL;
    MU_AUTO(mu_reader_free) struct mu_reader *r = NULL;
    struct mu_error err = {0};
    FUZZ_HOLDS(!d->source || mu_json_parse(&source, mu_span_of(d->source), 4096, &err), "%s", err.text);
    const struct mu_reader_setup setup = {.source = source,
                                          .columns = columns,
                                          .wanted = d->sparse ? second : NULL,
                                          .column_count = MU_COUNT(columns),
                                          .limits = d->limits};
    FUZZ_HOLDS(mu_reader_open(&r, mu_span_of(d->format), &setup, &err), "%s: %s", d->source, err.text);
    if (read_header(&t, r, bytes, &way)) {
        mu_reader_seek(r, way.from ? *way.from : t.first);
        FUZZ_HOLDS(!way.state.len || mu_json_parse(&state, way.state, (size_t)1 << 20, &err),
                   "the saved state %.*s: %s", FUZZ_SHOW(way.state), err.text);
        FUZZ_HOLDS(!state || mu_reader_restore(r, state, &err), "the saved state %.*s is refused: %s",
                   FUZZ_SHOW(way.state), err.text);
        read_records(&t, r, bytes, &way);
    }
    if (t.failed || !t.header)
        fuzz_refusal(&t.err, d->format);
    return t;
}

static int64_t lines_before(struct mu_span bytes, int64_t end)
{
    int64_t lines = 1;
    for (int64_t i = 0; i < end; i++)
        lines += bytes.at[i] == '\n';
    return lines;
}

/* Records follow each other, within the source. */
static void check_places(const struct description *d, const struct told *t, struct mu_span bytes)
{
    struct mu_position at = t->first;
    for (size_t i = 0; i < t->count; i++) {
        const struct mu_locator *l = &t->records[i].at;
        const struct mu_position next = t->records[i].next;
        FUZZ_HOLDS(l->record_no == at.record_no && next.record_no == l->record_no + 1, "%lld follows %lld",
                   (long long)l->record_no, (long long)at.record_no);
        FUZZ_HOLDS(l->byte_off >= at.byte_off && l->length >= 0 && l->byte_off + l->length <= next.byte_off &&
                       next.byte_off > at.byte_off && next.byte_off <= (int64_t)bytes.len,
                   "record %lld: bytes %lld + %lld, between %lld and %lld of %zu", (long long)l->record_no,
                   (long long)l->byte_off, (long long)l->length, (long long)at.byte_off,
                   (long long)next.byte_off, bytes.len);
        FUZZ_HOLDS(l->line >= at.line && next.line >= l->line, "record %lld: line %lld",
                   (long long)l->record_no, (long long)l->line);
        if (d->source && strcmp(d->format, "csv") == 0)
            FUZZ_HOLDS(l->line == lines_before(bytes, l->byte_off), "record %lld: line %lld",
                       (long long)l->record_no, (long long)l->line);
        FUZZ_HOLDS((size_t)l->length <= d->limits.record_bytes, "record %lld is longer than the limit",
                   (long long)l->record_no);
        at = next;
    }
    FUZZ_HOLDS(t->failed || !t->header ||
                   (t->end.byte_off >= at.byte_off && t->end.byte_off <= (int64_t)bytes.len),
               "the end is at byte %lld, behind %lld", (long long)t->end.byte_off, (long long)at.byte_off);
}

/* What it said of record `at`, from 0. */
static struct mu_span words(const struct told *t, size_t at)
{
    const size_t begin = at ? t->records[at - 1].words : 0;
    return t->text.len ? mu_span(t->text.at + begin, t->records[at].words - begin) : mu_span("", 0);
}

static struct mu_span state_behind(const struct told *t, size_t count)
{
    const size_t begin = count > 1 ? t->records[count - 2].state : 0;
    return t->states.len ? mu_span(t->states.at + begin, t->records[count - 1].state - begin)
                         : mu_span("", 0);
}

/* `other` says the same from record `from` on. */
static void check_same(const struct told *t, const struct told *other, size_t from, bool skip,
                       const char *how)
{
    FUZZ_HOLDS(t->header == other->header && memcmp(&t->first, &other->first, sizeof(t->first)) == 0,
               "%s: the header", how);
    const size_t both = t->count - from < other->count ? t->count - from : other->count;
    for (size_t i = 0; i < both; i++)
        FUZZ_HOLDS(
            memcmp(&t->records[from + i].at, &other->records[i].at, sizeof(t->records->at)) == 0 &&
                memcmp(&t->records[from + i].next, &other->records[i].next, sizeof(t->records->next)) == 0,
            "%s: record %zu at byte %lld or %lld", how, from + i + 1,
            (long long)t->records[from + i].at.byte_off, (long long)other->records[i].at.byte_off);
    if (skip && t->failed) /* fields are not counted when boundaries are looked for: those may go on */
        return;
    FUZZ_HOLDS(t->count - from == other->count && t->failed == other->failed, "%s: %zu records%s, of %zu%s",
               how, other->count, other->failed ? ", failed" : "", t->count - from,
               t->failed ? ", failed" : "");
    /* of several things that are wrong at one place expat tells the one that it comes to, by how many bytes
     * it sees */
    const bool xml = strcmp(FUZZ_FORMAT, "xml") == 0;
    FUZZ_HOLDS(strcmp(t->err.code, other->err.code) == 0 || xml, "%s: \"%s\" or \"%s\"", how, t->err.text,
               other->err.text);
    FUZZ_HOLDS(strcmp(t->err.text, other->err.text) == 0 || xml, "%s: \"%s\" or \"%s\"", how, t->err.text,
               other->err.text);
    FUZZ_HOLDS(t->failed || memcmp(&t->end, &other->end, sizeof(t->end)) == 0,
               "%s: the end at byte %lld or %lld", how, (long long)t->end.byte_off,
               (long long)other->end.byte_off);
    for (size_t i = 0; !skip && i < other->count; i++)
        FUZZ_HOLDS(mu_span_equal(words(t, from + i), words(other, i)), "%s: record %zu is %.*s, not %.*s",
                   how, from + i + 1, FUZZ_SHOW(words(other, i)), FUZZ_SHOW(words(t, from + i)));
}

static void compare(const struct description *d, struct mu_span bytes, const struct told *whole,
                    struct way way, size_t from, const char *how)
{
    struct told other = read_all(d, bytes, way);
    check_same(whole, &other, from, way.skip, how);
    forget(&other);
}

static void check(const struct description *d, struct mu_span bytes, size_t piece, uint8_t stop)
{
    struct told whole = read_all(d, bytes, (struct way){.piece = SIZE_MAX});
    check_places(d, &whole, bytes);
    compare(d, bytes, &whole, (struct way){.piece = piece}, 0, "in pieces");
    compare(d, bytes, &whole, (struct way){.piece = SIZE_MAX, .empty_last = true}, 0, "with an empty end");
    compare(d, bytes, &whole, (struct way){.piece = SIZE_MAX, .skip = true}, 0, "boundaries");
    compare(d, bytes, &whole, (struct way){.piece = piece, .skip = true, .empty_last = true}, 0,
            "boundaries in pieces");
    if (whole.count) {
        const size_t from = stop % whole.count + 1;
        const struct mu_position at = whole.records[from - 1].next;
        const struct mu_span state = state_behind(&whole, from);
        compare(d, bytes, &whole, (struct way){.piece = SIZE_MAX, .from = &at, .state = state}, from,
                "gone on");
        compare(d, bytes, &whole, (struct way){.piece = piece, .skip = true, .from = &at, .state = state},
                from, "boundaries gone on");
        if (whole.records[from - 1].can_cut)
            compare(d, bytes, &whole, (struct way){.piece = piece, .from = &at}, from, "cut");
    }
    forget(&whole);
}

/* Every reader that there is has a target: FUZZ_FORMATS are those that the build makes. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    bool known = false;
    for (size_t i = 0; mu_reader_format(i); i++) {
        FUZZ_HOLDS(strstr(" " FUZZ_FORMATS " ", mu_reader_format(i)),
                   "tests/fuzz/meson.build has no target for %s", mu_reader_format(i));
        known = known || strcmp(mu_reader_format(i), FUZZ_FORMAT) == 0;
    }
    FUZZ_HOLDS(known, "no reader of %s", FUZZ_FORMAT);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mu_span bytes = mu_span((const char *)data, size);
    const struct fuzz_choices choices = fuzz_choices(&bytes);
    const struct description *mine[MU_COUNT(descriptions)];
    size_t count = 0;
    for (size_t i = 0; i < MU_COUNT(descriptions); i++)
        if (strcmp(descriptions[i].format, FUZZ_FORMAT) == 0)
            mine[count++] = &descriptions[i];
    FUZZ_HOLDS(count, "no description of %s", FUZZ_FORMAT);
    check(mine[choices.at[0] % count], bytes, 1u + choices.at[1], choices.at[2]);
    for (size_t i = 0; fuzz_replays && !choices.made && i < count; i++)
        check(mine[i], bytes, bytes.len < 4096 ? 1 : 777, 0);
    return 0;
}

const char *fuzz_make(size_t index, struct mu_text *out)
{
    static const struct {
        const char *name, *format, *begin, *again, *end;
        int times;
    } made[] = {
        {"one long line", "csv", "a,b\n", "xxxxxxxxxxxxxxxx", "", 1 << 14},
        {"a quote that is never closed", "csv", "a,b\n\"", "x\ny,z\"\"", "", 1 << 14},
        {"a hundred thousand fields", "csv", "a,b\n", ",", "\n", 100000},
        {"a hundred thousand levels", "records", "[", "[", "", 100000},
        {"a hundred thousand levels of objects", "records", "[", "{\"a\":", "", 100000},
        {"a long text", "records", "[{\"a\":\"", "\\u00e9", "\"}]", 100000},
        {"a hundred thousand levels", "json", "[", "[", "", 100000},
        {"a hundred thousand levels of objects", "json", "[", "{\"a\":", "", 100000},
        {"a long text", "json", "[{\"a\":\"", "\\u00e9", "\"}]", 100000},
        {"a hundred thousand levels", "jsonl", "", "{\"a\":", "\n", 100000},
        {"a long text", "jsonl", "{\"a\":\"", "\\u00e9", "\"}\n", 100000},
        {"a hundred thousand levels", "xml", "<Doc>", "<Tx>", "", 100000},
        {"a huge attribute", "xml", "<Doc><Tx a=\"", "0123456789", "\"/></Doc>", 100000},
        {"a hundred thousand attributes that are one", "xml", "<Doc><Tx", " a='1'", "/></Doc>", 100000},
    };
    for (size_t i = 0; i < MU_COUNT(made); i++) {
        if (strcmp(made[i].format, FUZZ_FORMAT) != 0 || index--)
            continue;
        mu_text_puts(out, made[i].begin);
        for (int k = 0; k < made[i].times; k++)
            mu_text_puts(out, made[i].again);
        mu_text_puts(out, made[i].end);
        return made[i].name;
    }
    return NULL;
}
