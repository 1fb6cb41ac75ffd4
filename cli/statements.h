/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement that `muster` knows, of the verbs that ask PostgreSQL themselves. */
#ifndef MU_CLI_STATEMENTS_H
#define MU_CLI_STATEMENTS_H

#include "outside/store.h"

enum {
    SQL_AUDIT_CHAIN,
    SQL_AUDIT_HASHES,
    SQL_AUDIT_RANGES,
    SQL_AUDIT_ROWS,
    SQL_AUDIT_STRAYS,
    SQL_AUDIT_TIMES,
    SQL_DROP_NEXT,
    SQL_MAINTAIN,
    SQL_POSITION,
    SQL_REPLAY_QUARANTINE,
    SQL_REPORT_BEGIN,
    SQL_REPORT_SET,
    SQL_REPORT_VALUE,
    SQL_RESUBMIT,
    SQL_RETENTION_SET,
    SQL_RETIRE_DUE,
    SQL_RETIRE_EVENTS,
    SQL_RETIRE_NEXT,
    SQL_TAKE_TIME,
    SQL_COUNT
};
extern const struct mu_statement cli_statements[SQL_COUNT];

#endif
