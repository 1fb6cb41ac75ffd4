/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/xml_open.h"
#include "format/json.h"

void xml_open_init(struct xml_open *o)
{
    *o = (struct xml_open){.names = MU_TEXT(XML_OPEN_BYTES_MAX), .scope.text = MU_TEXT(XML_OPEN_BYTES_MAX)};
}

void xml_open_clear(struct xml_open *o)
{
    o->depth = o->scope.levels = o->scope.count = 0;
    mu_text_reset(&o->names);
    mu_text_reset(&o->scope.text);
}

bool xml_open_push(struct xml_open *o, const char *name, const char *const *attributes)
{
    mu_text_puts(&o->names, name);
    o->ends[o->depth++] = o->names.len;
    return !o->names.failed && xml_scope_open(&o->scope, attributes);
}

void xml_open_pop(struct xml_open *o)
{
    xml_scope_close(&o->scope);
    o->depth--;
    mu_text_cut(&o->names, o->depth ? o->ends[o->depth - 1] : 0);
}

void xml_open_write(const struct xml_open *o, struct mu_text *out)
{
    const struct xml_scope *s = &o->scope;
    mu_text_putc(out, '[');
    for (size_t i = 0, from = 0; i < o->depth; from = o->ends[i++]) {
        mu_text_puts(out, i ? ",[" : "[");
        mu_text_add_json(out, mu_span(o->names.at + from, o->ends[i] - from));
        const size_t to = i + 1 < s->levels ? s->marks[i + 1] : s->count;
        for (size_t k = s->marks[i]; k < to; k++) {
            const struct xml_binding *b = &s->bindings[k];
            mu_text_putc(out, ',');
            mu_text_add_json(out, mu_span_of(s->text.at + b->attribute));
            mu_text_putc(out, ',');
            mu_text_add_json(out, mu_span(s->text.at + b->value, b->end - b->value));
        }
        mu_text_putc(out, ']');
    }
    mu_text_putc(out, ']');
}

static void put_value(struct mu_span value, struct mu_text *out)
{
    for (size_t i = 0; i < value.len; i++) {
        const char c = value.at[i];
        if (c == '&' || c == '<' || c == '"' || (unsigned char)c < 0x20)
            mu_text_addf(out, "&#%d;", c);
        else
            mu_text_putc(out, c);
    }
}

static bool put_tag(const json_t *element, struct mu_text *out)
{
    const size_t size = json_array_size(element);
    if (size % 2 == 0)
        return false;
    mu_text_putc(out, '<');
    for (size_t i = 0; i < size; i++) {
        const json_t *item = json_array_get(element, i);
        const struct mu_span text = mu_span(json_string_value(item), json_string_length(item));
        if (!text.at)
            return false;
        if (i && i % 2 == 0) {
            mu_text_puts(out, "=\"");
            put_value(text, out);
            mu_text_putc(out, '"');
        } else {
            mu_text_puts(out, i ? " " : "");
            mu_text_add(out, text);
        }
    }
    mu_text_putc(out, '>');
    return true;
}

bool xml_open_tags(struct mu_span written, enum encoding encoding, struct mu_text *out)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    MU_AUTO(mu_text_free) struct mu_text tags = MU_TEXT(0);
    if (mu_span_is(written, XML_OPEN_OVER)) {
        mu_text_puts(out, "<over/>");
        return !out->failed;
    }
    if (!mu_json_parse(&doc, written, XML_OPEN_BYTES_MAX * 16, NULL) || !json_is_array(doc) ||
        json_array_size(doc) > XML_DEPTH_MAX)
        return false;
    for (size_t i = 0; i < json_array_size(doc); i++)
        if (!put_tag(json_array_get(doc, i), &tags))
            return false;
    return !tags.failed && encoding_encode(encoding, mu_text_span(&tags), out) && !out->failed;
}

void xml_open_fini(struct xml_open *o)
{
    mu_text_free(&o->names);
    xml_scope_fini(&o->scope);
}
