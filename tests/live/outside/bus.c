/* SPDX-License-Identifier: Apache-2.0 */
/* The bus against a real nats-server: what a publish, a pull, a compare-and-set say when all is well, when the stream is
 * missing or full, when the broker is silent. MUSTER_TEST_NATS is its URL, MUSTER_TEST_NATS_PID its process. */
#include "tap.h"

#include "base/clock.h"
#include "format/config.h"
#include "format/json.h"
#include "outside/bus.h"
#include "outside/kv.h"
#include "outside/topology.h"

#include <signal.h>

static struct mu_bus *bus;

static void api(const char *what, const char *body)
{
    MU_AUTO(mu_text_free) struct mu_text answer = MU_TEXT(0);
    struct mu_error err = {0};
    if (!mu_js_api(bus, what, mu_span_of(body), &answer, &err) || strstr(answer.at, "\"error\""))
        TAP_FAIL("%s: %s %s", what, err.text, answer.len ? answer.at : "");
}

static bool publish(const char *stream, const char *subject, const char *id, struct mu_puback *ack)
{
    struct mu_error err = {0};
    *ack = (struct mu_puback){.tag = 0};
    return mu_bus_publish(bus, stream, subject, id, mu_span_of("x"), NULL, 0, 2000, ack, &err) && ack->ok;
}

TAP_TEST(a_publish_gets_its_acknowledgement_and_a_repeat_is_told_as_one)
{
    struct mu_puback first, again;
    api("STREAM.CREATE.T_PUB", "{\"name\":\"T_PUB\",\"subjects\":[\"t.pub.>\"],\"storage\":\"file\"}");
    CHECK(publish("T_PUB", "t.pub.a", "one", &first));
    CHECK(!first.duplicate);
    CHECK_INT(first.sequence, 1);
    CHECK(publish("T_PUB", "t.pub.a", "one", &again));
    CHECK(again.duplicate);
    CHECK_INT(again.sequence, 1);
}

TAP_TEST(a_publish_that_no_stream_takes_is_unavailable)
{
    struct mu_puback ack;
    struct mu_error err = {0};
    bool sent = mu_bus_publish(bus, "T_NONE", "t.none.a", NULL, mu_span_of("x"), NULL, 0, 2000, &ack, &err);
    CHECK(!sent || !ack.ok);
    CHECK_INT(sent ? ack.err.fault : err.fault, MU_UNAVAILABLE);
}

TAP_TEST(a_full_stream_refuses_and_takes_again_when_there_is_room)
{
    struct mu_puback ack;
    struct mu_error err = {0};
    api("STREAM.CREATE.T_FULL", "{\"name\":\"T_FULL\",\"subjects\":[\"t.full.>\"],\"storage\":\"file\",\"max_msgs\":1,\"discard\":\"new\"}");
    CHECK(publish("T_FULL", "t.full.a", NULL, &ack));
    CHECK(!publish("T_FULL", "t.full.b", "b", &ack));
    CHECK_INT(ack.err.fault, MU_UNAVAILABLE); /* back-pressure: keep it and try again */
    CHECK(mu_stream_delete(bus, "T_FULL", 1, &err));
    CHECK(publish("T_FULL", "t.full.b", "b", &ack));
}

TAP_TEST(the_last_message_of_a_stream_is_one_that_is_there)
{
    struct mu_puback ack;
    struct mu_error err = {0};
    uint64_t last = 7;
    api("STREAM.CREATE.T_LAST", "{\"name\":\"T_LAST\",\"subjects\":[\"t.last.>\"],\"storage\":\"file\"}");
    CHECK(mu_stream_last(bus, "T_LAST", "t.last.>", &last, &err));
    CHECK_INT(last, 0);
    for (int i = 0; i < 3; i++)
        CHECK(publish("T_LAST", "t.last.a.b", NULL, &ack));
    CHECK(mu_stream_last(bus, "T_LAST", "t.last.>", &last, &err));
    CHECK_INT(last, 3);
    CHECK(mu_stream_delete(bus, "T_LAST", 3, &err));
    CHECK(mu_stream_last(bus, "T_LAST", "t.last.>", &last, &err));
    CHECK_INT(last, 2);
}

