/* SPDX-License-Identifier: Apache-2.0 */
/* The programs as the world runs them: what their main.c does, with the real libraries. */
#ifndef SIM_PROGRAMS_H
#define SIM_PROGRAMS_H

#include "format/config.h"
#include "world.h"

/* What they are set to; made once, in files and directories below `folder`. */
bool programs_configure(const char *folder, struct mu_error *err);
struct mu_config *programs_config(void); /* of all that are started from now on */
int run_dispatcher(struct process *p);
int run_recorder(struct process *p);
int run_worker(struct process *p);

/* ---- hooks between the agents and their engine (linked by --wrap) ---- */
struct agent_faults {
    bool root_down;     /* the data root is not there */
    int poison_kills;   /* how many agents a poison task has killed */
};
extern struct agent_faults agent_faults;
#define POISON "POISON"

#endif
