/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/xml_tree.h"

#define POOL_CEILING ((size_t)16 << 20)

struct mu_span xml_path_step(struct mu_span *rest)
{
    bool braced = false;
    size_t len = 0;
    for (; len < rest->len && (braced || rest->at[len] != '/'); len++)
        braced = rest->at[len] == '{' || (braced && rest->at[len] != '}');
    const struct mu_span step = mu_span(rest->at, len);
    const size_t taken = len < rest->len ? len + 1 : len;
    *rest = mu_span(rest->at + taken, rest->len - taken);
    return step;
}

static bool add_node(struct xml_tree *t, int32_t parent, struct xml_name name, int32_t index,
                     struct mu_error *err)
{
    t->nodes = mu_pool_more(t->pool, t->nodes, t->node_count, &t->node_room, sizeof(*t->nodes));
    if (!t->nodes)
        return mu_fail(err, MU_BROKEN, "out of memory");
    t->nodes[t->node_count++] = (struct xml_node){.name = name,
                                                  .parent = parent,
                                                  .first = XML_TREE_NONE,
                                                  .next = XML_TREE_NONE,
                                                  .attribute = XML_TREE_NONE,
                                                  .index = index,
                                                  .slot = t->slot_count++};
    return true;
}

static bool same_name(const struct xml_name *a, const struct xml_name *b)
{
    return a->any == b->any && mu_span_equal(a->local, b->local) && mu_span_equal(a->space, b->space);
}

/* The child of *node with this name and index, made if it is new. */
static bool step_down(struct xml_tree *t, int32_t *node, struct xml_name name, int32_t index,
                      struct mu_error *err)
{
    int32_t *link = &t->nodes[*node].first;
    for (; *link != XML_TREE_NONE; link = &t->nodes[*link].next) {
        const struct xml_node *n = &t->nodes[*link];
        if (n->index != index || !same_name(&n->name, &name))
            continue;
        *node = *link;
        return true;
    }
    const int32_t made = *link = (int32_t)t->node_count; /* before the nodes may move */
    if (!add_node(t, *node, name, index, err))
        return false;
    *node = made;
    return true;
}

/* Of A[2]: the 2, and the brackets taken off. 0: there are none. */
static bool take_index(struct mu_span *step, int32_t *index)
{
    int64_t n = 0;
    *index = 0;
    if (!step->len || step->at[step->len - 1] != ']')
        return true;
    size_t at = step->len - 1;
    while (at > 0 && step->at[at] != '[')
        at--;
    if (!mu_parse_i64(mu_span(step->at + at + 1, step->len - at - 2), 1, 1000000, &n))
        return false;
    *step = mu_span(step->at, at);
    *index = (int32_t)n;
    return true;
}

static bool add_attribute(struct xml_tree *t, int32_t node, struct xml_name name, int32_t *slot,
                          struct mu_error *err)
{
    for (int32_t i = t->nodes[node].attribute; i != XML_TREE_NONE; i = t->attributes[i].next) {
        if (!same_name(&t->attributes[i].name, &name))
            continue;
        *slot = t->attributes[i].slot;
        return true;
    }
    t->attributes =
        mu_pool_more(t->pool, t->attributes, t->attribute_count, &t->attribute_room, sizeof(*t->attributes));
    if (!t->attributes)
        return mu_fail(err, MU_BROKEN, "out of memory");
    *slot = t->slot_count++;
    t->attributes[t->attribute_count] = (struct xml_attribute){name, t->nodes[node].attribute, *slot};
    t->nodes[node].attribute = (int32_t)t->attribute_count++;
    return true;
}

static bool add_place(struct xml_tree *t, int32_t slot, const struct mapping_choice *c, struct mu_error *err)
{
    t->places = mu_pool_more(t->pool, t->places, t->place_count, &t->place_room, sizeof(*t->places));
    if (!t->places)
        return mu_fail(err, MU_BROKEN, "out of memory");
    t->places[t->place_count++] =
        c ? (struct xml_place){slot, c->constant, c->text} : (struct xml_place){.slot = slot};
    return true;
}

/* The slot of an element or attribute. */
static bool add_path(struct xml_tree *t, const struct mapping *m, const struct mapping_choice *c,
                     int32_t *slot, struct mu_error *err)
{
    struct mu_span rest = c->path;
    int32_t node = 0;
    if (mu_span_is(rest, "."))
        rest.len = 0;
    for (size_t depth = 0; rest.len; depth++) {
        const bool more = rest.at[rest.len - 1] == '/';
        struct mu_span step = xml_path_step(&rest);
        struct xml_name name;
        int32_t index = 0;
        const bool attribute = step.len && step.at[0] == '@';
        if (attribute)
            step = mu_span(step.at + 1, step.len - 1);
        else if (!take_index(&step, &index))
            return mapping_refuse(m, c->path, "an index counts from 1: A[2]", err);
        if (!xml_name_parse(step, &name) || (more && !rest.len) || (attribute && rest.len)) {
            (void)mapping_refuse(m, c->path, "want names below the record, like A/B[2]/@x", err);
            return mu_hint(err, "a prefix is written as its namespace: {urn:x}A");
        }
        if (depth == XML_DEPTH_MAX)
            return mapping_refuse(m, c->path, "it is too deep", err);
        t->spaces = t->spaces || !name.any;
        if (attribute)
            return add_attribute(t, node, name, slot, err);
        if (!step_down(t, &node, name, index, err))
            return false;
    }
    t->nodes[node].text = t->nodes[node].text || !c->constant;
    *slot = t->nodes[node].slot;
    return true;
}

static bool add_default(struct xml_tree *t, const struct mapping *m, const char *column, struct mu_error *err)
{
    struct xml_name name;
    int32_t node = 0, slot;
    if (!xml_name_parse(mu_span_of(column), &name))
        return mapping_refuse(m, mu_span_of(column), "the column needs a path", err);
    if (!step_down(t, &node, name, 0, err))
        return false;
    t->nodes[node].text = true;
    return add_place(t, t->nodes[node].slot, NULL, err) && add_attribute(t, 0, name, &slot, err) &&
           add_place(t, slot, NULL, err);
}

static bool add_column(struct xml_tree *t, const struct mu_reader_setup *setup, size_t column,
                       struct mu_error *err)
{
    struct mapping m;
    int32_t slot;
    if (!mapping_read(&m, setup, column, err))
        return false;
    for (size_t i = 0; i < m.count; i++)
        if (!add_path(t, &m, &m.choices[i], &slot, err) || !add_place(t, slot, &m.choices[i], err))
            return false;
    return m.count || add_default(t, &m, setup->columns[column], err);
}

bool xml_tree_open(struct xml_tree *out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    MU_AUTO(xml_tree_fini) struct xml_tree t = {.pool = mu_pool_new(POOL_CEILING)};
    if (!t.pool || !(t.columns = mu_pool_get(t.pool, (setup->column_count + 1) * sizeof(*t.columns))))
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!add_node(&t, XML_TREE_NONE, (struct xml_name){.any = true}, 0, err) || !mapping_check(setup, err))
        return false;
    for (size_t i = 0; i < setup->column_count; i++) {
        t.columns[i].from = t.place_count;
        if ((!setup->wanted || setup->wanted[i]) && !add_column(&t, setup, i, err))
            return false;
        t.columns[i].to = t.place_count;
    }
    *out = t;
    t.pool = NULL;
    return true;
}

void xml_tree_fini(struct xml_tree *t)
{
    mu_pool_free(t->pool);
    t->pool = NULL;
}
