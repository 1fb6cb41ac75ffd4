/* SPDX-License-Identifier: Apache-2.0 */
/* Writes findings (schemas/finding.json): ids and fingerprints, evidence with its masks, messages. */
#ifndef MU_FINDING_H
#define MU_FINDING_H

#include "engine/ready.h"

#define MU_BAD_RECORD_RULE "DQ.RECORD"
#define MU_BAD_RECORD_SEVERITY "high"

/* What all findings of a run have in common; borrowed for as long as findings are written. */
struct finding_setup {
    const struct mu_ready *ready;
    const struct mu_task *task;
    const struct mu_digest *source_digest;
    const struct mu_reader *reader; /* knows the path of a record */
    struct mu_frame *frame;         /* in which evidence is computed: about the record or group at hand */
    struct mu_text *message;        /* scratch */
};
struct finding_writer {
    struct finding_setup with;
    struct mu_text value; /* scratch: of one value, before it is masked */
    /* made at the first finding: most tasks have none */
    bool begun;
    char source_hex[MU_DIGEST_HEX];
    struct mu_sha id_begin; /* over task id, pack digest, params digest */
};

void finding_writer_init(struct finding_writer *w, const struct finding_setup *setup);
void finding_writer_fini(struct finding_writer *w);
/* Appends one finding, after a comma if there is something before it. `message` is the check's own sentence.
 */
void finding_write(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                   bool warn, const struct mu_record *rec, struct mu_span message);
/* One about a group, or about a rule as a whole. */
void finding_write_found(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                         const struct mu_found *found);
void finding_write_bad_record(struct finding_writer *w, struct mu_text *out,
                              const struct mu_record *rec);

#endif
