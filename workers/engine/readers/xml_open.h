/* SPDX-License-Identifier: Apache-2.0 */
/* The elements that are open around the records of an XML document: their names and the namespaces that they
 * declare. That is all that a parser has to be told before it can go on between two records. */
#ifndef MU_XML_OPEN_H
#define MU_XML_OPEN_H

#include "engine/readers/encoding.h"
#include "engine/readers/xml_name.h"

#define XML_OPEN_BYTES_MAX ((size_t)16 << 10) /* of a checkpoint, so not the size of a record */

#define XML_OPEN_OVER "null" /* in place of what xml_open_write writes: the root has been closed */

struct xml_open {
    struct mu_text names;
    size_t ends[XML_DEPTH_MAX + 1]; /* in names, by level */
    size_t depth;
    struct xml_scope scope; /* a level for each, and for what is open within a record */
};

void xml_open_init(struct xml_open *o);
void xml_open_clear(struct xml_open *o);
/* False: more than XML_OPEN_BYTES_MAX, or no memory. At most XML_DEPTH_MAX. */
MU_MUST bool xml_open_push(struct xml_open *o, const char *name, const char *const *attributes);
void xml_open_pop(struct xml_open *o);
/* As JSON: [["Document","xmlns","urn:x"],["Pyld"]]. */
void xml_open_write(const struct xml_open *o, struct mu_text *out);
/* What xml_open_write wrote, or XML_OPEN_OVER, as start tags in the document's encoding. False: it did not
 * write that. */
MU_MUST bool xml_open_tags(struct mu_span written, enum encoding encoding, struct mu_text *out);
void xml_open_fini(struct xml_open *o);

#endif