TAP_TEST(what_a_silent_broker_did_not_answer_is_unknown_and_sent_again_with_the_same_id)
{
    struct mu_flow *flow = NULL;
    struct mu_error err = {0};
    struct mu_puback ack;
    int64_t number = 0;
    CHECK(mu_parse_i64(mu_span_of(getenv("MUSTER_TEST_NATS_PID")), 2, INT32_MAX, &number));
    const pid_t broker = (pid_t)number;
    CHECK(mu_flow_new(&flow, bus, "T_PUB", 2, 300, &err));
    kill(broker, SIGSTOP);
    CHECK(mu_flow_publish(flow, "t.pub.silent", "silent", mu_span_of("x"), NULL, 0, 7, &err));
    CHECK(mu_flow_publish(flow, "t.pub.silent", "other", mu_span_of("x"), NULL, 0, 8, &err));
    CHECK(!mu_flow_publish(flow, "t.pub.silent", "third", mu_span_of("x"), NULL, 0, 9, &err));
    CHECK_INT(err.fault, MU_UNAVAILABLE); /* no more than two under way */
    for (int i = 0; i < 2; i++) {
        CHECK(mu_flow_next(flow, 5000, &ack));
        CHECK(!ack.ok && (ack.tag == 7 || ack.tag == 8));
        CHECK_INT(ack.err.fault, MU_UNAVAILABLE);
    }
    CHECK_INT(mu_flow_under_way(flow), 0);
    kill(broker, SIGCONT);
    mu_error_clear(&err);
    CHECK(mu_flow_publish(flow, "t.pub.silent", "silent", mu_span_of("x"), NULL, 0, 10, &err));
    CHECK(mu_flow_next(flow, 5000, &ack));
    CHECK(ack.ok && ack.tag == 10 && ack.duplicate); /* the first copy had arrived after all */
    mu_flow_free(flow);
}

TAP_TEST(a_compare_and_set_is_lost_to_whoever_wrote_first)
{
    struct mu_error err = {0};
    uint64_t mine = 0, theirs = 0, next = 0;
    MU_AUTO(mu_entry_free) struct mu_entry entry = {0};
    CHECK(mu_kv_cas(bus, MU_BUCKET_STATE, "cas", 0, mu_span_of("mine"), &mine, &err));
    CHECK(mu_kv_put(bus, MU_BUCKET_STATE, "cas", mu_span_of("theirs"), &theirs, &err));
    CHECK(!mu_kv_cas(bus, MU_BUCKET_STATE, "cas", mine, mu_span_of("mine again"), &next, &err));
    CHECK_INT(err.fault, MU_LOST);
    mu_error_clear(&err);
    CHECK(mu_kv_get(bus, MU_BUCKET_STATE, "cas", &entry, &err));
    CHECK(entry.present && entry.sequence == theirs);
    CHECK_SPAN(mu_text_span(&entry.value), mu_span_of("theirs"));
    CHECK(!mu_kv_cas(bus, MU_BUCKET_STATE, "cas", 0, mu_span_of("new"), &next, &err));
    CHECK_INT(err.fault, MU_LOST);
}

TAP_TEST(a_stale_purge_is_refused_and_a_purged_key_can_be_written_again)
{
    struct mu_error err = {0};
    uint64_t first = 0, second = 0, third = 0;
    MU_AUTO(mu_entry_free) struct mu_entry entry = {0};
    CHECK(mu_kv_cas(bus, MU_BUCKET_STATE, "purge", 0, mu_span_of("1"), &first, &err));
    CHECK(mu_kv_cas(bus, MU_BUCKET_STATE, "purge", first, mu_span_of("2"), &second, &err));
    CHECK(!mu_kv_purge(bus, MU_BUCKET_STATE, "purge", first, &err));
    CHECK_INT(err.fault, MU_LOST);
    mu_error_clear(&err);
    CHECK(mu_kv_purge(bus, MU_BUCKET_STATE, "purge", second, &err));
    CHECK(mu_kv_get(bus, MU_BUCKET_STATE, "purge", &entry, &err));
    CHECK(!entry.present && entry.sequence > second); /* a marker: its sequence is what the next write expects */
    CHECK(mu_kv_cas(bus, MU_BUCKET_STATE, "purge", entry.sequence, mu_span_of("3"), &third, &err));
}

