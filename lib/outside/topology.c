/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/topology.h"
#include "format/json.h"

/* Codes of the broker that are answers. */
enum { STREAM_EXISTS = 10058, CONSUMER_EXISTS = 10148, NO_STREAM = 10059, NO_CONSUMER = 10014 };

#define SECOND_NS INT64_C(1000000000)
#define DAY_NS (86400 * SECOND_NS)

struct builder {
    struct mu_bus *bus;
    const struct mu_config *config;
    enum mu_topology_do action;
    struct mu_topology_report *report;
};

static struct mu_topology_item *add_item(struct builder *b, const char *kind, const char *name)
{
    struct mu_topology_item *grown = realloc(b->report->items, (b->report->count + 1) * sizeof(*grown));
    if (!grown)
        return NULL;
    b->report->items = grown;
    struct mu_topology_item *item = &grown[b->report->count++];
    *item = (struct mu_topology_item){.state = MU_ITEM_SAME};
    snprintf(item->what, sizeof(item->what), "%s %.100s", kind, name);
    return item;
}

size_t mu_topology_made(const struct mu_topology_report *r)
{
    size_t made = 0;
    for (size_t i = 0; i < r->count; i++)
        made += r->items[i].state == MU_ITEM_CREATED;
    return made;
}

void mu_topology_report_free(struct mu_topology_report *r)
{
    free(r->items);
    *r = (struct mu_topology_report){0};
}

static void describe(const json_t *value, char out[80])
{
    MU_AUTO(mu_text_free) struct mu_text text = {0};
    if (value)
        mu_json_write(&text, value);
    snprintf(out, 80, "%.79s", value ? text.at : "not set");
}

/* What the broker leaves out of its answer means false, 0 or nothing. */
static bool is_nothing(const json_t *value)
{
    return !value || json_is_false(value) || json_is_null(value) ||
           (json_is_integer(value) && json_integer_value(value) == 0) || (json_is_string(value) && !json_string_length(value)) ||
           ((json_is_array(value) || json_is_object(value)) && !json_array_size(value) && !json_object_size(value));
}

static bool same(const json_t *wanted, const json_t *got)
{
    if (is_nothing(wanted) && is_nothing(got))
        return true;
    if (!got)
        return false;
    if (!json_is_object(wanted))
        return json_equal(wanted, got);
    const char *key;
    json_t *value, *borrowed;
    memcpy(&borrowed, &wanted, sizeof(borrowed));
    json_object_foreach(borrowed, key, value)
    {
        if (!same(value, json_object_get(got, key)))
            return false;
    }
    return true;
}

/* Only the fields that we set: newer servers add their own. */
static void compare(struct mu_topology_item *item, const json_t *wanted, const json_t *got)
{
    const char *key;
    json_t *value, *borrowed;
    size_t len = 0;
    memcpy(&borrowed, &wanted, sizeof(borrowed));
    json_object_foreach(borrowed, key, value)
    {
        char is[80], want[80];
        if (same(value, json_object_get(got, key)) || len >= sizeof(item->difference) - 1)
            continue;
        describe(json_object_get(got, key), is);
        describe(value, want);
        int more = snprintf(item->difference + len, sizeof(item->difference) - len, "%s%s is %s, wanted %s", len ? "; " : "", key,
                            is, want);
        len += more > 0 ? (size_t)more : 0;
        item->state = MU_ITEM_DIFFERENT;
    }
}

static bool call(struct builder *b, const char *what, const json_t *body, json_t **answer, int *code, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text request = {0};
    MU_AUTO(mu_text_free) struct mu_text text = {0};
    if (body)
        mu_json_write(&request, body);
    if (!mu_js_api(b->bus, what, mu_text_span(&request), &text, err) ||
        !mu_json_parse(answer, mu_text_span(&text), (size_t)4 << 20, err))
        return mu_while(err, "setting up the broker");
    *code = (int)mu_json_int(json_object_get(*answer, "error"), "err_code", 0);
    return true;
}

static bool refuse(const char *what, const json_t *answer, int code, struct mu_error *err)
{
    const char *text = mu_json_text(json_object_get(answer, "error"), "description");
    mu_fail(err, MU_UNAVAILABLE, "the broker refused %s: %s (%d)", what, text ? text : "no reason given", code);
    if (code == 10047)
        mu_hint(err, "its store is too small: raise max_file_store, or lower stream.*_bytes and bucket.*_bytes");
    return false;
}

