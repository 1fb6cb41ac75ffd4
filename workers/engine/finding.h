/* SPDX-License-Identifier: Apache-2.0 */
/* Writes findings (schemas/finding.json): ids and fingerprints, evidence with its masks, messages. */
#ifndef MU_FINDING_H
#define MU_FINDING_H

#include "engine/ready.h"

#define MU_BAD_RECORD_RULE "DQ.RECORD"
#define MU_BAD_RECORD_SEVERITY "high"

/* What all findings of a run have in common. */
struct finding_writer {
    const struct mu_ready *ready;
    const struct mu_task *task;
    const struct mu_digest *source_digest;
    struct mu_text *message; /* scratch */
    /* made at the first finding: most tasks have none */
    bool begun;
    char source_hex[MU_DIGEST_HEX];
    struct mu_sha id_begin; /* over task id, pack digest, params digest */
};

/* All is borrowed for as long as findings are written. */
void finding_writer_init(struct finding_writer *w, const struct mu_ready *ready, const struct mu_task *task,
                         const struct mu_digest *source_digest, struct mu_text *message);
/* Appends one finding, after a comma if there is something before it. `message` is the check's own sentence.
 */
void finding_write(struct finding_writer *w, struct mu_text *out, const struct ready_rule *rule,
                   bool warn, const struct mu_record *rec, struct mu_span message);
void finding_write_bad_record(struct finding_writer *w, struct mu_text *out,
                              const struct mu_record *rec);

#endif