static bool count_key(void *ctx, const char *key, const struct mu_entry *entry)
{
    *(int *)ctx += strncmp(key, "walk-", 5) == 0 && entry->present;
    return true;
}

TAP_TEST(a_walk_meets_every_key_that_is_there_and_no_other)
{
    struct mu_error err = {0};
    int seen = 0;
    for (int i = 0; i < 20; i++) {
        char key[20];
        snprintf(key, sizeof(key), "walk-%d", i);
        CHECK(mu_kv_put(bus, MU_BUCKET_PACKS, key, mu_span_of("1"), NULL, &err));
        CHECK(mu_kv_put(bus, MU_BUCKET_PACKS, key, mu_span_of("2"), NULL, &err));
        if (i % 4 == 0)
            CHECK(mu_kv_purge(bus, MU_BUCKET_PACKS, key, UINT64_MAX, &err));
    }
    CHECK(mu_kv_walk(bus, MU_BUCKET_PACKS, count_key, &seen, &err));
    CHECK_INT(seen, 15);
}

/* Waits for a delivery, at most five seconds. */
static struct mu_message *next_delivery(struct mu_pull *pull)
{
    for (int64_t until = mu_clock_ms() + 5000; mu_clock_ms() < until;) {
        struct mu_message *m = mu_pull_take(pull);
        if (m)
            return m;
        mu_bus_wait(bus, -1, 50);
    }
    return NULL;
}

TAP_TEST(what_is_pulled_comes_in_order_and_comes_again_only_when_it_should)
{
    struct mu_error err = {0};
    struct mu_pull *pull = NULL;
    struct mu_puback ack;
    api("STREAM.CREATE.T_PULL", "{\"name\":\"T_PULL\",\"subjects\":[\"t.pull.>\"],\"storage\":\"file\",\"retention\":\"workqueue\"}");
    api("CONSUMER.CREATE.T_PULL.c", "{\"stream_name\":\"T_PULL\",\"config\":{\"durable_name\":\"c\",\"name\":\"c\",\"ack_policy\":\"explicit\","
                                   "\"ack_wait\":600000000,\"max_deliver\":-1}}");
    const struct mu_pull_options options = {.stream = "T_PULL", .consumer = "c"};
    CHECK(mu_pull_open(&pull, bus, &options, &err));
    mu_pull_want(pull, 4);
    for (int i = 0; i < 3; i++)
        CHECK(publish("T_PULL", "t.pull.a", NULL, &ack));
    struct mu_message *first = next_delivery(pull), *second = next_delivery(pull), *third = next_delivery(pull);
    CHECK(first && second && third);
    if (!first || !second || !third)
        return;
    CHECK(first->stream_sequence == 1 && second->stream_sequence == 2 && third->stream_sequence == 3);
    CHECK_INT(first->delivered, 1);
    CHECK(mu_ack(bus, first, &err));
    CHECK(mu_nak(bus, second, 400, &err));
    /* in progress: prolonged beyond twice the time that it would have had */
    const int64_t began = mu_clock_ms();
    struct mu_message *again = NULL;
    while (!again && mu_clock_ms() - began < 1500) {
        CHECK(mu_work_in_progress(bus, third->reply, 1000, &err));
        mu_bus_wait(bus, -1, 100);
        again = mu_pull_take(pull);
        if (again && again->stream_sequence == 2) { /* the one handed back, not before its delay */
            CHECK(mu_clock_ms() - began >= 350);
            CHECK_INT(again->delivered, 2);
            CHECK(mu_ack(bus, again, &err));
            mu_message_free(again);
            again = NULL;
        }
    }
    CHECK(!again); /* the third was ours all the time */
    again = next_delivery(pull); /* no longer prolonged: now it comes again */
    CHECK(again && again->stream_sequence == 3 && again->delivered == 2);
    mu_message_free(again);
    mu_message_free(first);
    mu_message_free(second);
    mu_message_free(third);
    mu_pull_free(pull);
}

