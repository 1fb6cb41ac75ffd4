/* SPDX-License-Identifier: Apache-2.0 */
/* A process of the sandbox: started with its log in a file and a notify socket of its own, so that "ready" is what
 * the process says and not what somebody hopes. It dies with its parent. */
#ifndef MU_CHILD_H
#define MU_CHILD_H

#include "base/error.h"

#include <sys/types.h>

#define CHILD_ARGS_MAX 24

struct child {
    char name[32];              /* "nats", "postgres", "dispatcher", "worker-1" */
    char *argv[CHILD_ARGS_MAX]; /* owned */
    char *log_path, *notify_path; /* owned */
    uid_t uid;                  /* to run as when started by root; 0: as we are */
    gid_t gid;
    int stop_signal;            /* what asks it to end */
    pid_t pid;                  /* 0: not running */
    int notify_fd;
    bool ready;
    bool wanted;                /* is started again when it dies */
    int64_t started_ms, again_ms;
    unsigned starts;
};

/* argv ends with NULL and is copied. `dir` gets log/<name>.log and run/<name>.sock. */
MU_MUST bool child_init(struct child *c, const char *name, const char *dir, const char *const *argv,
                        struct mu_error *err);
MU_MUST bool child_start(struct child *c, struct mu_error *err);
/* Takes what the process has told its notify socket; true once, when it has become ready. */
bool child_heard_ready(struct child *c);
/* After SIGCHLD: true if this one has ended, with a sentence about how. */
bool child_reap(struct child *c, char how[80]);
void child_signal(const struct child *c, int number);
/* Asks, waits up to wait_ms, then kills. */
void child_stop(struct child *c, int64_t wait_ms);
void child_fini(struct child *c);

/* Runs a program to its end (initdb); its output goes to the log of `name`. */
MU_MUST bool child_run(const char *name, const char *dir, const char *const *argv, uid_t uid, gid_t gid,
                       struct mu_error *err);

#endif
