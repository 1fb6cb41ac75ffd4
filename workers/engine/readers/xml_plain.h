/* SPDX-License-Identifier: Apache-2.0 */
/* Reads a record element that is as plain as most are, several times faster than a parser does: names of
 * ASCII, no entity, no comment, no section, no declaration of a namespace, nothing but a line feed for a line
 * end. Whatever else it meets it leaves to the parser, which also finds what is wrong: here nothing is
 * refused, and nothing is taken that a parser would not take. */
#ifndef MU_XML_PLAIN_H
#define MU_XML_PLAIN_H

#include "engine/readers/xml_record.h"

struct xml_plain {
    size_t most_bytes, most_fields, most_depth; /* beyond them: left to the parser */
    bool utf8;                                  /* the document is in UTF-8; else only ASCII is plain */
    struct mu_text words;                       /* names and values of the tag at hand, each with its NUL */
    int64_t lines;                              /* line feeds in the record that was read */
};

/* The record of this name that begins at the first byte. True: it is plain and whole, *used bytes; with
 * `record` its values are gathered there. */
MU_MUST bool xml_plain_read(struct xml_plain *x, struct mu_span bytes, struct mu_span name,
                            struct xml_record *record, size_t *used);

#endif
