/* SPDX-License-Identifier: Apache-2.0 */
/* A parser that goes over an XML document and halts at the end of each record element. It keeps nothing of
 * what has gone by but the names of the elements that are open. It is begun at the document's first byte, or
 * between two records: then it is first told what is open there, and that is taken off its byte and line
 * counts again.
 *
 * Never read: document types (so no entity but the five of XML), what is deeper or larger than the limits. A
 * record within a record is part of it. */
#ifndef MU_XML_PARSER_H
#define MU_XML_PARSER_H

#include "engine/reader.h"
#include "engine/readers/xml_open.h"
#include "engine/readers/xml_path.h"
#include "engine/readers/xml_plain.h"
#include "engine/readers/xml_record.h"

#define XML_ENCODING_NAME_MAX 20
#define XML_RECORD_NAME_MAX 128

struct xml_parser {
    struct XML_ParserStruct *expat; /* NULL: not begun */
    struct mu_reader_limits limits;
    struct xml_path path;
    struct xml_record *record;
    char encoding_name[XML_ENCODING_NAME_MAX]; /* as the document says it */
    enum encoding encoding;

    bool find_first;           /* set by the owner: halt where the first record begins, for good */
    bool gather;               /* set by the owner: values are wanted */
    int64_t told;              /* offset in the source where the bytes end that it has been given */
    bool halted;               /* at a record's end; it has bytes to go on with */
    struct mu_locator locator; /* of the record that has ended (begun, with find_first) */
    struct mu_position next;   /* behind it; record_no is that of the next record */
    struct mu_text state;      /* what is open there, for xml_parser_go_on */

    int64_t base_off, base_line; /* of its first byte and line in the source */
    struct mu_error *err;        /* while it runs */
    bool stopped;                /* for good; of an empty element the end is told all the same */
    bool final;                  /* it has been told the end */
    bool replaying;              /* what is open, which is no news */
    struct xml_open open;
    bool over;                   /* the root has been closed, */
    int64_t over_off, over_line; /* and what follows it stands here */
    struct xml_plain plain;
    char name[XML_RECORD_NAME_MAX]; /* of the last record, with its prefix; "": there is none here */
    bool moved;                     /* `open` is not as in `state` any more */
    bool inside;                    /* a record */
    size_t depth;                   /* of elements within it */
    size_t fields;                  /* elements and attributes within it */
    bool found;                     /* it has just ended */
};

/* `values` is borrowed for life. On failure there is nothing to be freed. */
MU_MUST bool xml_parser_init(struct xml_parser *p, const struct mu_reader_setup *setup,
                             const struct values *values, struct mu_error *err);
void xml_parser_fini(struct xml_parser *p);

/* At the document's first byte. */
MU_MUST bool xml_parser_begin(struct xml_parser *p, struct mu_position at, struct mu_error *err);
/* At `at`, where `state` is open. */
MU_MUST bool xml_parser_go_on(struct xml_parser *p, struct mu_position at, struct mu_error *err);
void xml_parser_drop(struct xml_parser *p); /* as before it was begun; what is known of the document stays */

/* RECORD: one has ended, `halted` is true; go on without bytes. MORE: the bytes are taken. END: the document
 * is read whole. */
enum mu_read xml_parser_run(struct xml_parser *p, struct mu_span bytes, bool last, struct mu_error *err);
/* Between records, when the parser has nothing left to go on with: reads the next one without it, if it is a
 * sibling of the last one and plain. True: as after RECORD, but not halted; *used bytes of them are spent. */
MU_MUST bool xml_parser_pass(struct xml_parser *p, struct mu_span bytes, size_t *used);
/* How much of these bytes to run the parser over, so that the record after the next one may be passed. */
size_t xml_parser_slice(const struct xml_parser *p, struct mu_span bytes);
/* After MORE: offset of the tag or text that is not whole yet, or of the next one. */
int64_t xml_parser_part(const struct xml_parser *p);
int64_t xml_parser_line(const struct xml_parser *p);
/* What is open now, as in `state`. */
void xml_parser_note_open(struct xml_parser *p);

#endif
