/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/formats.h"
#include "base/clock.h"
#include "engine/pack.h"

#define PATTERN_MAX 64
#define OFFSET_MAX 8
#define SIGN_MAX 4 /* bytes of a separator: one character */
#define CANONICAL_MAX 96

enum part { PART_YEAR, PART_MONTH, PART_DAY, PART_HOUR, PART_MINUTE, PART_SECOND, PART_COUNT, PART_LITERAL };
static const struct {
    const char *token;
    int place; /* within 0000-00-00T00:00:00 */
} parts[PART_COUNT] = {{"YYYY", 0}, {"MM", 5}, {"DD", 8}, {"hh", 11}, {"mm", 14}, {"ss", 17}};

enum kind { KIND_NONE, KIND_DATE, KIND_TIME, KIND_DECIMAL };
struct step {
    enum part part;
    char literal;
};
struct format {
    enum kind kind;
    struct step steps[PATTERN_MAX]; /* of a date or time */
    size_t count;
    bool utc;                   /* the pattern ends in Z */
    struct mu_span group, mark; /* of an amount, borrowed from the source; group may be empty */
    bool zoned;                 /* a time without an offset gets that of the source */
    char text[CANONICAL_MAX];
};
struct formats {
    char offset[OFFSET_MAX]; /* "Z", "+01:00" or "" */
    size_t count;
    struct format of[];
};

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* The token at the beginning of the text, or a literal. */
static enum part part_at(struct mu_span text)
{
    for (size_t i = 0; i < PART_COUNT; i++) {
        const size_t len = strlen(parts[i].token);
        if (text.len >= len && memcmp(text.at, parts[i].token, len) == 0)
            return (enum part)i;
    }
    return PART_LITERAL;
}

/* NULL, or what is wrong. */
static const char *parse_pattern(struct format *f, struct mu_span text)
{
    int seen[PART_COUNT] = {0};
    f->utc = text.at[text.len - 1] == 'Z';
    for (size_t at = 0; at < text.len;) {
        const enum part part = part_at(mu_span(text.at + at, text.len - at));
        if (part == PART_LITERAL && strchr("YMDhms0123456789", text.at[at]))
            return "a pattern is made of YYYY, MM, DD, hh, mm, ss and separators";
        if (part != PART_LITERAL && seen[part]++)
            return "a part stands twice in the pattern";
        f->steps[f->count++] = (struct step){part, text.at[at]};
        at += part == PART_LITERAL ? 1 : strlen(parts[part].token);
    }
    if (!seen[PART_YEAR] || !seen[PART_MONTH] || !seen[PART_DAY])
        return "a date needs YYYY, MM and DD";
    if (seen[PART_HOUR] != seen[PART_MINUTE] || seen[PART_SECOND] > seen[PART_MINUTE])
        return "a time needs hh and mm";
    f->kind = seen[PART_HOUR] ? KIND_TIME : KIND_DATE;
    return NULL;
}

static bool is_separator(struct mu_span text)
{
    static const char other[] = "+-0123456789";
    if (text.len > SIGN_MAX)
        return false;
    for (size_t i = 0; i < text.len; i++)
        if (!text.at[i] || strchr(other, text.at[i]))
            return false;
    return true;
}

/* "1", separator of thousands, "234", separator of decimals, "56". */
static const char *parse_amount(struct format *f, struct mu_span text)
{
    static const char wrong[] = "an amount is written as 1234.56 is: \"1.234,56\", \"1 234,56\", \"1234,56\"";
    const char *middle = memmem(text.at, text.len, "234", 3);
    if (!middle || text.len < 7 || text.at[0] != '1' || memcmp(text.at + text.len - 2, "56", 2) != 0)
        return wrong;
    const char *end = text.at + text.len - 2;
    if (middle + 3 >= end)
        return wrong;
    f->group = mu_span(text.at + 1, (size_t)(middle - text.at - 1));
    f->mark = mu_span(middle + 3, (size_t)(end - middle - 3));
    f->kind = KIND_DECIMAL;
    return is_separator(f->group) && is_separator(f->mark) && !mu_span_equal(f->group, f->mark) ? NULL
                                                                                                : wrong;
}

