/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/readers/json_tree.h"

#define POOL_CEILING ((size_t)16 << 20)
#define DEPTH_MAX 64

uint32_t json_hash(struct mu_span key)
{
    uint64_t h = key.len;
    for (size_t at = 0; at < key.len; at += 8) {
        uint64_t word = 0;
        memcpy(&word, key.at + at, key.len - at < 8 ? key.len - at : 8);
        h = (h ^ word) * UINT64_C(0x9E3779B97F4A7C15);
        h ^= h >> 29;
    }
    return (uint32_t)(h ^ h >> 32);
}

bool json_pointer_token(struct mu_span *rest, char *to, size_t *len)
{
    size_t at = 1, n = 0;
    if (!rest->len || rest->at[0] != '/')
        return false;
    for (; at < rest->len && rest->at[at] != '/'; at++) {
        char c = rest->at[at];
        if (c == '~') {
            if (++at == rest->len || (rest->at[at] != '0' && rest->at[at] != '1'))
                return false;
            c = rest->at[at] == '0' ? '~' : '/';
        }
        to[n++] = c;
    }
    *rest = mu_span(rest->at + at, rest->len - at);
    *len = n;
    return true;
}

static bool add_node(struct json_tree *t, struct mu_span key, struct mu_error *err)
{
    t->nodes = mu_pool_more(t->pool, t->nodes, t->node_count, &t->node_room, sizeof(*t->nodes));
    if (!t->nodes)
        return mu_fail(err, MU_BROKEN, "out of memory");
    struct json_node *n = &t->nodes[t->node_count++];
    *n = (struct json_node){.key = key,
                            .hash = json_hash(key),
                            .item = -1,
                            .first = JSON_TREE_NONE,
                            .next = JSON_TREE_NONE,
                            .hint = JSON_TREE_NONE};
    if (!mu_parse_i64(key, 0, INT32_MAX, &n->item) || (key.len > 1 && key.at[0] == '0'))
        n->item = -1;
    return true;
}

/* The child of *node with this key, made if it is new. */
static bool step(struct json_tree *t, int32_t *node, struct mu_span key, struct mu_error *err)
{
    const int32_t parent = *node, there = json_tree_key(t, parent, key, json_hash(key));
    if (there != JSON_TREE_NONE) {
        *node = there;
        return true;
    }
    char *copy = mu_pool_get(t->pool, key.len + 1);
    if (!copy)
        return mu_fail(err, MU_BROKEN, "out of memory");
    memcpy(copy, key.at, key.len);
    if (!add_node(t, mu_span(copy, key.len), err))
        return false;
    const int32_t made = (int32_t)t->node_count - 1;
    int32_t *last = &t->nodes[parent].first;
    while (*last != JSON_TREE_NONE)
        last = &t->nodes[*last].next;
    *last = made;
    t->nodes[parent].hint = t->nodes[parent].first;
    *node = made;
    return true;
}

static bool add_path(struct json_tree *t, const struct mapping *m, struct mu_span path, int32_t *node,
                     struct mu_error *err)
{
    MU_AUTO(mu_free) char *token = malloc(path.len + 1);
    struct mu_span rest = path;
    size_t len = 0, depth = 0;
    if (!token)
        return mu_fail(err, MU_BROKEN, "out of memory");
    for (*node = 0; rest.len; depth++) {
        if (depth == DEPTH_MAX)
            return mapping_refuse(m, path, "it is too deep", err);
        if (path.at[0] == '/') {
            if (!json_pointer_token(&rest, token, &len))
                return mapping_refuse(m, path, "in a JSON Pointer ~ is written ~0", err);
        } else {
            const char *dot = memchr(rest.at, '.', rest.len);
            len = dot ? (size_t)(dot - rest.at) : rest.len;
            memcpy(token, rest.at, len);
            rest = mu_span(rest.at + len, rest.len - len);
            if (!len || (dot && rest.len == 1))
                return mapping_refuse(m, path, "a key between dots is empty (write it as a JSON Pointer)",
                                      err);
            if (dot)
                rest = mu_span(rest.at + 1, rest.len - 1);
        }
        if (!step(t, node, mu_span(token, len), err))
            return false;
    }
    return true;
}

static bool add_place(struct json_tree *t, int32_t node, const struct mapping_choice *c, struct mu_error *err)
{
    t->places = mu_pool_more(t->pool, t->places, t->place_count, &t->place_room, sizeof(*t->places));
    if (!t->places)
        return mu_fail(err, MU_BROKEN, "out of memory");
    t->places[t->place_count++] =
        c ? (struct json_place){node, c->constant, c->text} : (struct json_place){.node = node};
    return true;
}

static bool add_column(struct json_tree *t, const struct mu_reader_setup *setup, size_t column,
                       struct mu_error *err)
{
    struct mapping m;
    int32_t node = 0;
    if (!mapping_read(&m, setup, column, err))
        return false;
    for (size_t i = 0; i < m.count; i++)
        if (!add_path(t, &m, m.choices[i].path, &node, err) || !add_place(t, node, &m.choices[i], err))
            return false;
    if (m.count)
        return true;
    return step(t, &node, mu_span_of(setup->columns[column]), err) && add_place(t, node, NULL, err);
}

bool json_tree_open(struct json_tree *out, const struct mu_reader_setup *setup, struct mu_error *err)
{
    MU_AUTO(json_tree_fini) struct json_tree t = {.pool = mu_pool_new(POOL_CEILING)};
    if (!t.pool || !(t.columns = mu_pool_get(t.pool, (setup->column_count + 1) * sizeof(*t.columns))))
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!add_node(&t, mu_span("", 0), err) || !mapping_check(setup, err))
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

void json_tree_fini(struct json_tree *t)
{
    mu_pool_free(t->pool);
    t->pool = NULL;
}

int32_t json_tree_key(struct json_tree *t, int32_t node, struct mu_span key, uint32_t hash)
{
    struct json_node *parent = &t->nodes[node];
    int32_t i = parent->hint;
    if (i == JSON_TREE_NONE)
        return JSON_TREE_NONE;
    do {
        const struct json_node *n = &t->nodes[i];
        const int32_t next = n->next != JSON_TREE_NONE ? n->next : parent->first;
        if (n->hash == hash && mu_span_equal(n->key, key)) {
            parent->hint = next;
            return i;
        }
        i = next;
    } while (i != parent->hint);
    return JSON_TREE_NONE;
}

int32_t json_tree_item(const struct json_tree *t, int32_t node, int64_t item)
{
    for (int32_t i = t->nodes[node].first; i != JSON_TREE_NONE; i = t->nodes[i].next)
        if (t->nodes[i].item == item)
            return i;
    return JSON_TREE_NONE;
}
