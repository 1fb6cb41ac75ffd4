/* SPDX-License-Identifier: Apache-2.0 */
/* Along the open elements of the record goes a stack of the tree's nodes that they are: usually none or one
 * for an element; more if paths with and without an index or a namespace name the same. A node is on it at
 * most once. */
#include "engine/readers/xml_record.h"
#include "engine/readers/xml_tree.h"

struct slot {
    uint32_t count; /* how often the place was there */
    bool container;
    size_t from, len; /* its first text, in `texts` (`own` for the record's) */
};

struct xml_record {
    struct xml_tree tree;
    const struct values *how;
    const struct xml_scope *scope;
    size_t column_count;
    struct slot *slots;
    int32_t *seen;   /* by node: how many of its name its parent has had so far */
    int32_t *active; /* the stack; a level's nodes are [marks[level], marks[level + 1]) */
    size_t marks[XML_DEPTH_MAX + 2], active_count;
    size_t depth;      /* elements open in the record; 0: none but itself */
    size_t collecting; /* depth of the element whose text is being gathered; 0: none */
    size_t collect_from;
    struct mu_text texts, own;
    struct mu_value *values;
};

void xml_record_free(struct xml_record *x)
{
    if (!x)
        return;
    xml_tree_fini(&x->tree);
    mu_text_free(&x->texts);
    mu_text_free(&x->own);
    free(x->slots);
    free(x->seen);
    free(x->active);
    free(x->values);
    free(x);
}

bool xml_record_open(struct xml_record **out, const struct mu_reader_setup *setup,
                     const struct values *values, const struct xml_scope *scope, size_t ceiling,
                     struct mu_error *err)
{
    MU_AUTO(xml_record_free) struct xml_record *x = calloc(1, sizeof(*x));
    if (!x)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!xml_tree_open(&x->tree, setup, err))
        return false;
    x->how = values;
    x->scope = scope;
    x->column_count = setup->column_count;
    x->slots = calloc((size_t)x->tree.slot_count, sizeof(*x->slots));
    x->seen = calloc(x->tree.node_count, sizeof(*x->seen));
    x->active = calloc(x->tree.node_count, sizeof(*x->active));
    x->values = calloc(setup->column_count + 1, sizeof(*x->values));
    x->texts = x->own = MU_TEXT(ceiling);
    if (!x->slots || !x->seen || !x->active || !x->values)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *out = MU_GIVE(x);
    return true;
}

bool xml_record_needs_spaces(const struct xml_record *x)
{
    return x->tree.spaces;
}

static bool wants_text(const struct xml_record *x)
{
    return x->depth ? x->collecting == x->depth : x->tree.nodes[0].text;
}

static void take_attributes(struct xml_record *x, const struct xml_node *node, const char *const *attributes)
{
    for (int32_t i = node->attribute; i != XML_TREE_NONE; i = x->tree.attributes[i].next) {
        struct slot *slot = &x->slots[x->tree.attributes[i].slot];
        for (const char *const *a = attributes; *a; a += 2) {
            const struct xml_qname name = xml_qname(a[0]);
            if (!xml_name_is(&x->tree.attributes[i].name, &name, false, x->scope) ||
                xml_is_declaration(a[0]) || slot->count++)
                continue;
            slot->from = x->texts.len;
            mu_text_puts(&x->texts, a[1]);
            slot->len = x->texts.len - slot->from;
        }
    }
}

static void activate(struct xml_record *x, int32_t node, const char *const *attributes)
{
    const struct xml_node *n = &x->tree.nodes[node];
    x->active[x->active_count++] = node;
    x->slots[n->slot].count++;
    for (int32_t child = n->first; child != XML_TREE_NONE; child = x->tree.nodes[child].next)
        x->seen[child] = 0;
    if (n->attribute != XML_TREE_NONE && attributes[0])
        take_attributes(x, n, attributes);
}

bool xml_record_begin(struct xml_record *x, const char *const *attributes)
{
    memset(x->slots, 0, (size_t)x->tree.slot_count * sizeof(*x->slots));
    mu_text_reset(&x->texts);
    mu_text_reset(&x->own);
    x->depth = x->active_count = x->collecting = 0;
    x->marks[0] = 0;
    activate(x, 0, attributes);
    x->marks[1] = x->active_count;
    return wants_text(x);
}

/* The first text of the places that the element is; a second one is not looked at. */
static void keep_text(struct xml_record *x, bool container)
{
    for (size_t i = x->marks[x->collecting]; i < x->marks[x->collecting + 1]; i++) {
        struct slot *slot = &x->slots[x->tree.nodes[x->active[i]].slot];
        if (slot->count != 1)
            continue;
        slot->from = x->collect_from;
        slot->len = x->texts.len - x->collect_from;
        slot->container = container;
    }
    x->collecting = 0;
}

bool xml_record_start(struct xml_record *x, const char *name, const char *const *attributes)
{
    const size_t from = x->marks[x->depth], to = x->marks[x->depth + 1];
    bool text = false;
    if (x->collecting)
        keep_text(x, true);
    x->depth++;
    if (from < to) {
        const struct xml_qname q = xml_qname(name);
        for (size_t i = from; i < to; i++) {
            int32_t node = x->tree.nodes[x->active[i]].first;
            for (; node != XML_TREE_NONE; node = x->tree.nodes[node].next) {
                const struct xml_node *n = &x->tree.nodes[node];
                if (!xml_name_is(&n->name, &q, true, x->scope) || (++x->seen[node] != n->index && n->index))
                    continue;
                activate(x, node, attributes);
                text = text || n->text;
            }
        }
    }
    if (text) {
        x->collecting = x->depth;
        x->collect_from = x->texts.len;
    }
    x->marks[x->depth + 1] = x->active_count;
    return wants_text(x);
}

void xml_record_text(struct xml_record *x, struct mu_span text)
{
    mu_text_add(x->depth ? &x->texts : &x->own, text);
}

bool xml_record_end(struct xml_record *x)
{
    if (x->collecting == x->depth)
        keep_text(x, false);
    x->active_count = x->marks[x->depth];
    x->depth--;
    return wants_text(x);
}

static struct mu_value value_of(const struct xml_record *x, size_t column, const struct xml_place *place)
{
    const struct slot *slot = &x->slots[place->slot];
    const struct mu_span texts = mu_text_span(&x->texts);
    const struct mu_span text = place->slot == x->tree.nodes[0].slot
                                    ? mu_text_span(&x->own)
                                    : mu_span(texts.at + slot->from, slot->len);
    if (place->constant)
        return (struct mu_value){MU_VALUE_TEXT, place->text};
    if (slot->count > 1 || slot->container)
        return (struct mu_value){MU_VALUE_INVALID, text};
    return values_of(x->how, column, text);
}

bool xml_record_values(struct xml_record *x, const struct mu_value **out, struct mu_error *err)
{
    if (!mu_text_ok(&x->texts, err) || !mu_text_ok(&x->own, err))
        return false;
    for (size_t i = 0; i < x->column_count; i++) {
        const struct xml_column *c = &x->tree.columns[i];
        size_t at = c->from;
        while (at < c->to && !x->slots[x->tree.places[at].slot].count)
            at++;
        x->values[i] =
            at < c->to ? value_of(x, i, &x->tree.places[at]) : (struct mu_value){.state = MU_VALUE_MISSING};
    }
    *out = x->values;
    return true;
}
