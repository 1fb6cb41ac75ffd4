/* SPDX-License-Identifier: Apache-2.0 */
/* Gathers the values of the pack's columns from one record element, as a parser goes over it. An element's
 * text is its own character data; a place that is there twice, and an element with elements in it, are
 * invalid as a value. */
#ifndef MU_XML_RECORD_H
#define MU_XML_RECORD_H

#include "engine/readers/values.h"
#include "engine/readers/xml_name.h"

struct xml_record;
/* `values` and `scope` are borrowed for life; `ceiling`: most bytes of text that a record may have. */
MU_MUST bool xml_record_open(struct xml_record **out, const struct mu_reader_setup *setup,
                             const struct values *values, const struct xml_scope *scope, size_t ceiling,
                             struct mu_error *err);
bool xml_record_needs_spaces(const struct xml_record *x);

/* The record element itself, then what is in it; `attributes` are name, value, …, NULL. All tell whether
 * character data is wanted from there on. */
bool xml_record_begin(struct xml_record *x, const char *const *attributes);
bool xml_record_start(struct xml_record *x, const char *name, const char *const *attributes);
void xml_record_text(struct xml_record *x, struct mu_span text);
bool xml_record_end(struct xml_record *x); /* of an element in the record */
/* The record has ended. By column; borrowed until the next one begins. False: too much text, or no memory. */
MU_MUST bool xml_record_values(struct xml_record *x, const struct mu_value **out, struct mu_error *err);
void xml_record_free(struct xml_record *x);
MU_DEFINE_AUTO(struct xml_record, xml_record_free)

#endif
