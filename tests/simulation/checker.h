/* SPDX-License-Identifier: Apache-2.0 */
/* The promises (FAULTS.md, I1 to I5, I9, I10), asked of a world that has come to rest: of the tables, the streams and
 * what was acknowledged; and those that are watched while it moves. */
#ifndef SIM_CHECKER_H
#define SIM_CHECKER_H

#include "workload.h"

void checker_begin(void);  /* watches checkpoints from now on */
/* Is there nothing left to do? *why: what is. */
bool checker_at_rest(const char **why);
void checker_judge(void);  /* broken() with the promise that does not hold */
/* What came out of a job, for comparison. False: it has not come out. */
bool checker_sum(struct mu_id job, struct outcome_sum *out);
struct checker_allows {
    bool quarantine;       /* something was forged, or the database went back */
    int exhausted;         /* tasks that may have given up beside the poisonous ones */
    bool late;             /* administrative and computed outcomes met on purpose */
};
extern struct checker_allows checker_allows;
/* The most starts of one task that stood at one place of it. */
int checker_most_starts(void);
/* The most crashes that a start mark has counted. */
int64_t checker_most_crashes(void);

#endif
