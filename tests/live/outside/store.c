/* SPDX-License-Identifier: Apache-2.0 */
/* The store against a real PostgreSQL: SQLSTATEs as faults, a session that ends at each place where it can, arrays of
 * every kind there and back. MUSTER_TEST_PG is its conninfo. */
#include "tap.h"

#include "base/clock.h"
#include "outside/store.h"

#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <netinet/in.h>
#include <unistd.h>

enum { RAISE, KILL_ME, KILL_OTHER, DEFER_KILL, ECHO_ARRAYS, SLEEPY, BINARY, AGAIN, COUNT };
static const struct mu_statement statements[COUNT] = {
    [RAISE] = {"raise", "select pg_temp.raise($1::text)"},
    [KILL_ME] = {"kill me", "select pg_terminate_backend(pg_backend_pid())"},
    [KILL_OTHER] = {"kill other", "select pg_terminate_backend($1::int)"},
    [DEFER_KILL] = {"defer kill", "insert into pg_temp.doomed values (1)"},
    [ECHO_ARRAYS] = {"echo arrays", "select array_to_string($1, ',', 'null'), array_to_string($2, ',', 'null'), array_to_string($3, ',', 'null'), "
                                    "array_to_string($4, ',', 'null'), array_to_string($5, ',', 'null'), encode(($6)[1], 'hex'), ($6)[2] is null, "
                                    "array_to_string($7, ',', 'null'), cardinality($1)"},
    [SLEEPY] = {"sleepy", "select $1::bigint + 1 from pg_sleep(0.05)"},
    [BINARY] = {"binary", "select $1::bigint, $2::bytea, $3::uuid, $4::text, (-5)::int", .binary = true},
    [AGAIN] = {"again", "select 7"},
};

static struct mu_store *open_store(void)
{
    struct mu_store *s = NULL;
    struct mu_error err = {0};
    if (!mu_store_open(&s, getenv("MUSTER_TEST_PG"), "muster-test", statements, COUNT, &err) ||
        !mu_store_script(s, "create function pg_temp.raise(code text) returns void language plpgsql as "
                            "$$ begin raise exception 'as asked' using errcode = code; end $$;"
                            "create temp table doomed (x int);"
                            "create function pg_temp.die() returns trigger language plpgsql as "
                            "$$ begin perform pg_terminate_backend(pg_backend_pid()); return null; end $$;"
                            "create constraint trigger t after insert on doomed deferrable initially deferred "
                            "for each row execute function pg_temp.die()", &err))
        TAP_FAIL("%s", err.text);
    return s;
}

TAP_TEST(a_sqlstate_says_what_has_to_happen_next)
{
    static const struct { const char *state; enum mu_fault fault; const char *code; } cases[] = {
        {"08006", MU_UNAVAILABLE, ""}, {"40001", MU_UNAVAILABLE, "again"}, {"40P01", MU_UNAVAILABLE, "again"},
        {"53100", MU_UNAVAILABLE, ""}, {"53300", MU_UNAVAILABLE, ""}, {"57014", MU_UNAVAILABLE, "timed_out"}, {"55P03", MU_UNAVAILABLE, "locked"},
        {"25006", MU_UNAVAILABLE, ""}, {"22003", MU_REJECTED, ""}, {"23505", MU_REJECTED, ""}, {"42P01", MU_BROKEN, ""},
        {"XX000", MU_BROKEN, ""}, {"P0001", MU_BROKEN, ""}};
    struct mu_store *s = open_store();
    MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
    for (size_t i = 0; i < MU_COUNT(cases); i++) {
        struct mu_error err = {0};
        mu_args_reset(args);
        mu_arg_text(args, mu_span_of(cases[i].state));
        CHECK(!mu_store_run(s, RAISE, args, NULL, &err));
        if (err.fault != cases[i].fault || strcmp(err.code, cases[i].code) != 0)
            TAP_FAIL("%s is fault %d code \"%s\": %s", cases[i].state, (int)err.fault, err.code, err.text);
        CHECK(strstr(err.text, "as asked") && strstr(err.text, cases[i].state));
        bool lasts = strcmp(cases[i].state, "25006") != 0; /* read-only: the session is of no use */
        CHECK(mu_store_alive(s) == lasts);
        if (!lasts) {
            mu_store_free(s);
            s = open_store();
        }
    }
    mu_store_free(s);
}

