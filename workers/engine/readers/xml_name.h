/* SPDX-License-Identifier: Apache-2.0 */
/* Names of XML elements and attributes as descriptions of sources write them, local or {namespace}local, and
 * the prefixes that a document declares. */
#ifndef MU_XML_NAME_H
#define MU_XML_NAME_H

#include "base/error.h"
#include "base/text.h"

#define XML_DEPTH_MAX 256

struct xml_name {
    struct mu_span local;
    uint64_t word;        /* its first eight bytes */
    bool any;             /* of whatever namespace */
    struct mu_span space; /* "": of none */
};

/* A name as the document has it. */
struct xml_qname {
    struct mu_span prefix, local;
    uint64_t word;
};
struct xml_qname xml_qname(const char *name);

/* Which prefix stands for which namespace, level by level. */
struct xml_scope {
    struct mu_text text;
    struct xml_binding {
        size_t attribute, value, end; /* in text: "xmlns:a", "urn:x" */
    } * bindings;
    size_t count, room;
    size_t marks[XML_DEPTH_MAX + 1]; /* bindings before each level */
    size_t levels;
};

/* A name of a path, {namespace}local or local. False: it is none. Borrows the text. */
MU_MUST bool xml_name_parse(struct mu_span text, struct xml_name *out);
/* `element`: an unprefixed name is in the default namespace. */
bool xml_name_is(const struct xml_name *name, const struct xml_qname *q, bool element,
                 const struct xml_scope *scope);

bool xml_is_declaration(const char *attribute); /* xmlns, xmlns:… */
/* One level more, with what the attributes (name, value, …, NULL) declare. False: no memory, or more than the
 * ceiling of scope->text. At most XML_DEPTH_MAX levels. */
MU_MUST bool xml_scope_open(struct xml_scope *s, const char *const *attributes);
void xml_scope_close(struct xml_scope *s);
void xml_scope_fini(struct xml_scope *s);

#endif
