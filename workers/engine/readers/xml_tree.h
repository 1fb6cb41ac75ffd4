/* SPDX-License-Identifier: Apache-2.0 */
/* Which places of a record element the pack's columns ask for, as a tree of element names, and for each
 * column the places in the order of its mapping. A path is A/B, A[2]/B, A/@x, @x, or `.` for the record's own
 * text; without one the child element, else the attribute, that has the column's name. A name without
 * {namespace} is of any. */
#ifndef MU_XML_TREE_H
#define MU_XML_TREE_H

#include "engine/pool.h"
#include "engine/readers/mapping.h"
#include "engine/readers/xml_name.h"

#define XML_TREE_NONE (-1)

struct xml_node {
    struct xml_name name;
    int32_t parent, first, next; /* node, child, sibling; XML_TREE_NONE */
    int32_t attribute;           /* first of those asked for */
    int32_t index;               /* only the n-th of its name; 0: any */
    int32_t slot;                /* where its presence and text are noted */
    bool text;                   /* its text is asked for */
};
struct xml_attribute {
    struct xml_name name;
    int32_t next, slot;
};
struct xml_place {
    int32_t slot;
    bool constant;
    struct mu_span text;
};
struct xml_tree {
    struct mu_pool *pool;   /* holds all of it */
    struct xml_node *nodes; /* the first is the record */
    size_t node_count, node_room;
    struct xml_attribute *attributes;
    size_t attribute_count, attribute_room;
    struct xml_place *places;
    size_t place_count, place_room;
    struct xml_column { /* places[from, to) */
        size_t from, to;
    } * columns;
    int32_t slot_count;
    bool spaces; /* a name has a namespace */
};

/* Only of the columns that are wanted. */
MU_MUST bool xml_tree_open(struct xml_tree *out, const struct mu_reader_setup *setup, struct mu_error *err);
void xml_tree_fini(struct xml_tree *t);
MU_DEFINE_AUTO_VALUE(struct xml_tree, xml_tree_fini)

/* The next step of a path, up to a slash that is not within {namespace}; the slash is taken off *rest. */
struct mu_span xml_path_step(struct mu_span *rest);

#endif
