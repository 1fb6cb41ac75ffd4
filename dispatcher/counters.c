/* SPDX-License-Identifier: Apache-2.0 */
#include "counters.h"
#include "base/clock.h"
#include "dispatcher.h"
#include "format/json.h"
#include "leader.h"
#include "statements.h"

#define DATABASE_MS 5000

const struct counter_row counter_table[COUNTERS] = {
    [COUNT_CHECKPOINTS_PURGED] = {"checkpoints_purged", "Checkpoints of tasks that were done, purged.", "checkpoint_purged", false},
    [COUNT_MESSAGES_DELETED] = {"messages_deleted", "Queue messages that no open task needed, deleted.", "message_deleted", false},
    [COUNT_MESSAGES_UNKNOWN] = {"messages_unknown", "Queue messages of no task of ours, met and left alone.", NULL, false},
    [COUNT_PACKS_WRITTEN] = {"packs_written", "Packs written back to their bucket from the database.", "pack_written", false},
    [COUNT_REPUBLISH_PAUSES] = {"republish_pauses", "Times that the reconciler waited for dispatcher.republish_rate.", NULL, false},
    [COUNT_RESULTS_REPLAYED] = {"results_replayed", "Results that had been put aside, recorded once their jobs were known.", "result_replayed", false},
    [COUNT_ROWS_CLEARED] = {"rows_cleared", "Rows of the outbox that no open task needed, removed by the reconciler.", NULL, false},
    [COUNT_STAGES_RECOUNTED] = {"stages_recounted", "Jobs whose counts of an unfinished stage were wrong, mended.", "stage_recounted", true},
    [COUNT_TASKS_REPUBLISHED] = {"tasks_republished", "Open tasks that were neither queued nor held, published again.", "task_republished", true},
    [COUNT_TOPOLOGY_MADE] = {"topology_made", "Streams, buckets and consumers that were missing or had to start over, made again.", "topology_made", false},
};

static bool to_tell(const struct counters *c, size_t i)
{
    return counter_table[i].what && !counter_table[i].told_in_sql && c->value[i] > c->told[i];
}

bool counters_tell(struct dispatcher *d, struct mu_error *err)
{
    struct counters *c = &d->counters;
    struct mu_args *a = d->args;
    size_t count = 0;
    mu_args_reset(a);
    mu_arg_array_begin(a, MU_ARRAY_TEXT);
    for (size_t i = 0; i < COUNTERS; i++) {
        if (!to_tell(c, i))
            continue;
        mu_arg_array_text(a, mu_span_of(counter_table[i].what));
        count++;
    }
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_I64);
    for (size_t i = 0; i < COUNTERS; i++)
        if (to_tell(c, i))
            mu_arg_array_i64(a, c->value[i] - c->told[i]);
    mu_arg_array_end(a);
    if (!count)
        return true;
    if (!mu_store_run(d->store, SQL_REPAIRED, a, NULL, err))
        return mu_while(err, "telling of repairs");
    memcpy(c->told, c->value, sizeof(c->told));
    return true;
}

/* Asked only when somebody wants to see them: they are counted in tables that may be long. */
static void look_at_database(struct dispatcher *d)
{
    struct counters *c = &d->counters;
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct mu_error ignored = {0};
    if (c->database_ms && mu_clock_ms() - c->database_ms < DATABASE_MS)
        return;
    mu_text_reset(&c->database);
    c->database_ms = mu_clock_ms();
    if (d->store_next_ms || !mu_store_run(d->store, SQL_COUNTS, NULL, &rows, &ignored))
        return;
    mu_text_putc(&c->database, '{');
    for (size_t i = 0; i < mu_rows_count(rows); i++)
        mu_json_put_int(&c->database, mu_row_text(rows, i, 0), mu_row_i64(rows, i, 1));
    mu_text_putc(&c->database, '}');
}

void counters_write(struct dispatcher *d, struct mu_text *out)
{
    look_at_database(d);
    mu_text_putc(out, '{');
    mu_json_put_bool(out, "leading", leader_leads(d->leader));
    mu_json_key(out, "repairs");
    mu_text_putc(out, '{');
    for (size_t i = 0; i < COUNTERS; i++)
        mu_json_put_int(out, counter_table[i].name, d->counters.value[i]);
    mu_text_putc(out, '}');
    if (d->counters.database.len && !d->counters.database.failed)
        mu_json_put_raw(out, "database", mu_text_span(&d->counters.database));
    mu_text_putc(out, '}');
}

void counters_fini(struct counters *c)
{
    mu_text_free(&c->database);
}
