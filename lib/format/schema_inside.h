/* SPDX-License-Identifier: Apache-2.0 */
/* A compiled schema: what schema_compile.c makes and schema_check.c walks. */
#ifndef MU_SCHEMA_INSIDE_H
#define MU_SCHEMA_INSIDE_H

#include "format/schema.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

enum { T_NULL = 1, T_BOOLEAN = 2, T_INTEGER = 4, T_NUMBER = 8, T_STRING = 16, T_ARRAY = 32, T_OBJECT = 64 };

struct node;
struct named { /* a property, pattern or dependency */
    const char *name;
    size_t len;
    struct node *node;
    pcre2_code *pattern;    /* of patternProperties */
    const json_t *required; /* of dependencies: array of names */
};
struct list {
    struct node **at;
    size_t count;
};
enum format { F_NONE, F_DATE, F_DATE_TIME };

struct node {
    const json_t *source;   /* identity while compiling */
    struct node *next;      /* all nodes of a schema */
    bool never;             /* the schema `false` */
    struct node *ref;       /* $ref: nothing else counts beside it */
    unsigned types;         /* 0: any */
    const json_t *constant, *choices;
    const json_t *example;  /* the first of `examples`: what would have been right */
    const json_t *minimum, *maximum, *above, *below, *multiple;
    int64_t min_length, max_length, min_items, max_items, min_properties, max_properties; /* -1: none */
    pcre2_code *pattern;
    const char *pattern_text;
    enum format format;
    struct list items;      /* one per position */
    struct node *every_item, *more_items, *contains, *names;
    bool unique;
    struct named *properties, *patterns, *dependencies;
    size_t property_count, pattern_count, dependency_count;
    struct node *more_properties;
    const json_t *required;
    struct list all, any, one;
    struct node *not_this, *condition, *then, *otherwise;
    bool only_required;     /* nothing but `required`: alternatives of these can be told in words */
};

struct mu_schema {
    json_t *document;       /* owned: nodes point into it */
    struct mu_schema *others[8]; /* owned: documents referred to, for their nodes' sake */
    size_t other_count;
    struct node *root, *nodes;
    struct mu_schema *parent; /* of a document that another one refers to */
};

#endif
