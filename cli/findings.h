/* SPDX-License-Identifier: Apache-2.0 */
/* Findings on standard output as they are found: a table for people, a JSON object a line as on the wire
 * (schemas/finding.json), or CSV. Memory does not grow with their number. */
#ifndef MU_CLI_FINDINGS_H
#define MU_CLI_FINDINGS_H

#include "cli.h"
#include "engine/run.h"

struct findings {
    enum cli_format format;
    int rule_width;     /* of the table's column */
    int64_t max, shown; /* max 0: all */
    int64_t left_out;
    bool headed;
};

void findings_init(struct findings *f, const struct cli *cli, const struct mu_pack *pack, int64_t max);
/* Prints what the run holds and takes it from there. */
MU_MUST bool findings_take(struct findings *f, struct mu_run *run, struct mu_error *err);
/* For mu_run_setup: the context is the struct findings. */
bool findings_drain(void *context, struct mu_run *run, struct mu_error *err);

#endif
