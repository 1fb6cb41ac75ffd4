/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/xml_path.h"
#include "engine/readers/xml_tree.h"

static bool refuse(struct mu_span text, struct mu_error *err)
{
    (void)mu_reject(err, "bad_task", "/source/record", "\"%.*s\" names no element",
                    (int)(text.len < 80 ? text.len : 80), text.at ? text.at : "");
    return mu_hint(err, "say which element is a record: \"Tx\", \"/Document/Rpt/Tx\" or \"{urn:x}Tx\"");
}

bool xml_path_parse(struct xml_path *out, struct mu_span text, struct mu_error *err)
{
    struct xml_path p = {.rooted = text.len && text.at[0] == '/'};
    struct mu_span rest = p.rooted ? mu_span(text.at + 1, text.len - 1) : text;
    if (!rest.len || rest.at[rest.len - 1] == '/')
        return refuse(text, err);
    while (rest.len) {
        if (p.count == XML_PATH_STEPS_MAX)
            return mu_reject(err, "bad_task", "/source/record", "the path has more than %d steps",
                             XML_PATH_STEPS_MAX);
        if (!xml_name_parse(xml_path_step(&rest), &p.steps[p.count++]))
            return refuse(text, err);
    }
    if (!p.rooted && p.count > 1)
        return refuse(text, err);
    *out = p;
    return true;
}

bool xml_path_open(struct xml_path *p, size_t depth, const char *name, const struct xml_scope *scope)
{
    if (p->rooted && (p->matched != depth || depth >= p->count))
        return false;
    const struct xml_qname q = xml_qname(name);
    if (!xml_name_is(&p->steps[p->rooted ? depth : 0], &q, true, scope))
        return false;
    if (!p->rooted || depth + 1 == p->count)
        return true;
    p->matched++;
    return false;
}

void xml_path_close(struct xml_path *p, size_t depth)
{
    if (p->matched > depth)
        p->matched = depth;
}

void xml_path_write(const struct xml_path *p, int64_t number, struct mu_text *out)
{
    mu_text_putc(out, '(');
    if (!p->rooted)
        mu_text_putc(out, '/');
    for (size_t i = 0; i < p->count; i++) {
        mu_text_putc(out, '/');
        mu_text_add(out, p->steps[i].local);
    }
    mu_text_puts(out, ")[");
    mu_text_add_i64(out, number);
    mu_text_putc(out, ']');
}