/* NULL, or why values of the column cannot be written so. */
static const char *fits_type(const struct formats *all, const struct format *f, enum mu_type type)
{
    switch (type) {
    case MU_TYPE_TEXT:
        return NULL;
    case MU_TYPE_BOOL:
        return "a column of bools has no format";
    case MU_TYPE_DECIMAL:
        return f->kind == KIND_DECIMAL ? NULL : "the column holds decimals: write the format as 1.234,56";
    case MU_TYPE_DATE:
        return f->kind == KIND_DATE ? NULL
                                    : "the column holds dates: the format has YYYY, MM and DD, and no time";
    case MU_TYPE_TIMESTAMP:
        if (f->kind != KIND_TIME)
            return "the column holds timestamps: the format has YYYY, MM, DD, hh and mm";
        return f->utc || all->offset[0] ? NULL
                                        : "a time needs an offset: end the format with Z, or name a \"zone\"";
    case MU_TYPE_DURATION:
    case MU_TYPE_MISSING:
        break; /* no column is of these */
    }
    return NULL;
}

static bool parse_zone(struct formats *f, const json_t *source, struct mu_error *err)
{
    const struct mu_span zone = mu_json_span(source, "zone");
    int64_t us;
    char sample[MU_RFC3339_MAX] = "2026-01-01T00:00:00";
    if (!zone.at)
        return true;
    if (mu_span_is(zone, "UTC") || mu_span_is(zone, "Z"))
        return mu_copy_text(f->offset, sizeof(f->offset), mu_span_of("Z"));
    if (mu_copy_text(sample + 19, sizeof(sample) - 19, zone) && zone.len == 6 &&
        mu_rfc3339_parse(mu_span_of(sample), &us))
        return mu_copy_text(f->offset, sizeof(f->offset), zone);
    (void)mu_reject(err, "bad_task", "/source/zone",
                    "the zone \"%.40s\" is no fixed offset; zones by name are not known", zone.at);
    return mu_hint(
        err,
        "say \"UTC\" or an offset like \"+01:00\"; times that change with the season need one of their own");
}

static bool find_column(const struct mu_reader_setup *setup, const char *name, size_t *out)
{
    for (*out = 0; *out < setup->column_count; ++*out)
        if (strcmp(setup->columns[*out], name) == 0)
            return true;
    return false;
}

static bool parse_format(struct formats *f, const struct mu_reader_setup *setup, const char *name,
                         const json_t *text, struct mu_error *err)
{
    char pointer[160];
    size_t column;
    (void)snprintf(pointer, sizeof(pointer), "/source/formats/%.100s", name);
    if (!find_column(setup, name, &column))
        return mu_reject(err, "bad_task", pointer, "the pack has no column \"%.60s\"", name);
    const struct mu_span format = mu_span(json_string_value(text), json_string_length(text));
    if (!format.len || format.len > PATTERN_MAX)
        return mu_reject(err, "bad_task", pointer, "a format is a text of 1 to %d bytes", PATTERN_MAX);
    const char *wrong =
        format.at[0] == '1' ? parse_amount(&f->of[column], format) : parse_pattern(&f->of[column], format);
    if (!wrong && setup->typed)
        wrong = fits_type(f, &f->of[column], setup->typed[column].type);
    if (!wrong)
        return true;
    (void)mu_reject(err, "bad_task", pointer, "the format \"%.64s\" is not understood: %s", format.at, wrong);
    return mu_hint(err, "dates \"DD.MM.YYYY\", times \"YYYYMMDD hh:mm:ss\", amounts \"1.234,56\"");
}

bool formats_open(struct formats **out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    json_t *formats = json_object_get(setup->source, "formats");
    const char *name;
    json_t *text;
    if (!json_object_size(formats) && !json_object_get(setup->source, "zone")) {
        *out = NULL;
        return true;
    }
    MU_AUTO(mu_free) struct formats *f = calloc(1, sizeof(*f) + setup->column_count * sizeof(f->of[0]));
    if (!f)
        return mu_fail(err, MU_BROKEN, "out of memory");
    f->count = setup->column_count;
    if (!parse_zone(f, setup->source, err))
        return false;
    json_object_foreach(formats, name, text)
    {
        if (!parse_format(f, setup, name, text, err))
            return false;
    }
    for (size_t i = 0; i < f->count; i++)
        f->of[i].zoned = f->offset[0] && (f->of[i].kind == KIND_TIME ||
                                          (setup->typed && setup->typed[i].type == MU_TYPE_TIMESTAMP));
    *out = MU_GIVE(f);
    return true;
}