TAP_TEST(a_session_that_is_ended_is_told_and_can_be_opened_again)
{
    struct mu_store *s = open_store();
    struct mu_error err = {0};
    CHECK(mu_store_begin(s, &err));
    CHECK(!mu_store_run(s, KILL_ME, NULL, NULL, &err));
    CHECK_INT(err.fault, MU_UNAVAILABLE);
    CHECK(!mu_store_alive(s));
    mu_store_rollback(s); /* also fine now */
    mu_error_clear(&err);
    CHECK(!mu_store_run(s, AGAIN, NULL, NULL, &err));
    CHECK_INT(err.fault, MU_UNAVAILABLE);
    mu_error_clear(&err);
    CHECK(mu_store_reconnect(s, &err));
    CHECK(mu_store_run(s, AGAIN, NULL, NULL, &err)); /* prepared anew */
    mu_store_free(s);
}

TAP_TEST(a_commit_without_an_answer_is_unknown)
{
    struct mu_store *s = open_store();
    struct mu_error err = {0};
    CHECK(mu_store_begin(s, &err) && mu_store_run(s, DEFER_KILL, NULL, NULL, &err));
    CHECK(!mu_store_commit(s, &err)); /* the deferred trigger ends the session within COMMIT */
    CHECK_INT(err.fault, MU_UNAVAILABLE);
    CHECK_TEXT(err.code, "commit_unknown");
    mu_store_free(s);
}

TAP_TEST(a_commit_of_a_failed_transaction_is_no_success)
{
    struct mu_store *s = open_store();
    MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
    struct mu_error err = {0}, ignored = {0};
    mu_arg_text(args, mu_span_of("22003"));
    CHECK(mu_store_begin(s, &err) && !mu_store_run(s, RAISE, args, NULL, &ignored));
    CHECK(!mu_store_commit(s, &err));
    CHECK(mu_store_run(s, AGAIN, NULL, NULL, &ignored));
    mu_store_free(s);
}

TAP_TEST(a_statement_runs_while_its_caller_does_something_else)
{
    struct mu_store *s = open_store();
    MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct mu_error err = {0};
    int turns = 0;
    mu_arg_i64(args, 41);
    CHECK(mu_store_start(s, SLEEPY, args, &err));
    mu_args_reset(args); /* they have been sent */
    for (; !mu_store_ready(s) && turns < 100; turns++) {
        struct pollfd p = {.fd = mu_store_socket(s), .events = POLLIN};
        (void)poll(&p, 1, 1000);
    }
    CHECK(turns > 0 && turns < 100);
    CHECK(mu_store_finish(s, &rows, &err));
    CHECK_INT(mu_row_i64(rows, 0, 0), 42);
    CHECK(mu_store_run(s, AGAIN, NULL, NULL, &err));
    mu_arg_i64(args, 1);
    CHECK(mu_store_start(s, SLEEPY, args, &err));
    mu_store_abandon(s);
    CHECK(!mu_store_alive(s));
    CHECK(mu_store_reconnect(s, &err) && mu_store_run(s, AGAIN, NULL, NULL, &err));
    mu_store_free(s);
}

TAP_TEST(a_statement_whose_session_ends_meanwhile_is_told_at_its_finish)
{
    struct mu_store *s = open_store(), *other = open_store();
    MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
    struct mu_error err = {0};
    int64_t pid = mu_store_backend_pid(s);
    mu_arg_i64(args, 1);
    CHECK(mu_store_start(s, SLEEPY, args, &err));
    mu_args_reset(args);
    mu_arg_i64(args, pid);
    CHECK(mu_store_run(other, KILL_OTHER, args, NULL, &err));
    CHECK(!mu_store_finish(s, NULL, &err));
    CHECK_INT(err.fault, MU_UNAVAILABLE);
    mu_store_free(s);
    mu_store_free(other);
}

TAP_TEST(arrays_of_every_kind_arrive_as_they_were_given)
{
    struct mu_store *s = open_store();
    MU_AUTO(mu_args_free) struct mu_args *a = mu_args_new();
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct mu_error err = {0};
    struct mu_id id = mu_id_new();
    char text[MU_ID_MAX];
    mu_id_format(id, text);
    mu_arg_array_begin(a, MU_ARRAY_TEXT);
    mu_arg_array_text(a, mu_span_of("a \"b\", {c}"));
    mu_arg_array_null(a);
    mu_arg_array_text(a, mu_span_of(""));
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_I64);
    mu_arg_array_i64(a, INT64_MIN);
    mu_arg_array_i64(a, INT64_MAX);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_I32);
    mu_arg_array_i64(a, -1);
    mu_arg_array_null(a);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_BOOL);
    mu_arg_array_bool(a, true);
    mu_arg_array_bool(a, false);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_ID);
    mu_arg_array_id(a, id);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_BYTES);
    mu_arg_array_bytes(a, mu_span("\0\xff\\", 3));
    mu_arg_array_null(a);
    mu_arg_array_end(a);
    mu_arg_array_begin(a, MU_ARRAY_TIME);
    mu_arg_array_time_us(a, INT64_C(1764000000123456));
    mu_arg_array_end(a);
    CHECK(mu_store_run(s, ECHO_ARRAYS, a, &rows, &err));
    if (!rows) {
        TAP_FAIL("%s", err.text);
        return;
    }
    CHECK_TEXT(mu_row_text(rows, 0, 0), "a \"b\", {c},null,");
    CHECK_TEXT(mu_row_text(rows, 0, 1), "-9223372036854775808,9223372036854775807");
    CHECK_TEXT(mu_row_text(rows, 0, 2), "-1,null");
    CHECK_TEXT(mu_row_text(rows, 0, 3), "t,f");
    CHECK_TEXT(mu_row_text(rows, 0, 4), text);
    CHECK_TEXT(mu_row_text(rows, 0, 5), "00ff5c");
    CHECK(mu_row_bool(rows, 0, 6));
    CHECK_TEXT(mu_row_text(rows, 0, 7), "2025-11-24 16:00:00.123456+00");
    CHECK_INT(mu_row_i64(rows, 0, 8), 3);
    mu_store_free(s);
}

