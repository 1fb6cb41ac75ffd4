/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement that `muster` knows, of the verbs that ask PostgreSQL themselves. */
#ifndef MU_CLI_STATEMENTS_H
#define MU_CLI_STATEMENTS_H

#include "outside/store.h"

enum { SQL_AUDIT_VERIFY, SQL_RESUBMIT, SQL_REPLAY_QUARANTINE, SQL_POSITION, SQL_COUNT };
extern const struct mu_statement cli_statements[SQL_COUNT];

#endif
