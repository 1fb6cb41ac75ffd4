/* SPDX-License-Identifier: Apache-2.0 */
/* What this dispatcher has done as the leader, counted since its start: one table of names and sentences, from which
 * whatever shows them is made. A repair is also told as an event `operator.repaired`: by the transaction that makes it
 * where there is one, else once after the pass, so that a pass adds one message at most. */
#ifndef MU_COUNTERS_H
#define MU_COUNTERS_H

#include "base/error.h"
#include "base/text.h"

struct dispatcher;

enum counter {
    COUNT_CHECKPOINTS_PURGED,
    COUNT_MESSAGES_DELETED,
    COUNT_MESSAGES_UNKNOWN,
    COUNT_PACKS_WRITTEN,
    COUNT_REPUBLISH_PAUSES,
    COUNT_RESULTS_REPLAYED,
    COUNT_ROWS_CLEARED,
    COUNT_STAGES_RECOUNTED,
    COUNT_TASKS_REPUBLISHED,
    COUNT_TOPOLOGY_MADE,
    COUNTERS,
};
struct counter_row {
    const char *name, *sentence;
    const char *what;    /* of its event; NULL: it is no repair */
    bool told_in_sql;    /* the function that makes it tells of it */
};
extern const struct counter_row counter_table[COUNTERS];

struct counters {
    int64_t value[COUNTERS], told[COUNTERS];
    struct mu_text database; /* muster.counts() as JSON members, at database_ms */
    int64_t database_ms;
};
/* Tells of what has been mended since it was told last; nothing to tell is fine. */
MU_MUST bool counters_tell(struct dispatcher *d, struct mu_error *err);
/* {"leading":…,"repairs":{…},"database":{…}}: with the numbers of muster.counts(), at most five seconds old, without them
 * while the database is away. */
void counters_write(struct dispatcher *d, struct mu_text *out);
void counters_fini(struct counters *c);

#endif
