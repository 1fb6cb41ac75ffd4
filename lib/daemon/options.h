/* SPDX-License-Identifier: Apache-2.0 */
/* The command line that the daemons have in common: --config FILE, --set key=value, --check-config, --help-config,
 * --help, --version, --log-level, --log-format. A wrong option gets one line. */
#ifndef MU_OPTIONS_H
#define MU_OPTIONS_H

#include "format/config.h"

#define MU_SETS_MAX 64

struct mu_options {
    const char *config;
    const char *sets[MU_SETS_MAX];
    size_t set_count;
    bool check_only;
};
/* False: the program is to end with *status (help was printed, or the usage was wrong). */
bool mu_options_parse(struct mu_options *out, int argc, char **argv, const char *program, const char *summary,
                      int *status);
/* Loads the configuration, opens the log; with --check-config prints each value with its origin and says so.
 * False: end with *status. */
bool mu_options_configure(const struct mu_options *o, const char *program, struct mu_config *config, int *status);

#endif
