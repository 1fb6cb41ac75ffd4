/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/xml_plain.h"

#define ATTRIBUTES_MAX 8

struct walk {
    struct xml_plain *x;
    struct mu_span bytes;
    size_t at;
    struct xml_record *record;
    struct mu_span open[XML_DEPTH_MAX];
    size_t depth, fields;
    bool text; /* it is asked for */
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\n';
}

static bool is_name_byte(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

/* Text with bytes beyond ASCII: UTF-8, and none of the two last characters of plane 0, which XML does not
 * have. */
static bool is_plain(const struct xml_plain *x, struct mu_span text)
{
    size_t bad;
    if (!x->utf8 || !mu_utf8_valid(text, &bad))
        return false;
    for (size_t i = 0; i + 2 < text.len; i++)
        if (memcmp(text.at + i, "\xef\xbf", 2) == 0 && (unsigned char)text.at[i + 2] > 0xBD)
            return false;
    return true;
}

static bool take_name(struct walk *w, struct mu_span *name)
{
    const size_t from = w->at;
    while (w->at < w->bytes.len && is_name_byte(w->bytes.at[w->at]))
        w->at++;
    *name = mu_span(w->bytes.at + from, w->at - from);
    const char first = name->len ? name->at[0] : '-';
    return w->at < w->bytes.len &&
           ((first >= 'a' && first <= 'z') || (first >= 'A' && first <= 'Z') || first == '_');
}

/* name="value"; both are put into words. */
static bool take_attribute(struct walk *w, struct mu_span *name)
{
    if (!take_name(w, name) || w->bytes.len - w->at < 3 || w->bytes.at[w->at] != '=' ||
        (name->len >= 5 && memcmp(name->at, "xmlns", 5) == 0))
        return false;
    const char quote = w->bytes.at[w->at + 1];
    const size_t from = w->at += 2;
    if (quote != '"' && quote != '\'')
        return false;
    unsigned char seen = 0;
    while (w->at < w->bytes.len && w->bytes.at[w->at] != quote) {
        const unsigned char c = (unsigned char)w->bytes.at[w->at++];
        if (c < ' ' || c == '<' || c == '&')
            return false;
        seen |= c;
    }
    if (w->at == w->bytes.len || (seen >= 0x80 && !is_plain(w->x, mu_span(w->bytes.at + from, w->at - from))))
        return false;
    mu_text_add(&w->x->words, *name);
    mu_text_putc(&w->x->words, '\0');
    mu_text_add(&w->x->words, mu_span(w->bytes.at + from, w->at - from));
    mu_text_putc(&w->x->words, '\0');
    w->at++;
    return true;
}

/* Up to the tag's end; *count attributes are in words, behind the element's name. */
static bool take_attributes(struct walk *w, size_t *count)
{
    struct mu_span names[ATTRIBUTES_MAX];
    for (*count = 0;; ++*count) {
        const size_t from = w->at;
        while (w->at < w->bytes.len && is_blank(w->bytes.at[w->at]))
            w->at++;
        if (w->at == w->bytes.len)
            return false;
        if (w->bytes.at[w->at] == '>' || w->bytes.at[w->at] == '/')
            return true;
        if (from == w->at || *count == ATTRIBUTES_MAX || !take_attribute(w, &names[*count]))
            return false;
        for (size_t i = 0; i < *count; i++)
            if (mu_span_equal(names[i], names[*count]))
                return false;
    }
}

static void tell_start(struct walk *w, size_t count)
{
    const char *attributes[2 * ATTRIBUTES_MAX + 1], *word = w->x->words.at;
    for (size_t i = 0; i < 2 * count; i++)
        attributes[i] = word = word + strlen(word) + 1;
    attributes[2 * count] = NULL;
    w->text = w->depth == 1 ? xml_record_begin(w->record, attributes)
                            : xml_record_start(w->record, w->x->words.at, attributes);
}

static void close_element(struct walk *w)
{
    w->depth--;
    if (w->record && w->depth)
        w->text = xml_record_end(w->record);
}

/* A start tag, its bracket just passed. */
static bool take_start(struct walk *w)
{
    struct mu_span name;
    size_t count;
    if (w->depth == w->x->most_depth || !take_name(w, &name))
        return false;
    mu_text_reset(&w->x->words);
    mu_text_add(&w->x->words, name);
    mu_text_putc(&w->x->words, '\0');
    if (!take_attributes(w, &count) || w->x->words.failed)
        return false;
    w->fields += 1 + count;
    w->open[w->depth++] = name;
    if (w->record)
        tell_start(w, count);
    if (w->bytes.at[w->at++] == '>')
        return true;
    if (w->at == w->bytes.len || w->bytes.at[w->at++] != '>')
        return false;
    close_element(w);
    return true;
}

/* An end tag, its slash just passed. */
static bool take_end(struct walk *w)
{
    const struct mu_span name = w->open[w->depth - 1];
    if (w->bytes.len - w->at <= name.len || memcmp(w->bytes.at + w->at, name.at, name.len) != 0 ||
        w->bytes.at[w->at + name.len] != '>')
        return false;
    w->at += name.len + 1;
    close_element(w);
    return true;
}

/* Character data up to the next tag, whose bracket is passed. */
static bool take_text(struct walk *w)
{
    const size_t from = w->at;
    unsigned char seen = 0;
    for (; w->at < w->bytes.len && w->bytes.at[w->at] != '<'; w->at++) {
        const unsigned char c = (unsigned char)w->bytes.at[w->at];
        seen |= c;
        if (c == '&' || c == ']' || (c < ' ' && c != '\n' && c != '\t'))
            return false;
    }
    if (w->bytes.len - w->at < 2 ||
        (seen >= 0x80 && !is_plain(w->x, mu_span(w->bytes.at + from, w->at - from))))
        return false;
    if (w->record && w->text && w->at > from)
        xml_record_text(w->record, mu_span(w->bytes.at + from, w->at - from));
    w->at++;
    return true;
}

static int64_t lines_in(struct mu_span bytes)
{
    int64_t lines = 0;
    for (size_t i = 0; i < bytes.len; i++)
        lines += bytes.at[i] == '\n';
    return lines;
}

bool xml_plain_read(struct xml_plain *x, struct mu_span bytes, struct mu_span name, struct xml_record *record,
                    size_t *used)
{
    struct walk w; /* its stack is large: only what is used of it is set */
    w.x = x;
    w.bytes = bytes.len > x->most_bytes ? mu_span(bytes.at, x->most_bytes) : bytes;
    w.record = record;
    w.depth = w.fields = 0;
    w.text = false;
    if (w.bytes.len < name.len + 3 || bytes.at[0] != '<' || memcmp(bytes.at + 1, name.at, name.len) != 0 ||
        is_name_byte(bytes.at[name.len + 1]))
        return false;
    w.at = 1;
    if (!take_start(&w))
        return false;
    while (w.depth) {
        if (!take_text(&w))
            return false;
        if (w.bytes.at[w.at] == '/') {
            w.at++;
            if (!take_end(&w))
                return false;
        } else if (!take_start(&w)) {
            return false;
        }
    }
    if (w.fields > x->most_fields)
        return false;
    x->lines = lines_in(mu_span(bytes.at, w.at));
    *used = w.at;
    return true;
}
