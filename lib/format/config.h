/* SPDX-License-Identifier: Apache-2.0 */
/* The settings of all programs: one table of keys (config.c) with name, type, default, limits and a sentence, from
 * which parser, --help-config, README table and the sample configuration are made or tested. Later sources win:
 * defaults, the libconfig file, MUSTER_<SECTION>_<KEY> in the environment, --set section.key=value. An unknown key
 * or a value out of limits is MU_REJECTED with file and line. NATS_* variables are honoured for the connection
 * below MUSTER_NATS_* (CONVENTIONS: URL and login are separate settings, a login never comes from two sources). */
#ifndef MU_CONFIG_H
#define MU_CONFIG_H

#include "base/error.h"
#include "base/text.h"

#define MU_QUEUES_MAX 32
#define MU_KEYS_MAX 96

struct mu_list { /* of texts: queues, roots, directories */
    char *at[MU_QUEUES_MAX];
    size_t count;
};

struct mu_config {
    /* nats */
    char *nats_inbox, *nats_jetstream_domain;
    char *nats_url, *nats_user, *nats_password, *nats_token, *nats_creds, *nats_nkey;
    int64_t nats_connect_timeout_ms;
    /* postgres */
    char *postgres_conninfo;
    /* log */
    char *log_level, *log_format;
    /* data of the package */
    char *data_examples;           /* directory of <name>.sql, one query each */
    char *data_packs;              /* directory of <name>@<version>.json */
    struct mu_list data_lists;     /* directories of <name>@<version>.csv, first hit wins */
    char *data_migrations;         /* directory of NNNN_<name>.sql */
    /* task: stands in every task, so that no worker setting can change a result */
    int64_t task_shard_bytes, task_buckets, task_record_bytes, task_fields;
    int64_t task_ack_wait_ms;      /* of the consumers; workers renew every third of it */
    /* queues known to the dispatcher and to setup */
    struct mu_list queues;
    /* limits of a submission */
    int64_t submit_max_bytes, submit_max_records_bytes, submit_max_labels, submit_max_batch;
    /* dispatcher */
    bool dispatcher_provision;
    int64_t dispatcher_commit_jobs;                           /* most jobs in one commit */
    int64_t dispatcher_bundle_tasks, dispatcher_bundle_bytes; /* 1 task: no bundles */
    int64_t dispatcher_reconcile_ms, dispatcher_republish_rate; /* pause between passes; messages a second */
    int64_t audit_head_every_ms;
    char *audit_head_file;                                    /* "": heads of the audit trail go out as events only */
    int64_t retention_outcomes_ms, retention_findings_ms, retention_audit_ms, retention_events_ms, retention_grace_ms; /* 0: for ever */
    /* streams */
    int64_t stream_intake_bytes, stream_tasks_bytes, stream_results_bytes, stream_partials_bytes,
        stream_events_bytes, bucket_state_bytes, bucket_agents_bytes, bucket_packs_bytes, bucket_policy_bytes;
    int64_t stream_replicas;
    /* worker */
    char *agent_id, *agent_type;
    struct mu_list worker_queues, worker_roots;
    char *worker_root_marker;      /* file that a mounted root must contain; "": none */
    int64_t worker_checkpoint_ms, worker_read_limit, worker_run_limit_ms, worker_stall_limit_ms,
        worker_heartbeat_ms, worker_drain_ms, worker_fetch; /* fetch: queue messages asked for at once */
    /* sources that are not files below a root */
    struct mu_list source_buckets, http_hosts;
    int64_t source_max_bytes, source_window_bytes;
    char *http_ca_file, *http_proxy;
    bool http_private;
    int64_t http_redirects, http_connect_timeout_ms, http_stall_timeout_ms, http_total_timeout_ms;
    /* recorder */
    int64_t recorder_batch_messages, recorder_batch_bytes;

    const char *origin[MU_KEYS_MAX]; /* where each value came from: "default", "file", "environment", "option" */
};

/* argv_sets: "section.key=value" of each --set. file may be NULL or "" (defaults and environment only). */
MU_MUST bool mu_config_load(struct mu_config *out, const char *file, const char *const *argv_sets,
                            size_t set_count, struct mu_error *err);
void mu_config_fini(struct mu_config *c);
MU_DEFINE_AUTO_VALUE(struct mu_config, mu_config_fini)

/* The key table for people: "task.shard_bytes  size  64MiB  4KiB..4GiB  sentence". */
void mu_config_help(struct mu_text *out);
/* Each effective value with its origin, secrets masked. */
void mu_config_show(const struct mu_config *c, struct mu_text *out);
/* The table as markdown, for the README and its test. */
void mu_config_markdown(struct mu_text *out);

#endif
