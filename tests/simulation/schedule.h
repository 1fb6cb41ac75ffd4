/* SPDX-License-Identifier: Apache-2.0 */
/* One schedule: a world, programs, work, things that go wrong, and the end. A schedule runs in a child process. */
#ifndef SIM_SCHEDULE_H
#define SIM_SCHEDULE_H

#include "workload.h"

/* What is told of a schedule that has ended. */
struct verdict {
    bool ended;              /* false: the child died */
    bool failed;
    char why[600];
    uint64_t digest;         /* of the trace */
    int64_t virtual_us;
    int kills, faults;
    int64_t messages;
};

struct named_case {
    const char *name;        /* a sentence */
    const char *rule;        /* of PROTOCOL.md */
    void (*set_up)(void);    /* programs, work, orders; the world is new */
    void (*check)(void);     /* beside the promises; NULL: nothing */
};
extern const struct named_case named_cases[];
extern const size_t named_case_count;

/* Both run in the calling process, which has to be a child: memory of the killed is not given back. */
void schedule_by_seed(uint64_t seed, bool verbose, struct verdict *out);
void schedule_of_case(const struct named_case *c, bool verbose, struct verdict *out);
/* What comes out of every template without any fault: into `golden`. */
void schedule_golden(struct verdict *out);
bool schedule_prepare(const char *folder, struct mu_error *err);

/* For cases. */
void schedule_programs(int dispatchers, int recorders, int workers);
void schedule_later(int64_t after_us, void (*what)(void));
void schedule_not_before(int64_t after_us); /* it is not at rest before, whatever it looks like */

#endif