/* By the pattern into 0000-00-00T00:00:00; the calendar is looked at afterwards. */
static bool take_parts(const struct format *f, struct mu_span text, char *to)
{
    size_t at = 0;
    memcpy(to, "0000-00-00T00:00:00", 19);
    for (size_t i = 0; i < f->count; i++) {
        const struct step *s = &f->steps[i];
        if (s->part == PART_LITERAL) {
            if (at == text.len || text.at[at++] != s->literal)
                return false;
            continue;
        }
        const size_t len = strlen(parts[s->part].token);
        if (text.len - at < len)
            return false;
        for (size_t k = 0; k < len; k++) {
            if (!is_digit(text.at[at + k]))
                return false;
            to[parts[s->part].place + (int)k] = text.at[at + k];
        }
        at += len;
    }
    return at == text.len;
}

static bool read_date(struct format *f, struct mu_span *text)
{
    int32_t days;
    if (!take_parts(f, *text, f->text) || !mu_date_parse(mu_span(f->text, 10), &days))
        return false;
    *text = mu_span(f->text, 10);
    return true;
}

static bool read_time(struct format *f, const char *offset, struct mu_span *text)
{
    int64_t us;
    if (!take_parts(f, *text, f->text))
        return false;
    f->text[19] = 'Z';
    if (!mu_rfc3339_parse(mu_span(f->text, 20), &us))
        return false;
    const char *end = f->utc ? "Z" : offset;
    memcpy(f->text + 19, end, strlen(end));
    *text = mu_span(f->text, 19 + strlen(end));
    return true;
}

static bool begins_with(struct mu_span text, struct mu_span with)
{
    return with.len && text.len >= with.len && memcmp(text.at, with.at, with.len) == 0;
}

/* Thousands are separated everywhere or nowhere. */
static bool read_amount(struct format *f, struct mu_span *text)
{
    size_t len = 0, digits = 0, whole = 0;
    bool grouped = false, marked = false;
    for (size_t at = 0; at < text->len;) {
        const struct mu_span rest = mu_span(text->at + at, text->len - at);
        if (len == CANONICAL_MAX)
            return false;
        if (is_digit(rest.at[0])) {
            f->text[len++] = rest.at[0];
            digits++;
            whole++;
            at++;
        } else if (at == 0 && (rest.at[0] == '-' || rest.at[0] == '+')) {
            f->text[len++] = rest.at[0];
            at++;
        } else if (!marked && begins_with(rest, f->mark)) {
            if (grouped && digits != 3)
                return false;
            marked = true;
            f->text[len++] = '.';
            at += f->mark.len;
        } else if (!marked && begins_with(rest, f->group) &&
                   (grouped ? digits == 3 : digits >= 1 && digits <= 3)) {
            grouped = true;
            digits = 0;
            at += f->group.len;
        } else {
            return false;
        }
    }
    if (!whole || (grouped && !marked && digits != 3))
        return false;
    *text = mu_span(f->text, len);
    return true;
}

/* 2026-03-02T14:00:00 or with a fraction, and no offset. */
static bool lacks_offset(struct mu_span text)
{
    size_t at = 19;
    if (text.len < 19 || text.len > 40 || text.at[10] != 'T')
        return false;
    if (at < text.len && text.at[at] == '.')
        for (at++; at < text.len && is_digit(text.at[at]);)
            at++;
    return at == text.len && is_digit(text.at[at - 1]);
}

void formats_apply(struct formats *all, size_t column, struct mu_value *v)
{
    struct format *f = &all->of[column];
    bool read = true;
    switch (f->kind) {
    case KIND_NONE:
        if (f->zoned && lacks_offset(v->text)) {
            const size_t len = strlen(all->offset);
            memcpy(f->text, v->text.at, v->text.len);
            memcpy(f->text + v->text.len, all->offset, len);
            v->text = mu_span(f->text, v->text.len + len);
        }
        break;
    case KIND_DATE:
        read = read_date(f, &v->text);
        break;
    case KIND_TIME:
        read = read_time(f, all->offset, &v->text);
        break;
    case KIND_DECIMAL:
        read = read_amount(f, &v->text);
        break;
    }
    if (!read)
        v->state = MU_VALUE_INVALID;
}

bool formats_is_amount(const struct formats *f, size_t column)
{
    return f->of[column].kind == KIND_DECIMAL;
}

void formats_free(struct formats *f)
{
    free(f);
}
