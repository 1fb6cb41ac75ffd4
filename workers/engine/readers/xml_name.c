/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/xml_name.h"

#include <assert.h>

static uint64_t word_of(struct mu_span text)
{
    uint64_t word = 0;
    if (text.len >= sizeof(word)) {
        memcpy(&word, text.at, sizeof(word));
        return word;
    }
    for (size_t i = 0; i < text.len; i++)
        word |= (uint64_t)(unsigned char)text.at[i] << 8 * i;
    return word;
}

struct xml_qname xml_qname(const char *name)
{
    size_t len = 0, from = 0; /* names are short: one loop is faster than two calls */
    for (; name[len]; len++)
        if (name[len] == ':' && !from)
            from = len + 1;
    const struct mu_span local = mu_span(name + from, len - from);
    return (struct xml_qname){mu_span(name, from ? from - 1 : 0), local, word_of(local)};
}

static bool is_name_byte(char c, bool first)
{
    if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (unsigned char)c >= 0x80)
        return true;
    return !first && ((c >= '0' && c <= '9') || c == '-' || c == '.');
}

bool xml_name_parse(struct mu_span text, struct xml_name *out)
{
    struct xml_name name = {.any = true};
    if (text.len && text.at[0] == '{') {
        const char *end = memchr(text.at, '}', text.len);
        if (!end)
            return false;
        name.any = false;
        name.space = mu_span(text.at + 1, (size_t)(end - text.at) - 1);
        text = mu_span(end + 1, text.len - name.space.len - 2);
    }
    for (size_t i = 0; i < text.len; i++)
        if (!is_name_byte(text.at[i], i == 0))
            return false;
    name.local = text;
    name.word = text.len ? word_of(text) : 0;
    *out = name;
    return text.len > 0;
}

bool xml_is_declaration(const char *attribute)
{
    return strncmp(attribute, "xmlns", 5) == 0 && (attribute[5] == '\0' || attribute[5] == ':');
}

static struct mu_span find_space(const struct xml_scope *s, struct mu_span prefix)
{
    for (size_t i = s->count; i-- > 0;) {
        const struct xml_binding *b = &s->bindings[i];
        const char *attribute = s->text.at + b->attribute;
        const struct mu_span bound = mu_span_of(attribute[5] == ':' ? attribute + 6 : "");
        if (mu_span_equal(bound, prefix))
            return mu_span(s->text.at + b->value, b->end - b->value);
    }
    return mu_span(NULL, 0);
}

bool xml_name_is(const struct xml_name *name, const struct xml_qname *q, bool element,
                 const struct xml_scope *scope)
{
    if (name->word != q->word || name->local.len != q->local.len ||
        (q->local.len > sizeof(q->word) && memcmp(name->local.at, q->local.at, q->local.len) != 0))
        return false;
    if (name->any)
        return true;
    if (!element && !q->prefix.len)
        return !name->space.len;
    return mu_span_equal(name->space, find_space(scope, q->prefix));
}

static bool add_binding(struct xml_scope *s, const char *attribute, const char *value)
{
    if (s->count == s->room) {
        const size_t room = s->room ? s->room * 2 : 16;
        struct xml_binding *more = realloc(s->bindings, room * sizeof(*more));
        if (!more)
            return false;
        s->bindings = more;
        s->room = room;
    }
    struct xml_binding *b = &s->bindings[s->count];
    b->attribute = s->text.len;
    mu_text_puts(&s->text, attribute);
    mu_text_putc(&s->text, '\0');
    b->value = s->text.len;
    mu_text_puts(&s->text, value);
    b->end = s->text.len;
    s->count += !s->text.failed;
    return !s->text.failed;
}

bool xml_scope_open(struct xml_scope *s, const char *const *attributes)
{
    assert(s->levels <= XML_DEPTH_MAX);
    s->marks[s->levels++] = s->count;
    for (; *attributes; attributes += 2)
        if (xml_is_declaration(attributes[0]) && !add_binding(s, attributes[0], attributes[1]))
            return false;
    return true;
}

void xml_scope_close(struct xml_scope *s)
{
    const size_t count = s->marks[--s->levels];
    if (count < s->count)
        mu_text_cut(&s->text, s->bindings[count].attribute);
    s->count = count;
}

void xml_scope_fini(struct xml_scope *s)
{
    mu_text_free(&s->text);
    free(s->bindings);
    s->bindings = NULL;
}
