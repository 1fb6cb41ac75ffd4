/* SPDX-License-Identifier: Apache-2.0 */
#include "worker.h"

#include "daemon/daemon.h"
#include "engine/run.h"
#include "programs.h"

struct agent_faults agent_faults;

static struct mu_config base;

bool programs_configure(const char *folder, struct mu_error *err)
{
    char lists[400], packs[400], roots[400];
    const char *const sets[] = {"postgres.conninfo=simulated", "task.ack_wait=2s", "worker.heartbeat=1s", "dispatcher.reconcile=1s",
                                "worker.checkpoint=100ms", "worker.drain=2s", "worker.read_limit=20000", "worker.stall_limit=60s",
                                "task.shard_bytes=24KiB", lists, packs, roots};
    snprintf(lists, sizeof(lists), "data.lists=%s/lists", folder);
    snprintf(packs, sizeof(packs), "data.packs=%s/packs", folder);
    snprintf(roots, sizeof(roots), "worker.roots=%s/data", folder);
    return mu_config_load(&base, NULL, sets, MU_COUNT(sets), err);
}

struct mu_config *programs_config(void)
{
    return &base;
}

int run_worker(struct process *p)
{
    struct mu_error err = {0};
    struct mu_worker *w = calloc(1, sizeof(*w));
    struct mu_config *config = world_alloc(sizeof(*config));
    if (!w)
        abort();
    *config = base;
    config->agent_id = p->unit->name;
    if (mu_worker_init(w, config, &err)) {
        mu_daemon_ready();
        if (mu_worker_run(w, &err))
            mu_daemon_stopping();
    }
    if (mu_daemon_should_stop() && err.fault == MU_UNAVAILABLE)
        mu_error_clear(&err);
    mu_worker_fini(w);
    free(w);
    return mu_exit_status(&err);
}

/* ---- hooks ---- */

bool __real_mu_run_feed(struct mu_run *run, struct mu_span bytes, bool last, int64_t most, size_t *used, struct mu_error *err);
bool __wrap_mu_run_feed(struct mu_run *run, struct mu_span bytes, bool last, int64_t most, size_t *used, struct mu_error *err);
bool __wrap_mu_run_feed(struct mu_run *run, struct mu_span bytes, bool last, int64_t most, size_t *used, struct mu_error *err)
{
    if (bytes.len && memmem(bytes.at, bytes.len, POISON, strlen(POISON))) {
        agent_faults.poison_kills++;
        process_kill(process_current(), "poison");
    }
    return __real_mu_run_feed(run, bytes, last, most, used, err);
}

bool __real_mu_source_open(struct mu_source **out, struct mu_sources *all, struct mu_span uri, struct mu_span compression,
                             struct mu_error *err);
bool __wrap_mu_source_open(struct mu_source **out, struct mu_sources *all, struct mu_span uri, struct mu_span compression,
                             struct mu_error *err);
bool __wrap_mu_source_open(struct mu_source **out, struct mu_sources *all, struct mu_span uri, struct mu_span compression,
                             struct mu_error *err)
{
    if (agent_faults.root_down)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "the data root is not there");
    return __real_mu_source_open(out, all, uri, compression, err);
}

bool __real_mu_sources_ready(struct mu_sources *all, struct mu_error *err);
bool __wrap_mu_sources_ready(struct mu_sources *all, struct mu_error *err);
bool __wrap_mu_sources_ready(struct mu_sources *all, struct mu_error *err)
{
    if (agent_faults.root_down)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "the data root is not there");
    return __real_mu_sources_ready(all, err);
}
