/* SPDX-License-Identifier: Apache-2.0 */
/* The one table of settings: alphabetical; whatever describes a setting elsewhere is made from it or compared with
 * it. */
#include "format/config_keys.h"

#include <limits.h>

#define AT(field) offsetof(struct mu_config, field)
#define KIB INT64_C(1024)
#define MIB (INT64_C(1024) * 1024)
#define GIB (INT64_C(1024) * 1024 * 1024)
#define SECOND INT64_C(1000)
#define HOUR (INT64_C(3600) * 1000)
#define DAY (24 * HOUR)
#define YEAR (366 * DAY)

const struct mu_key mu_config_keys[] = {
    {"agent.id", MU_KEY_TEXT, AT(agent_id), "", 0, 63, "name of this agent; default: host and process id"},
    {"agent.type", MU_KEY_TEXT, AT(agent_type), "general", 1, 63, "label of this agent; routing is by queue"},
    {"audit.head_every", MU_KEY_DURATION, AT(audit_head_every_ms), "1m", SECOND, DAY, "how often the head of the audit trail is noted outside of the database"},
    {"audit.head_file", MU_KEY_TEXT, AT(audit_head_file), "", 0, 4095,
     "file to which the dispatcher appends heads, a JSON document a line: on storage that who rules the database cannot write; default: events only"},
    {"bucket.agents_bytes", MU_KEY_SIZE, AT(bucket_agents_bytes), "64MiB", MIB, 64 * GIB, "max_bytes of the registry"},
    {"bucket.packs_bytes", MU_KEY_SIZE, AT(bucket_packs_bytes), "64MiB", MIB, 64 * GIB, "max_bytes of the packs in force"},
    {"bucket.policy_bytes", MU_KEY_SIZE, AT(bucket_policy_bytes), "16MiB", MIB, 64 * GIB, "max_bytes of the policies"},
    {"bucket.state_bytes", MU_KEY_SIZE, AT(bucket_state_bytes), "512MiB", MIB, 1024 * GIB, "max_bytes of the checkpoints"},
    {"data.examples", MU_KEY_TEXT, AT(data_examples), MUSTER_DATADIR "/examples", 0, 4095, "directory of the reports that `muster report` runs, <name>.sql"},
    {"data.lists", MU_KEY_LIST, AT(data_lists), MUSTER_DATADIR "/lists", 0, 0,
     "directories of reference lists, <name>@<version>.csv; the first that has a list wins"},
    {"data.migrations", MU_KEY_TEXT, AT(data_migrations), MUSTER_DATADIR "/migrations", 0, 4095, "directory of the schema's migrations"},
    {"data.packs", MU_KEY_TEXT, AT(data_packs), MUSTER_DATADIR "/packs", 0, 4095, "directory of the packs that are shipped"},
    {"dispatcher.bundle_bytes", MU_KEY_SIZE, AT(dispatcher_bundle_bytes), "64KiB", KIB, 192 * KIB, "largest queue message of several tasks"},
    {"dispatcher.bundle_tasks", MU_KEY_INT, AT(dispatcher_bundle_tasks), "256", 1, 256, "most small tasks that ride in one message; 1: none share"},
    {"dispatcher.commit_jobs", MU_KEY_INT, AT(dispatcher_commit_jobs), "4000", 1, 20000, "most jobs in one commit"},
    {"dispatcher.provision", MU_KEY_BOOL, AT(dispatcher_provision), "true", 0, 1, "create streams, buckets and consumers that are missing"},
    {"dispatcher.reconcile", MU_KEY_DURATION, AT(dispatcher_reconcile_ms), "5s", 100, HOUR, "pause between two passes of the reconciler"},
    {"dispatcher.republish_rate", MU_KEY_INT, AT(dispatcher_republish_rate), "5000", 1, 1000000, "most messages a second that the reconciler publishes again"},
    {"http.ca_file", MU_KEY_TEXT, AT(http_ca_file), "", 0, 4095, "file of the certificates that https: sources are checked against; default: the machine's"},
    {"http.connect_timeout", MU_KEY_DURATION, AT(http_connect_timeout_ms), "10s", 100, HOUR, "one attempt to connect to an http: or https: source"},
    {"http.hosts", MU_KEY_LIST, AT(http_hosts), "", 1, 255,
     "hosts whose http: and https: sources may be read: name, name:port, *.domain; none: no such sources"},
    {"http.private", MU_KEY_BOOL, AT(http_private), "false", 0, 1, "such sources may lie at private, loopback and link-local addresses"},
    {"http.proxy", MU_KEY_SECRET, AT(http_proxy), "", 0, 1023, "proxy for such sources, which then sees to their addresses; default: none, whatever the environment says"},
    {"http.redirects", MU_KEY_INT, AT(http_redirects), "0", 0, 10, "most redirects that are followed, to hosts of http.hosts, never from https: to http:"},
    {"http.stall_timeout", MU_KEY_DURATION, AT(http_stall_timeout_ms), "30s", 100, HOUR, "longest silence of such a source"},
    {"http.total_timeout", MU_KEY_DURATION, AT(http_total_timeout_ms), "30m", 100, 1000 * HOUR, "longest time that one answer of such a source may be waited for"},
    {"log.format", MU_KEY_TEXT, AT(log_format), "auto", 0, 10, "auto, text or json; auto: text on a terminal"},
    {"log.level", MU_KEY_TEXT, AT(log_level), "info", 0, 10, "debug, info, warning or error"},
    {"nats.connect_timeout", MU_KEY_DURATION, AT(nats_connect_timeout_ms), "2s", 100, 60 * SECOND, "one attempt to connect"},
    {"nats.creds", MU_KEY_TEXT, AT(nats_creds), "", 0, 4095, "credentials file"},
    {"nats.inbox", MU_KEY_TEXT, AT(nats_inbox), "", 0, 63, "prefix of inboxes, for logins with other rights than their role's; default: _INBOX_ and the role"},
    {"nats.jetstream_domain", MU_KEY_TEXT, AT(nats_jetstream_domain), "", 0, 63, "behind a leaf node: the domain of the hub that has JetStream"},
    {"nats.nkey", MU_KEY_TEXT, AT(nats_nkey), "", 0, 4095, "file with the seed of an nkey"},
    {"nats.password", MU_KEY_SECRET, AT(nats_password), "", 0, 1023, "password of nats.user"},
    {"nats.token", MU_KEY_SECRET, AT(nats_token), "", 0, 1023, "token"},
    {"nats.url", MU_KEY_TEXT, AT(nats_url), "nats://127.0.0.1:4222", 1, 2047, "the broker; several, separated by commas"},
    {"nats.user", MU_KEY_TEXT, AT(nats_user), "", 0, 255, "user name"},
    {"postgres.conninfo", MU_KEY_SECRET, AT(postgres_conninfo), "", 0, 4095, "libpq connection string or URI; service=… keeps it out of here"},
    {"queues.names", MU_KEY_LIST, AT(queues), "default", 1, 63, "the queues that exist"},
    {"recorder.batch_bytes", MU_KEY_SIZE, AT(recorder_batch_bytes), "2MiB", MIB, 64 * MIB, "most bytes of results in one commit"},
    {"recorder.batch_messages", MU_KEY_INT, AT(recorder_batch_messages), "5000", 1, 5000, "most result messages in one commit"},
    {"retention.audit", MU_KEY_DURATION, AT(retention_audit_ms), "7y", 0, 1000 * YEAR,
     "how long the audit trail is kept, and as long as what it speaks of is; 0: for ever"},
    {"retention.events", MU_KEY_DURATION, AT(retention_events_ms), "90d", 0, 1000 * YEAR, "how long refused submissions and late results are kept; 0: for ever"},
    {"retention.findings", MU_KEY_DURATION, AT(retention_findings_ms), "2y", 0, 1000 * YEAR, "how long findings are kept; 0: for ever"},
    {"retention.grace", MU_KEY_DURATION, AT(retention_grace_ms), "30d", 0, 10 * YEAR,
     "how long a partition that was taken out waits in schema muster_retired before it is dropped"},
    {"retention.outcomes", MU_KEY_DURATION, AT(retention_outcomes_ms), "7y", 0, 1000 * YEAR, "how long jobs, tasks, outcomes and counters are kept; 0: for ever"},
    {"source.buckets", MU_KEY_LIST, AT(source_buckets), "muster_sources", 1, 63, "buckets of the NATS object store from which object: sources may be read"},
    {"source.max_bytes", MU_KEY_SIZE, AT(source_max_bytes), "64GiB", KIB, 1024 * 1024 * GIB, "most bytes that a source may have by http: or once it is unpacked"},
    {"source.window_bytes", MU_KEY_SIZE, AT(source_window_bytes), "32MiB", KIB, 2 * GIB, "most memory that zstd data may ask for as its window"},
    {"stream.events_bytes", MU_KEY_SIZE, AT(stream_events_bytes), "512MiB", MIB, 1024 * GIB, "max_bytes of MUSTER_EVENTS"},
    {"stream.intake_bytes", MU_KEY_SIZE, AT(stream_intake_bytes), "512MiB", MIB, 1024 * GIB, "max_bytes of MUSTER_INTAKE"},
    {"stream.partials_bytes", MU_KEY_SIZE, AT(stream_partials_bytes), "1GiB", MIB, 1024 * GIB, "max_bytes of MUSTER_PARTIALS"},
    {"stream.replicas", MU_KEY_INT, AT(stream_replicas), "1", 1, 5, "copies of each stream: 1, or 3 in a cluster"},
    {"stream.results_bytes", MU_KEY_SIZE, AT(stream_results_bytes), "4GiB", MIB, 1024 * GIB, "max_bytes of MUSTER_RESULTS"},
    {"stream.tasks_bytes", MU_KEY_SIZE, AT(stream_tasks_bytes), "4GiB", MIB, 1024 * GIB, "max_bytes of MUSTER_TASKS"},
    {"submit.max_batch", MU_KEY_INT, AT(submit_max_batch), "10000", 1, 100000, "most jobs in one submission"},
    {"submit.max_bytes", MU_KEY_SIZE, AT(submit_max_bytes), "1MiB", KIB, 64 * MIB, "largest submission"},
    {"submit.max_labels", MU_KEY_INT, AT(submit_max_labels), "16", 0, 16, "most labels of a job"},
    {"submit.max_records_bytes", MU_KEY_SIZE, AT(submit_max_records_bytes), "192KiB", KIB, 192 * KIB, "largest `records` of a job"},
    {"task.ack_wait", MU_KEY_DURATION, AT(task_ack_wait_ms), "10s", 500, HOUR, "how long a pulled task is an agent's unless it renews"},
    {"task.buckets", MU_KEY_INT, AT(task_buckets), "16", 1, 4096, "partial aggregates are cut in so many buckets"},
    {"task.fields", MU_KEY_INT, AT(task_fields), "4096", 1, 65535, "most fields of a record"},
    {"task.record_bytes", MU_KEY_SIZE, AT(task_record_bytes), "1MiB", KIB, 64 * MIB, "largest record of a source"},
    {"task.shard_bytes", MU_KEY_SIZE, AT(task_shard_bytes), "64MiB", 4 * KIB, 64 * GIB, "a larger source is cut into shards of about this size"},
    {"worker.checkpoint", MU_KEY_DURATION, AT(worker_checkpoint_ms), "500ms", 50, 60 * SECOND, "time between two checkpoints"},
    {"worker.drain", MU_KEY_DURATION, AT(worker_drain_ms), "5s", 100, HOUR, "longest time to hand back what is held"},
    {"worker.fetch", MU_KEY_INT, AT(worker_fetch), "4", 1, 256, "queue messages asked for at once"},
    {"worker.heartbeat", MU_KEY_DURATION, AT(worker_heartbeat_ms), "5s", 100, 10 * SECOND, "time between two entries in the registry"},
    {"worker.queues", MU_KEY_LIST, AT(worker_queues), "default", 1, 63, "the queues that this agent serves"},
    {"worker.read_limit", MU_KEY_SIZE, AT(worker_read_limit), "0", 0, 1024 * GIB, "most bytes a second read from sources; 0: no limit"},
    {"worker.root_marker", MU_KEY_TEXT, AT(worker_root_marker), "", 0, 255, "file that every data root must contain, so that a missing mount is noticed"},
    {"worker.roots", MU_KEY_LIST, AT(worker_roots), "", 0, 4095, "directories below which sources may be read"},
    {"worker.run_limit", MU_KEY_DURATION, AT(worker_run_limit_ms), "1h", SECOND, 1000 * HOUR, "longest run of one task"},
    {"worker.stall_limit", MU_KEY_DURATION, AT(worker_stall_limit_ms), "60s", 100, HOUR, "longest time without progress"},
};
const size_t mu_config_key_count = MU_COUNT(mu_config_keys);

_Static_assert(MU_COUNT(mu_config_keys) <= MU_KEYS_MAX, "struct mu_config has an origin per key");