TAP_TEST(columns_that_come_in_binary_say_the_same)
{
    struct mu_store *s = open_store();
    MU_AUTO(mu_args_free) struct mu_args *a = mu_args_new();
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    struct mu_error err = {0};
    struct mu_id id = mu_id_new(), back;
    mu_arg_i64(a, INT64_C(-9000000000));
    mu_arg_bytes(a, mu_span("\0\x01x", 3));
    mu_arg_id(a, id);
    mu_arg_text(a, mu_span_of("tëxt"));
    CHECK(mu_store_run(s, BINARY, a, &rows, &err));
    if (!rows) {
        TAP_FAIL("%s", err.text);
        return;
    }
    CHECK_INT(mu_row_i64(rows, 0, 0), INT64_C(-9000000000));
    CHECK_SPAN(mu_row_span(rows, 0, 1), mu_span("\0\x01x", 3));
    CHECK(mu_row_id(rows, 0, 2, &back) && mu_id_equal(id, back));
    CHECK_TEXT(mu_row_text(rows, 0, 3), "tëxt");
    CHECK_INT(mu_row_i64(rows, 0, 4), -5);
    mu_store_free(s);
}

TAP_TEST(a_schema_of_another_version_is_refused_with_what_to_run)
{
    struct mu_store *s = open_store();
    struct mu_error err = {0};
    CHECK(mu_store_check_schema(s, &err));
    CHECK(mu_store_script(s, "update muster.schema_migration set version = version + 100", &err));
    CHECK(!mu_store_check_schema(s, &err));
    CHECK_INT(err.fault, MU_BROKEN);
    CHECK(strstr(err.hint, "newer muster"));
    mu_error_clear(&err);
    CHECK(mu_store_script(s, "update muster.schema_migration set version = version - 102", &err));
    CHECK(!mu_store_check_schema(s, &err));
    CHECK(strstr(err.hint, "muster db migrate"));
    mu_store_free(s);
}

/* A backend that is stopped: its sockets stay open, and it answers nothing. */
static void stop_backend(const struct mu_store *s)
{
    if (kill(mu_store_backend_pid(s), SIGSTOP) != 0)
        TAP_FAIL("could not stop the backend");
}

TAP_TEST(a_server_that_is_stopped_costs_no_more_than_the_limit)
{
    for (size_t megabytes = 0; megabytes <= 16; megabytes += 16) { /* sending can hang as well as waiting */
        struct mu_store *s = open_store();
        MU_AUTO(mu_args_free) struct mu_args *args = mu_args_new();
        MU_AUTO(mu_text_free) struct mu_text much = {0};
        struct mu_error err = {0};
        pid_t backend = mu_store_backend_pid(s);
        CHECK(mu_store_run(s, AGAIN, NULL, NULL, &err));
        for (size_t i = 0; i < megabytes << 14; i++)
            mu_text_puts(&much, "sixty-four bytes of text that say nothing at all to the server..");
        mu_arg_text(args, mu_text_span(&much));
        mu_store_limit(s, 300);
        stop_backend(s);
        int64_t began = mu_clock_ms();
        CHECK(!mu_store_run(s, RAISE, args, NULL, &err));
        int64_t took = mu_clock_ms() - began;
        CHECK(took >= 250 && took < 2000);
        CHECK_INT(err.fault, MU_UNAVAILABLE);
        CHECK_TEXT(err.code, "silent");
        CHECK(!mu_store_alive(s));
        kill(backend, SIGCONT);
        mu_error_clear(&err);
        CHECK(mu_store_reconnect(s, &err) && mu_store_run(s, AGAIN, NULL, NULL, &err));
        mu_store_free(s);
    }
}

