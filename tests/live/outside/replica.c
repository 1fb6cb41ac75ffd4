/* SPDX-License-Identifier: Apache-2.0 */
/* Replicas that lag behind: MUSTER_TEST_CLUSTER and MUSTER_TEST_SINGLE are URLs of brokers that answer as one would, the first
 * as part of a cluster (fake_broker.py). */
#include "tap.h"

#include "base/clock.h"
#include "outside/bus.h"
#include "outside/kv.h"
#include "outside/object.h"

static const char mine[] = "{\"mine\":true}";

static struct mu_bus *open_bus(const char *variable)
{
    const struct mu_bus_options options = {.url = getenv(variable), .role = "test", .name = "replica"};
    struct mu_bus *bus = NULL;
    struct mu_error err = {0};
    if (!mu_bus_open(&bus, &options, &err))
        TAP_FAIL("%s: %s", variable, err.text);
    return bus;
}

static bool write_once(struct mu_bus *bus, uint64_t *sequence, struct mu_error *err)
{
    return mu_kv_cas(bus, "b", "k", 5, mu_span_of(mine), sequence, err);
}

TAP_TEST(after_a_refused_write_the_leader_tells_that_it_was_ours)
{
    MU_AUTO(mu_bus_free) struct mu_bus *bus = open_bus("MUSTER_TEST_CLUSTER");
    struct mu_error err = {0};
    uint64_t sequence = 0;
    CHECK(write_once(bus, &sequence, &err));
    CHECK_INT(sequence, 6);
}

TAP_TEST(a_key_is_read_as_the_leader_sees_it)
{
    MU_AUTO(mu_bus_free) struct mu_bus *bus = open_bus("MUSTER_TEST_CLUSTER");
    MU_AUTO(mu_entry_free) struct mu_entry lagging = {0}, now = {0};
    struct mu_error err = {0};
    CHECK(mu_kv_get(bus, "b", "k", &lagging, &err));
    CHECK_INT(lagging.sequence, 5);
    CHECK(mu_kv_get_leader(bus, "b", "k", &now, &err));
    CHECK(now.present);
    CHECK_INT(now.sequence, 6);
    CHECK(mu_span_is(mu_text_span(&now.value), mine));
}

TAP_TEST(a_message_that_a_replica_does_not_have_yet_comes_from_the_leader)
{
    MU_AUTO(mu_bus_free) struct mu_bus *bus = open_bus("MUSTER_TEST_CLUSTER");
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    struct mu_error err = {0};
    int64_t stamp = 0;
    CHECK(mu_stream_get(bus, "T", 7, &m, &err));
    CHECK(m);
    if (!m)
        return;
    CHECK_INT(m->stream_sequence, 7);
    CHECK(mu_span_is(m->body, mine));
    CHECK(strcmp(m->subject, "muster.task.default.normal.x") == 0);
    CHECK(strcmp(mu_message_header(m, "Nats-Msg-Id"), "ride:1") == 0);
    CHECK(strcmp(mu_message_header(m, "X"), "a: b") == 0);
    CHECK(mu_rfc3339_parse(mu_span_of("2026-11-24T10:00:00.123456Z"), &stamp));
    CHECK_INT(m->stored_us, stamp);
}

TAP_TEST(a_message_that_the_leader_does_not_have_is_not_there)
{
    MU_AUTO(mu_bus_free) struct mu_bus *bus = open_bus("MUSTER_TEST_CLUSTER");
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    struct mu_error err = {0};
    CHECK(mu_stream_get(bus, "T", 9, &m, &err));
    CHECK(m == NULL);
}

TAP_TEST(on_a_single_server_the_direct_answer_is_the_last_word)
{
    MU_AUTO(mu_bus_free) struct mu_bus *bus = open_bus("MUSTER_TEST_SINGLE");
    MU_AUTO(mu_message_free) struct mu_message *m = NULL;
    MU_AUTO(mu_message_free) struct mu_message *asked = NULL;
    MU_AUTO(mu_entry_free) struct mu_entry now = {0};
    struct mu_error err = {0};
    uint64_t sequence = 0;
    CHECK(!write_once(bus, &sequence, &err));
    CHECK_INT(err.fault, MU_LOST);
    mu_error_clear(&err);
    CHECK(mu_kv_get_leader(bus, "b", "k", &now, &err));
    CHECK_INT(now.sequence, 5);
    CHECK(mu_stream_get(bus, "T", 7, &m, &err));
    CHECK(m == NULL);
    CHECK(mu_bus_request(bus, "asked.of.the.leader", mu_span("", 0), NULL, 0, 2000, &asked, &err));
    CHECK(mu_span_is(asked->body, "0"));
}

static void check_object(const char *broker, const char *nuid)
{
    MU_AUTO(mu_bus_free) struct mu_bus *bus = open_bus(broker);
    struct mu_object o = {.size = 0};
    enum mu_object_is is = MU_OBJECT_NONE;
    struct mu_error err = {0};
    CHECK(mu_object_find(bus, "b", mu_span_of("a"), &is, &o, &err));
    CHECK_INT(is, MU_OBJECT_THERE);
    CHECK_TEXT(o.nuid, nuid);
}

TAP_TEST(what_an_object_is_now_the_leader_says)
{
    check_object("MUSTER_TEST_CLUSTER", "new");
    check_object("MUSTER_TEST_SINGLE", "old");
}

static void check_heartbeat(const char *broker, const char *wanted)
{
    MU_AUTO(mu_bus_free) struct mu_bus *bus = open_bus(broker);
    MU_AUTO(mu_pull_free) struct mu_pull *pull = NULL;
    MU_AUTO(mu_message_free) struct mu_message *answer = NULL;
    struct mu_error err = {0};
    CHECK(mu_pull_open(&pull, bus, &(struct mu_pull_options){.stream = "T", .consumer = "c"}, &err));
    mu_pull_want(pull, 1);
    mu_bus_wait(bus, -1, 10); /* sends the request */
    CHECK(mu_bus_request(bus, "heartbeat.of.the.last.pull", mu_span("", 0), NULL, 0, 2000, &answer, &err));
    CHECK(mu_span_is(answer->body, wanted));
}

TAP_TEST(a_pull_from_a_cluster_notices_a_dead_leader_in_ten_seconds_and_from_one_server_in_forty)
{
    check_heartbeat("MUSTER_TEST_CLUSTER", "5000000000");
    check_heartbeat("MUSTER_TEST_SINGLE", "20000000000");
}

int main(void)
{
    return tap_run();
}