TAP_TEST(a_consumer_that_is_deleted_and_made_again_is_pulled_from_again)
{
    struct mu_error err = {0};
    struct mu_pull *pull = NULL;
    struct mu_puback ack;
    struct mu_consumer_state state = {0};
    bool found = false;
    static const char config[] = "{\"stream_name\":\"T_AGAIN\",\"config\":{\"durable_name\":\"c\",\"name\":\"c\",\"ack_policy\":\"explicit\"}}";
    api("STREAM.CREATE.T_AGAIN", "{\"name\":\"T_AGAIN\",\"subjects\":[\"t.again.>\"],\"storage\":\"file\"}");
    api("CONSUMER.CREATE.T_AGAIN.c", config);
    const struct mu_pull_options options = {.stream = "T_AGAIN", .consumer = "c"};
    CHECK(mu_pull_open(&pull, bus, &options, &err));
    mu_pull_want(pull, 1);
    mu_bus_wait(bus, -1, 0);
    /* the server drops a request that it has not looked at when the consumer goes: then silence is what tells */
    for (int64_t until = mu_clock_ms() + 5000; !state.waiting && mu_clock_ms() < until;)
        CHECK(mu_consumer_find(bus, "T_AGAIN", "c", &found, &state, &err));
    CHECK_INT(state.waiting, 1);
    CHECK(mu_consumer_delete(bus, "T_AGAIN", "c", &err));
    CHECK(mu_consumer_delete(bus, "T_AGAIN", "c", &err)); /* once more is fine */
    for (int64_t until = mu_clock_ms() + 5000; mu_pull_trouble(pull)->fault == MU_OK && mu_clock_ms() < until;) {
        mu_message_free(mu_pull_take(pull));
        mu_bus_wait(bus, -1, 50);
    }
    CHECK_INT(mu_pull_trouble(pull)->fault, MU_UNAVAILABLE);
    api("CONSUMER.CREATE.T_AGAIN.c", config);
    CHECK(publish("T_AGAIN", "t.again.a", NULL, &ack));
    struct mu_message *m = next_delivery(pull);
    CHECK(m && m->stream_sequence == 1);
    mu_message_free(m);
    mu_pull_free(pull);
}

TAP_TEST(what_stands_is_compared_with_what_is_wanted_and_left_as_it_is)
{
    MU_AUTO(mu_topology_report_free) struct mu_topology_report first = {0}, second = {0};
    struct mu_config config;
    struct mu_error err = {0};
    struct mu_stream_state state;
    bool found = false;
    int different = 0;
    CHECK(mu_config_load(&config, "", NULL, 0, &err));
    CHECK(mu_topology(bus, &config, MU_TOPOLOGY_VERIFY, &first, &err));
    for (size_t i = 0; i < first.count; i++)
        if (first.items[i].state != MU_ITEM_SAME)
            TAP_FAIL("%s: %s", first.items[i].what, first.items[i].difference);
    config.stream_events_bytes *= 2;
    CHECK(mu_topology(bus, &config, MU_TOPOLOGY_CREATE, &second, &err));
    for (size_t i = 0; i < second.count; i++) {
        different += second.items[i].state == MU_ITEM_DIFFERENT;
        if (second.items[i].state == MU_ITEM_DIFFERENT)
            CHECK(strstr(second.items[i].what, MU_STREAM_EVENTS) && strstr(second.items[i].difference, "max_bytes"));
    }
    CHECK_INT(different, 1);
    CHECK(mu_stream_find(bus, MU_STREAM_EVENTS, &found, &state, &err));
    CHECK_INT(state.max_bytes, config.stream_events_bytes / 2);
    mu_config_fini(&config);
}

int main(void)
{
    struct mu_error err = {0};
    struct mu_config config;
    MU_AUTO(mu_topology_report_free) struct mu_topology_report report = {0};
    const struct mu_bus_options options = {.url = getenv("MUSTER_TEST_NATS"), .role = "test", .name = "muster-test"};
    if (!mu_bus_open(&bus, &options, &err) || !mu_config_load(&config, "", NULL, 0, &err) ||
        !mu_topology(bus, &config, MU_TOPOLOGY_CREATE, &report, &err)) {
        printf("Bail out! %s\n", err.text);
        return 1;
    }
    int status = tap_run();
    mu_config_fini(&config);
    mu_bus_free(bus);
    return status;
}
