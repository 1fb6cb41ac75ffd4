/* SPDX-License-Identifier: Apache-2.0 */
/* What is submitted in a schedule, by whom, and what was answered. Jobs are made from templates, so that what must
 * come out is known beforehand: from the engine on the same records, undisturbed, in one piece. */
#ifndef SIM_WORKLOAD_H
#define SIM_WORKLOAD_H

#include "world.h"

#define TEMPLATES_MAX 48
#define RULES_MAX 8

enum template_kind { JOB_RECORDS, JOB_LONG, JOB_PLANNED, JOB_MISSING, JOB_POISON };
struct template {
    char name[24];
    enum template_kind kind;
    char *body;              /* without its braces and key */
    int64_t wrong;           /* findings of SIM.LEI, counted when it was made */
};
/* What comes out, compared without ids, agents, attempts and times. */
struct outcome_sum {
    bool known;
    char result[16], reason[24];
    int64_t records, bad, skipped, findings;
    uint64_t finding_sum;    /* of a hash of each finding: order and cuts do not matter */
    struct { char rule[24]; int64_t counts[6]; } rules[RULES_MAX];
    size_t rule_count;
};
extern struct template templates[TEMPLATES_MAX];
extern size_t template_count;
extern struct outcome_sum *golden; /* by template; shared with the child that finds out */

/* Writes files and packs below `folder`. */
bool workload_make(const char *folder, struct mu_error *err);

enum door { DOOR_API, DOOR_ARRAY, DOOR_INTAKE };
#define MEMBERS_MAX 12
struct submission {
    enum door door;
    size_t count, template[MEMBERS_MAX];
    char keys[MEMBERS_MAX][40];
    int64_t at_us;           /* when it is sent first */
    bool again;              /* sent once more later, with the same keys */
    bool acknowledged;
    int64_t sent_us, acknowledged_us;
    char job_ids[MEMBERS_MAX][MU_ID_MAX]; /* "": the door does not say */
    int denials;             /* answers that nothing of it is stored */
    bool invalid;            /* refused: what the intake makes of it is a row of muster.rejection */
};
#define SUBMISSIONS_MAX 64
extern struct submission submissions[SUBMISSIONS_MAX];
extern size_t submission_count;
void workload_begin(void);
struct submission *workload_add(enum door door, int64_t at_us);
void workload_put(struct submission *s, size_t template);
size_t template_find(const char *name);
size_t template_any(enum template_kind kind); /* by chance */
int run_submitter(struct process *p);
bool workload_all_acknowledged(void);

#endif
