/* SPDX-License-Identifier: Apache-2.0 */
/* Walks over a JSON document outside of its records, in pieces of any size: to the array that a JSON Pointer
 * names, and from its end to the document's. Only the structure is looked at: what numbers and texts mean is
 * not. */
#ifndef MU_JSON_OUTLINE_H
#define MU_JSON_OUTLINE_H

#include "base/error.h"
#include "base/text.h"

#define OUTLINE_DEPTH_MAX 64
#define OUTLINE_KEY_MAX 512

enum outline_step {
    OUTLINE_MORE,   /* all bytes are used */
    OUTLINE_ARRAY,  /* the array's bracket has just been passed */
    OUTLINE_BROKEN, /* json_outline_fault says why */
};

struct json_outline {
    struct mu_span pointer; /* borrowed */
    size_t tokens;          /* of the pointer */
    enum outline_state {
        OUTLINE_VALUE,
        OUTLINE_VALUE_OR_END,
        OUTLINE_KEY,
        OUTLINE_KEY_OR_END,
        OUTLINE_COLON,
        OUTLINE_AFTER,
        OUTLINE_STRING,
        OUTLINE_ESCAPE,
        OUTLINE_WORD,
    } state;
    bool in_key;                       /* the string is one */
    char kinds[OUTLINE_DEPTH_MAX + 1]; /* '{' or '[' of what is open, and NUL */
    size_t depth;
    int64_t item;              /* of the innermost container on the way, if that is an array */
    size_t on_way;             /* how many of the open containers lead to the array */
    bool hit;                  /* the value that is due is the next step on the way */
    bool entered;              /* the array has been there */
    char key[OUTLINE_KEY_MAX]; /* as written */
    size_t key_len;
    char word[8]; /* true, false, null: the beginning so far */
    size_t word_len;
    const char *fault;
};

/* MU_REJECTED (bad_task): the pointer is none, or beyond the limits. */
MU_MUST bool json_outline_init(struct json_outline *o, struct mu_span pointer, struct mu_error *err);
enum outline_step json_outline_feed(struct json_outline *o, struct mu_span bytes, size_t *used);
/* The array's closing bracket has been passed. */
void json_outline_leave(struct json_outline *o);
/* Within the array, where `kinds` is what is open: as after OUTLINE_ARRAY. False: it leads to no array. */
MU_MUST bool json_outline_enter(struct json_outline *o, struct mu_span kinds);
bool json_outline_at_end(const struct json_outline *o); /* the document may end here */

#endif