/* Creates the thing if it is missing and that is asked; else compares. Takes `body`; `wanted` may be the same. */
static bool ensure(struct builder *b, const char *kind, const char *name, const char *info, const char *create, json_t *body,
                   const json_t *wanted, int missing_code, struct mu_error *err)
{
    struct mu_topology_item *item = add_item(b, kind, name);
    MU_AUTO(mu_json_free) json_t *holder = body;
    MU_AUTO(mu_json_free) json_t *answer = NULL;
    int code = 0;
    if (!item)
        return mu_fail(err, MU_BROKEN, "out of memory");
    if (!call(b, info, NULL, &answer, &code, err))
        return false;
    if (code && code != missing_code)
        return refuse(info, answer, code, err);
    if (!code) {
        compare(item, wanted, json_object_get(answer, "config"));
        return true;
    }
    item->state = MU_ITEM_MISSING;
    if (b->action == MU_TOPOLOGY_VERIFY)
        return true;
    MU_AUTO(mu_json_free) json_t *made = NULL;
    if (!call(b, create, holder, &made, &code, err))
        return false;
    if (code && code != STREAM_EXISTS && code != CONSUMER_EXISTS) /* somebody else has just made it */
        return refuse(create, made, code, err);
    item->state = MU_ITEM_CREATED;
    return true;
}

static bool stream(struct builder *b, const char *kind, json_t *config, struct mu_error *err)
{
    char info[MU_SUBJECT_MAX], create[MU_SUBJECT_MAX];
    const char *name = mu_json_text(config, "name");
    json_object_set_new(config, "storage", json_string("file"));
    json_object_set_new(config, "num_replicas", json_integer(b->config->stream_replicas));
    if (!json_object_get(config, "discard"))
        json_object_set_new(config, "discard", json_string("new"));
    if (!json_object_get(config, "retention"))
        json_object_set_new(config, "retention", json_string("limits"));
    snprintf(info, sizeof(info), "STREAM.INFO.%s", name);
    snprintf(create, sizeof(create), "STREAM.CREATE.%s", name);
    return ensure(b, kind, name, info, create, config, config, NO_STREAM, err);
}

static bool streams(struct builder *b, struct mu_error *err)
{
    const struct mu_config *c = b->config;
    return stream(b, "stream",
                  json_pack("{s:s,s:[s],s:I,s:I,s:I,s:i,s:b,s:b}", "name", MU_STREAM_INTAKE, "subjects", MU_SUBJECT_INTAKE, "max_age",
                            (json_int_t)(14 * DAY_NS), "max_bytes", (json_int_t)c->stream_intake_bytes, "duplicate_window",
                            (json_int_t)(SECOND_NS / 10), "max_msg_size", 1048576, "allow_direct", 1, "deny_delete", 1), err) &&
           stream(b, "stream",
                  json_pack("{s:s,s:[s],s:s,s:I,s:I,s:i,s:b,s:b}", "name", MU_STREAM_TASKS, "subjects", MU_SUBJECTS_TASK, "retention",
                            "workqueue", "max_bytes", (json_int_t)c->stream_tasks_bytes, "duplicate_window",
                            (json_int_t)(600 * SECOND_NS), "max_msg_size", 262144, "allow_direct", 1, "deny_purge", 1), err) &&
           stream(b, "stream",
                  json_pack("{s:s,s:[s,s],s:I,s:I,s:b,s:b}", "name", MU_STREAM_RESULTS, "subjects", MU_SUBJECTS_RESULT,
                            MU_SUBJECTS_FINDING, "max_age", (json_int_t)(14 * DAY_NS), "max_bytes",
                            (json_int_t)c->stream_results_bytes, "allow_direct", 1, "deny_delete", 1), err) &&
           stream(b, "stream",
                  json_pack("{s:s,s:[s],s:I,s:I,s:b,s:b}", "name", MU_STREAM_PARTIALS, "subjects", MU_SUBJECTS_PARTIAL, "max_age",
                            (json_int_t)(7 * DAY_NS), "max_bytes", (json_int_t)c->stream_partials_bytes, "allow_direct", 1,
                            "allow_rollup_hdrs", 1), err) &&
           stream(b, "stream",
                  json_pack("{s:s,s:[s],s:s,s:I,s:I,s:b}", "name", MU_STREAM_EVENTS, "subjects", MU_SUBJECTS_EVENT, "discard", "old",
                            "max_age", (json_int_t)(14 * DAY_NS), "max_bytes", (json_int_t)c->stream_events_bytes, "allow_direct", 1), err);
}