TAP_TEST(a_commit_that_a_stopped_server_does_not_answer_is_unknown)
{
    struct mu_store *s = open_store();
    struct mu_error err = {0};
    pid_t backend = mu_store_backend_pid(s);
    CHECK(mu_store_begin(s, &err) && mu_store_run(s, AGAIN, NULL, NULL, &err));
    mu_store_limit(s, 300);
    stop_backend(s);
    CHECK(!mu_store_commit(s, &err));
    CHECK_INT(err.fault, MU_UNAVAILABLE);
    CHECK_TEXT(err.code, "commit_unknown");
    kill(backend, SIGCONT);
    mu_store_free(s);
}

static bool three_times(void *ctx, int64_t waited_ms)
{
    int *heard = ctx;
    return waited_ms > 0 && ++*heard < 3;
}

TAP_TEST(who_waits_is_heard_and_may_give_up)
{
    struct mu_store *s = open_store(), *beside = NULL;
    struct mu_error err = {0};
    pid_t backend = mu_store_backend_pid(s);
    int heard = 0;
    mu_store_while_waiting(s, three_times, &heard);
    CHECK(mu_store_run(s, AGAIN, NULL, NULL, &err));
    CHECK_INT(heard, 0); /* nobody is kept waiting */
    stop_backend(s);
    CHECK(!mu_store_run(s, AGAIN, NULL, NULL, &err));
    CHECK_INT(heard, 3);
    CHECK_TEXT(err.code, "silent");
    kill(backend, SIGCONT);
    mu_error_clear(&err);
    CHECK(mu_store_open_beside(&beside, s, "muster-test-beside", &err) && mu_store_run(beside, AGAIN, NULL, NULL, &err));
    heard = 0;
    backend = mu_store_backend_pid(beside);
    stop_backend(beside);
    CHECK(!mu_store_run(beside, AGAIN, NULL, NULL, &err));
    CHECK_INT(heard, 3);
    kill(backend, SIGCONT);
    mu_store_free(beside);
    mu_store_free(s);
}

/* A port that lets everybody in and says nothing. */
static int mute_port(int *port)
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(at);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&at, sizeof(at)) != 0 || listen(fd, 8) != 0 ||
        getsockname(fd, (struct sockaddr *)&at, &len) != 0)
        TAP_FAIL("no port");
    *port = ntohs(at.sin_port);
    return fd;
}

/* The value of a keyword of the test's conninfo, "" if it has none. */
static const char *part_of_conninfo(const char *keyword, char *out, size_t size)
{
    const char *at = strstr(getenv("MUSTER_TEST_PG"), keyword);
    snprintf(out, size, "%.*s", at ? (int)strcspn(at + strlen(keyword), " ") : 0, at ? at + strlen(keyword) : "");
    return out;
}

TAP_TEST(of_several_hosts_one_that_is_mute_is_passed_over)
{
    int port, fd = mute_port(&port);
    char conninfo[1400], host[600], real_port[20];
    struct mu_store *s = NULL;
    struct mu_error err = {0};
    snprintf(conninfo, sizeof(conninfo), "%s host='127.0.0.1,%s' port=%d,%s", getenv("MUSTER_TEST_PG"),
             part_of_conninfo("host=", host, sizeof(host)), port, part_of_conninfo("port=", real_port, sizeof(real_port)));
    if (!mu_store_open(&s, conninfo, "muster-test", statements, COUNT, &err))
        TAP_FAIL("%s", err.text);
    else
        CHECK(mu_store_run(s, AGAIN, NULL, NULL, &err));
    mu_store_free(s);
    close(fd);
}

TAP_TEST(a_server_that_can_only_be_read_is_no_database_of_ours)
{
    char conninfo[1400];
    struct mu_store *s = NULL;
    struct mu_error err = {0};
    snprintf(conninfo, sizeof(conninfo), "%s options='-c default_transaction_read_only=on'", getenv("MUSTER_TEST_PG"));
    CHECK(!mu_store_open(&s, conninfo, "muster-test", statements, COUNT, &err));
    CHECK_INT(err.fault, MU_UNAVAILABLE);
    CHECK(strstr(err.text, "read-only"));
    snprintf(conninfo, sizeof(conninfo), "%s options='-c default_transaction_read_only=on' target_session_attrs=any", getenv("MUSTER_TEST_PG"));
    mu_error_clear(&err);
    CHECK(mu_store_open(&s, conninfo, "muster-test", statements, COUNT, &err));
    mu_store_free(s);
}

int main(void)
{
    return tap_run();
}
