/* SPDX-License-Identifier: Apache-2.0 */
/* Which elements of an XML document are records: by their name wherever they stand, or by their path from the
 * root. */
#ifndef MU_XML_PATH_H
#define MU_XML_PATH_H

#include "engine/readers/xml_name.h"

#define XML_PATH_STEPS_MAX 32

struct xml_path {
    struct xml_name steps[XML_PATH_STEPS_MAX];
    size_t count;
    bool rooted;
    size_t matched; /* how many of the open elements lead there */
};

/* Borrows the text. MU_REJECTED (bad_task) with the pointer /source/record. */
MU_MUST bool xml_path_parse(struct xml_path *out, struct mu_span text, struct mu_error *err);
/* An element begins at this depth (0: the root); true: it is a record. */
bool xml_path_open(struct xml_path *p, size_t depth, const char *name, const struct xml_scope *scope);
/* The element at this depth, which was no record, ends. */
void xml_path_close(struct xml_path *p, size_t depth);
/* "(/Document/Tx)[3]" */
void xml_path_write(const struct xml_path *p, int64_t number, struct mu_text *out);

#endif