static bool bucket(struct builder *b, const char *name, int64_t bytes, int64_t age_ns, int64_t window_ns, const char *republish,
                   struct mu_error *err)
{
    char stream_name[MU_SUBJECT_MAX], filter[MU_SUBJECT_MAX], source[MU_SUBJECT_MAX + 2];
    mu_stream_of_bucket(stream_name, name);
    mu_subject_of_key(filter, name, ">");
    json_t *config = json_pack("{s:s,s:[s],s:i,s:I,s:I,s:i,s:b,s:b,s:b}", "name", stream_name, "subjects", filter,
                               "max_msgs_per_subject", 1, "max_bytes", (json_int_t)bytes, "max_age", (json_int_t)age_ns,
                               "max_msg_size", 1048576, "allow_rollup_hdrs", 1, "deny_delete", 1, "allow_direct", 1);
    if (window_ns)
        json_object_set_new(config, "duplicate_window", json_integer(window_ns));
    if (republish) {
        mu_subject_of_key(source, name, ">");
        json_object_set_new(config, "republish", json_pack("{s:s,s:s}", "src", source, "dest", republish));
    }
    return stream(b, "bucket", config, err);
}

static bool buckets(struct builder *b, struct mu_error *err)
{
    const struct mu_config *c = b->config;
    return bucket(b, MU_BUCKET_STATE, c->bucket_state_bytes, 7 * DAY_NS, 0, NULL, err) &&
           bucket(b, MU_BUCKET_AGENTS, c->bucket_agents_bytes, 30 * SECOND_NS, 30 * SECOND_NS, MU_SUBJECTS_AGENT, err) &&
           bucket(b, MU_BUCKET_PACKS, c->bucket_packs_bytes, 0, 0, NULL, err) &&
           bucket(b, MU_BUCKET_POLICY, c->bucket_policy_bytes, 0, 0, MU_SUBJECTS_POLICY, err);
}

static bool consumer(struct builder *b, const char *of, const char *name, const char *filter, const char *ack_policy,
                     int64_t ack_wait_ms, int max_ack_pending, struct mu_error *err)
{
    char info[2 * MU_SUBJECT_MAX + 20], create[3 * MU_SUBJECT_MAX + 20];
    json_t *config = json_pack("{s:s,s:s,s:s,s:I,s:i,s:i,s:i,s:s}", "durable_name", name, "deliver_policy", "all", "ack_policy",
                               ack_policy, "ack_wait", (json_int_t)(ack_wait_ms * 1000000), "max_deliver", -1, "max_ack_pending",
                               max_ack_pending, "max_waiting", 20000, "replay_policy", "instant");
    if (filter)
        json_object_set_new(config, "filter_subject", json_string(filter));
    json_object_set_new(config, "num_replicas", json_integer(b->config->stream_replicas > 1 ? b->config->stream_replicas : 0));
    snprintf(info, sizeof(info), "CONSUMER.INFO.%s.%s", of, name);
    snprintf(create, sizeof(create), "CONSUMER.CREATE.%s.%s%s%s", of, name, filter ? "." : "", filter ? filter : "");
    /* with "action" an existing consumer is never changed; without it the broker would do so silently */
    json_t *body = json_pack("{s:s,s:s,s:O}", "stream_name", of, "action", "create", "config", config);
    bool done = ensure(b, "consumer", name, info, create, body, config, NO_CONSUMER, err);
    json_decref(config);
    return done;
}

static bool consumers(struct builder *b, struct mu_error *err)
{
    const struct mu_config *c = b->config;
    for (size_t q = 0; q < c->queues.count; q++) {
        for (int p = MU_HIGH; p < MU_PRIORITIES; p++) {
            char name[MU_SUBJECT_MAX], filter[MU_SUBJECT_MAX];
            if (!mu_token_valid(mu_span_of(c->queues.at[q])))
                return mu_reject(err, "invalid", "", "queues.names: \"%s\" is no token of letters, digits, _ and -", c->queues.at[q]);
            mu_consumer_task(name, c->queues.at[q], (enum mu_priority)p);
            mu_filter_task(filter, c->queues.at[q], (enum mu_priority)p);
            if (!consumer(b, MU_STREAM_TASKS, name, filter, "explicit", c->task_ack_wait_ms, 20000, err))
                return false;
        }
    }
    return consumer(b, MU_STREAM_RESULTS, MU_CONSUMER_RECORDER, NULL, "all", 60000, 100000, err) &&
           consumer(b, MU_STREAM_INTAKE, MU_CONSUMER_INTAKE, NULL, "explicit", 30000, 20000, err);
}

bool mu_topology(struct mu_bus *bus, const struct mu_config *config, enum mu_topology_do action,
                 struct mu_topology_report *out, struct mu_error *err)
{
    MU_AUTO(mu_topology_report_free) struct mu_topology_report report = {0};
    struct builder b = {.bus = bus, .config = config, .action = action, .report = &report};
    if (!streams(&b, err) || !buckets(&b, err) || !consumers(&b, err))
        return false;
    *out = report;
    report = (struct mu_topology_report){0};
    return true;
}
