/* SPDX-License-Identifier: Apache-2.0 */
/* Every statement that the recorder knows. */
#ifndef MU_RECORDER_STATEMENTS_H
#define MU_RECORDER_STATEMENTS_H

#include "outside/store.h"

enum { SQL_RECORD, SQL_POSITIONS, SQL_POSITION_NOTE, SQL_POSITIONS_THIN, SQL_LOCK, SQL_LOCK_BEAT, SQL_LOCK_STALE, SQL_LOCK_END,
       SQL_UNLOCK, SQL_COUNT };
extern const struct mu_statement recorder_statements[SQL_COUNT];

#endif
