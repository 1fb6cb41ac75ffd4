/* SPDX-License-Identifier: Apache-2.0 */
/* Which places of a JSON record the pack's columns ask for: a tree of keys, and for each column the places in
 * the order of its mapping. A path is a JSON Pointer (/a/b/0) or dotted (a.b.0); without one the key at the
 * top that is the column's name. A number is an item of an array, or a key. */
#ifndef MU_JSON_TREE_H
#define MU_JSON_TREE_H

#include "engine/pool.h"
#include "engine/readers/mapping.h"

#define JSON_TREE_NONE (-1)

struct json_node {
    struct mu_span key;
    uint32_t hash;
    int64_t item;        /* the key as a number; -1: it is none */
    int32_t first, next; /* child, sibling; JSON_TREE_NONE */
    int32_t hint;        /* child to be looked at first: records resemble each other */
};
struct json_place {
    int32_t node;
    bool constant;
    struct mu_span text;
};
struct json_column { /* places[from, to) */
    size_t from, to;
};
struct json_tree {
    struct mu_pool *pool;    /* holds all of it */
    struct json_node *nodes; /* the first is the record */
    size_t node_count, node_room;
    struct json_place *places;
    size_t place_count, place_room;
    struct json_column *columns;
};

/* Only of the columns that are wanted. */
MU_MUST bool json_tree_open(struct json_tree *out, const struct mu_reader_setup *setup, struct mu_error *err);
void json_tree_fini(struct json_tree *t);
MU_DEFINE_AUTO_VALUE(struct json_tree, json_tree_fini)

uint32_t json_hash(struct mu_span key);
/* JSON_TREE_NONE: nobody asks for it. */
int32_t json_tree_key(struct json_tree *t, int32_t node, struct mu_span key, uint32_t hash);
int32_t json_tree_item(const struct json_tree *t, int32_t node, int64_t item);
/* The next token of a JSON Pointer, with ~0 and ~1 taken out, into `to` (room: its length); false: it is
 * none. */
MU_MUST bool json_pointer_token(struct mu_span *rest, char *to, size_t *len);

#endif
