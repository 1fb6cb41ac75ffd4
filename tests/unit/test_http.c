/* SPDX-License-Identifier: Apache-2.0 */
/* `http:` and `https:` sources against a server that misbehaves as its paths say (http_server.py). */
#include "base/clock.h"
#include "sources/address.h"
#include "sources/source.h"
#include "tap.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

static struct {
    pid_t pid;
    int to;
    FILE *from;
    int port, tls_port; /* 0: there is no openssl */
    char dir[64], certificate[100];
} server;

static struct mu_config config;
static char allowed[3][80];

/* The server's own settings again: every test begins with them. */
static void settle(void)
{
    snprintf(allowed[0], sizeof(allowed[0]), "127.0.0.1:%d", server.port);
    snprintf(allowed[1], sizeof(allowed[1]), "localhost:%d", server.tls_port ? server.tls_port : 1);
    config = (struct mu_config){.http_private = true,
                                .http_connect_timeout_ms = 5000,
                                .http_stall_timeout_ms = 20000,
                                .http_total_timeout_ms = 60000,
                                .source_max_bytes = INT64_C(1) << 30,
                                .source_window_bytes = 1 << 25};
    config.http_hosts.at[0] = allowed[0];
    config.http_hosts.at[1] = allowed[1];
    config.http_hosts.count = 2;
}

/* A source with what it needs. */
struct opened {
    struct mu_sources *all;
    struct mu_source *source;
    struct mu_error err;
};

static bool open_url(struct opened *o, const char *url)
{
    *o = (struct opened){.all = NULL};
    CHECK(mu_sources_new(&o->all, &config, &o->err));
    return mu_source_open(&o->source, o->all, mu_span_of(url), mu_span("", 0), &o->err);
}

static bool open_path(struct opened *o, const char *path, long long number)
{
    char url[200];
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/%s%lld", server.port, path, number);
    return open_url(o, url);
}

static void close_opened(struct opened *o)
{
    mu_source_close(o->source);
    mu_sources_free(o->all);
}

static char at_offset(int64_t at)
{
    static const char cycle[] = "0123456789abcdefghijklmnopqrstuvwxyz\n";
    return cycle[at % 37];
}

static bool is_content(const char *bytes, int64_t at, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (bytes[i] != at_offset(at + (int64_t)i))
            return false;
    return true;
}

/* Reads [at, at + len) and looks at it. */
static bool read_at(struct opened *o, int64_t at, size_t len)
{
    char *to = malloc(len + 1);
    const bool good = to && mu_source_read(o->source, at, to, len, &o->err) && is_content(to, at, len);
    free(to);
    return good;
}

/* What the server was asked since the last time, as JSON text. */
static const char *seen(void)
{
    static char text[65536];
    struct opened o;
    CHECK(open_path(&o, "seen/", 0));
    const size_t len = o.source->size < (int64_t)sizeof(text) ? (size_t)o.source->size : 0;
    CHECK(mu_source_read(o.source, 0, text, len, &o.err));
    text[len] = '\0';
    close_opened(&o);
    return text;
}

static size_t occurs(const char *text, const char *what)
{
    size_t count = 0;
    while ((text = strstr(text, what))) {
        text += strlen(what);
        count++;
    }
    return count;
}

/* What came of opening it: "" or the code of the failure. */
static const char *outcome(const char *path, long long number)
{
    static char code[40];
    struct opened o;
    snprintf(code, sizeof(code), "%s", open_path(&o, path, number) ? "" : o.err.code);
    close_opened(&o);
    return code;
}

TAP_TEST(a_source_is_read_at_any_offset_by_parts_of_what_was_pinned)
{
    struct opened o;
    settle();
    (void)seen();
    CHECK(open_path(&o, "data/", 5000000));
    CHECK_INT(o.source->size, 5000000);
    CHECK(o.source->seekable);
    CHECK(read_at(&o, 0, 1 << 20));
    CHECK(read_at(&o, 1 << 20, 1 << 20)); /* goes on in the same answer */
    CHECK_INT(occurs(seen(), "\"/data/"), 1);
    CHECK(read_at(&o, 4000000, 1000000));
    CHECK(read_at(&o, 100, 10));
    const char *requests = seen();
    CHECK_INT(occurs(requests, "\"range\": \"bytes=4000000-\""), 1);
    CHECK_INT(occurs(requests, "\"range\": \"bytes=100-\""), 1);
    CHECK_INT(occurs(requests, "\"if-range\": \"\\\"one\\\"\""), 2);
    CHECK(strstr(requests, "\"accept-encoding\": \"identity\""));
    CHECK(!strstr(requests, "cookie") && !strstr(requests, "authorization"));
    CHECK(mu_source_unchanged(o.source, &o.err));
    CHECK(read_at(&o, 4999999, 1));
    close_opened(&o);
}

TAP_TEST(a_server_without_parts_is_read_from_the_beginning)
{
    struct opened o;
    settle();
    CHECK(open_path(&o, "whole/", 3000000));
    CHECK_INT(o.source->size, 3000000);
    CHECK(!o.source->seekable);
    CHECK(read_at(&o, 2000000, 1000000));
    CHECK(read_at(&o, 5, 100));
    CHECK(mu_source_unchanged(o.source, &o.err));
    close_opened(&o);
}

TAP_TEST(the_size_of_a_chunked_answer_is_known_at_its_end)
{
    struct opened o;
    static char to[400000];
    size_t got = 0;
    settle();
    CHECK(open_path(&o, "chunked/", 300000));
    CHECK_INT(o.source->size, -1);
    CHECK(!o.source->seekable);
    CHECK(mu_source_some(o.source, 0, to, sizeof(to), &got, &o.err));
    CHECK_INT(got, 300000);
    CHECK(is_content(to, 0, got));
    CHECK_INT(o.source->size, 300000);
    CHECK(read_at(&o, 100000, 200000));
    close_opened(&o);
}

TAP_TEST(an_empty_source_has_no_bytes)
{
    struct opened o;
    settle();
    CHECK(open_path(&o, "data/", 0));
    CHECK_INT(o.source->size, 0);
    CHECK(mu_source_unchanged(o.source, &o.err));
    close_opened(&o);
}

TAP_TEST(a_change_is_noticed_by_etag_date_and_size)
{
    static const char *const paths[] = {"changes/", "careless/", "redated/", "grows/", "goes/"};
    struct opened o;
    settle();
    for (size_t i = 0; i < MU_COUNT(paths); i++) {
        CHECK(open_path(&o, paths[i], 2000000 + (long long)i));
        CHECK(!read_at(&o, 1500000, 100));
        CHECK_TEXT(o.err.code, "source_changed");
        close_opened(&o);
        CHECK(open_path(&o, paths[i], 900000 + (long long)i));
        CHECK(!mu_source_unchanged(o.source, &o.err));
        CHECK_TEXT(o.err.code, "source_changed");
        close_opened(&o);
    }
}

TAP_TEST(weak_validators_are_compared_and_not_sent)
{
    struct opened o;
    settle();
    (void)seen();
    CHECK(open_path(&o, "weak/", 2000000));
    CHECK(read_at(&o, 1500000, 100));
    CHECK(!strstr(seen(), "if-range"));
    close_opened(&o);
    CHECK(open_path(&o, "dated/", 2000000));
    CHECK(read_at(&o, 1500000, 100));
    CHECK(strstr(seen(), "\"if-range\": \"Tue, 24 Nov 2026"));
    close_opened(&o);
}

TAP_TEST(an_answer_that_breaks_off_is_asked_for_again_where_it_stopped)
{
    struct opened o;
    settle();
    (void)seen();
    CHECK(open_path(&o, "breaks/", 8000000));
    CHECK(read_at(&o, 0, 8000000));
    CHECK_INT(occurs(seen(), "\"/breaks/"), 3);
    close_opened(&o);
}

TAP_TEST(an_answer_that_breaks_off_early_puts_the_task_off)
{
    struct opened o;
    settle();
    CHECK(open_path(&o, "breaksat/1000/", 500000));
    CHECK(!read_at(&o, 0, 500000));
    CHECK_INT(o.err.fault, MU_UNAVAILABLE);
    CHECK_TEXT(o.err.code, "source_down");
    close_opened(&o);
}

TAP_TEST(a_status_says_what_follows)
{
    settle();
    CHECK_TEXT(outcome("status/", 404), "source_missing");
    CHECK_TEXT(outcome("status/", 410), "source_missing");
    CHECK_TEXT(outcome("status/", 401), "source_unreadable");
    CHECK_TEXT(outcome("status/", 403), "source_unreadable");
    CHECK_TEXT(outcome("status/", 206), "source_unreadable");
    CHECK_TEXT(outcome("status/", 204), "source_unreadable");
    CHECK_TEXT(outcome("status/", 429), "source_down");
    CHECK_TEXT(outcome("status/", 500), "source_down");
    CHECK_TEXT(outcome("status/", 503), "source_down");
}

TAP_TEST(a_body_whose_end_cannot_be_told_is_refused)
{
    settle();
    CHECK_TEXT(outcome("open/", 1000), "source_unreadable");
}

TAP_TEST(content_is_not_decoded)
{
    struct opened o;
    settle();
    CHECK(open_path(&o, "encoded/", 1000));
    CHECK(read_at(&o, 0, 1000));
    close_opened(&o);
}

TAP_TEST(silence_and_slowness_end)
{
    struct opened o;
    settle();
    config.http_stall_timeout_ms = 200;
    CHECK_TEXT(outcome("silent/", 0), "source_down");
    CHECK(open_path(&o, "stalls/", 200000));
    CHECK(!read_at(&o, 0, 200000));
    CHECK(strstr(o.err.text, "http.stall_timeout") != NULL);
    close_opened(&o);
    config.http_stall_timeout_ms = 20000;
    config.http_total_timeout_ms = 500;
    CHECK(open_path(&o, "drips/", 200));
    CHECK(!read_at(&o, 0, 200));
    CHECK(strstr(o.err.text, "http.total_timeout") != NULL);
    close_opened(&o);
}

static bool never(void *ctx)
{
    (void)ctx;
    return false;
}

TAP_TEST(whoever_waits_may_give_up)
{
    struct opened o;
    settle();
    CHECK(open_path(&o, "stalls/", 200000));
    mu_sources_serve(o.all, NULL, never, NULL);
    const int64_t before = mu_clock_ms();
    CHECK(!read_at(&o, 0, 200000));
    CHECK_TEXT(o.err.code, "source_down");
    CHECK(mu_clock_ms() - before < 5000);
    close_opened(&o);
}

TAP_TEST(a_size_has_a_limit)
{
    struct opened o;
    char *to = malloc(1 << 20);
    size_t got = 1;
    settle();
    config.source_max_bytes = 1000;
    CHECK_TEXT(outcome("data/", 1000), "");
    CHECK_TEXT(outcome("data/", 1001), "limit_source_bytes");
    config.source_max_bytes = 1 << 20;
    CHECK(open_path(&o, "endless/", 0));
    CHECK(mu_source_some(o.source, 0, to, 1 << 20, &got, &o.err));
    CHECK(!mu_source_some(o.source, 1 << 20, to, 1, &got, &o.err));
    CHECK_TEXT(o.err.code, "limit_source_bytes");
    close_opened(&o);
    free(to);
}

TAP_TEST(only_hosts_of_the_list_are_asked)
{
    settle();
    CHECK_TEXT(outcome("data/", 10), "");
    config.http_hosts.count = 0;
    CHECK_TEXT(outcome("data/", 10), "path_refused");
    settle();
    config.http_hosts.at[0] = (char *)(uintptr_t) "127.0.0.1"; /* port 80 is meant */
    CHECK_TEXT(outcome("data/", 10), "path_refused");
    snprintf(allowed[0], sizeof(allowed[0]), "*.0.0.1:%d", server.port);
    config.http_hosts.at[0] = allowed[0];
    CHECK_TEXT(outcome("data/", 10), "");
    snprintf(allowed[0], sizeof(allowed[0]), "*.27.0.0.1:%d", server.port);
    CHECK_TEXT(outcome("data/", 10), "path_refused");
}

TAP_TEST(private_addresses_are_refused_where_the_connection_is_made)
{
    char url[100];
    struct opened o;
    settle();
    config.http_private = false;
    CHECK_TEXT(outcome("data/", 10), "path_refused");
    snprintf(allowed[2], sizeof(allowed[2]), "localhost:%d", server.port); /* a name that leads there */
    config.http_hosts.at[2] = allowed[2];
    config.http_hosts.count = 3;
    snprintf(url, sizeof(url), "http://localhost:%d/data/10", server.port);
    CHECK(!open_url(&o, url));
    CHECK_TEXT(o.err.code, "path_refused");
    CHECK(strstr(o.err.hint, "http.private") != NULL);
    close_opened(&o);
    config.http_private = true;
    CHECK(open_url(&o, url));
    close_opened(&o);
}

static bool is_public(const char *text)
{
    struct sockaddr_in four = {.sin_family = AF_INET};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6};
    if (inet_pton(AF_INET, text, &four.sin_addr) == 1)
        return mu_address_is_public((const struct sockaddr *)(const void *)&four);
    CHECK(inet_pton(AF_INET6, text, &six.sin6_addr) == 1);
    return mu_address_is_public((const struct sockaddr *)(const void *)&six);
}

TAP_TEST(addresses_of_somebodys_own_network_are_known)
{
    static const char *const own[] = {"0.0.0.0",
                                      "10.0.0.1",
                                      "10.255.255.255",
                                      "100.64.0.1",
                                      "100.127.255.255",
                                      "127.0.0.1",
                                      "127.255.0.1",
                                      "169.254.169.254",
                                      "172.16.0.1",
                                      "172.31.255.255",
                                      "192.0.0.1",
                                      "192.0.2.1",
                                      "192.168.1.1",
                                      "198.18.0.1",
                                      "198.19.255.255",
                                      "198.51.100.1",
                                      "203.0.113.9",
                                      "224.0.0.1",
                                      "239.1.1.1",
                                      "240.0.0.1",
                                      "255.255.255.255",
                                      "::",
                                      "::1",
                                      "::ffff:127.0.0.1",
                                      "::ffff:8.8.8.8",
                                      "fc00::1",
                                      "fd12::1",
                                      "fe80::1",
                                      "ff02::1",
                                      "64:ff9b::10.0.0.1",
                                      "2002:7f00:1::",
                                      "2001::1",
                                      "2001:db8::1",
                                      "100::1",
                                      "3fff::1"};
    static const char *const open[] = {
        "1.1.1.1",   "9.255.255.255", "11.0.0.0",        "100.63.255.255",   "100.128.0.0",
        "126.0.0.1", "128.0.0.1",     "169.253.0.1",     "172.15.0.1",       "172.32.0.1",
        "192.0.1.1", "192.167.0.1",   "198.17.0.1",      "198.20.0.1",       "223.255.255.255",
        "2600::1",   "2a00:1450::1",  "2001:4860::8888", "64:ff9b::8.8.8.8", "2002:808:808::"};
    for (size_t i = 0; i < MU_COUNT(own); i++)
        if (is_public(own[i]))
            TAP_FAIL("%s passes for public", own[i]);
    for (size_t i = 0; i < MU_COUNT(open); i++)
        if (!is_public(open[i]))
            TAP_FAIL("%s does not pass for public", open[i]);
}

/* A redirect to a place on this server. */
static const char *redirected(int code, const char *to)
{
    static char out[40];
    char url[400];
    struct opened o;
    snprintf(url, sizeof(url), "http://127.0.0.1:%d/to/%d/x.csv?%s", server.port, code, to);
    if (!open_url(&o, url))
        snprintf(out, sizeof(out), "%s", o.err.code);
    else
        snprintf(out, sizeof(out), "%s",
                 read_at(&o, 0, 100) && read_at(&o, 500000, 100) ? "read" : o.err.code);
    close_opened(&o);
    return out;
}

TAP_TEST(redirects_are_followed_as_configured)
{
    char twice[200], elsewhere[100];
    settle();
    CHECK_TEXT(redirected(302, "/data/1000000"), "path_refused");
    config.http_redirects = 1;
    CHECK_TEXT(redirected(301, "/data/1000000"), "read");
    CHECK_TEXT(redirected(302, "/data/1000000"), "read");
    CHECK_TEXT(redirected(307, "/data/1000000"), "read");
    CHECK_TEXT(redirected(308, "/status/404"), "source_missing");
    snprintf(twice, sizeof(twice), "/to/302/y?/data/1000000");
    CHECK_TEXT(redirected(302, twice), "path_refused");
    config.http_redirects = 2;
    CHECK_TEXT(redirected(302, twice), "read");
    snprintf(elsewhere, sizeof(elsewhere), "http://localhost:%d/data/1000000",
             server.port); /* not in the list */
    CHECK_TEXT(redirected(302, elsewhere), "path_refused");
    CHECK_TEXT(redirected(302, "file:///etc/passwd"), "path_refused");
    snprintf(elsewhere, sizeof(elsewhere), "ftp://127.0.0.1:%d/data/1000000", server.port);
    CHECK_TEXT(redirected(302, elsewhere), "path_refused");
    snprintf(elsewhere, sizeof(elsewhere), "http://user:pw@127.0.0.1:%d/data/1000000", server.port);
    CHECK_TEXT(redirected(302, elsewhere), "path_refused");
}

TAP_TEST(credentials_fragments_and_no_host_are_refused_before_anything_is_asked)
{
    static const char *const urls[] = {"http://u@127.0.0.1/a",
                                       "http://u:p@127.0.0.1/a",
                                       "https://u:p@h/a",
                                       "http://h/a#b",
                                       "http:/h/a",
                                       "http://",
                                       "http:a",
                                       "ftp://127.0.0.1/a",
                                       "http://127.0.0.1:0x50/",
                                       "http://127.0.0.1:99999/"};
    struct opened o;
    settle();
    config.http_hosts.at[2] = (char *)(uintptr_t) "*.1";
    for (size_t i = 0; i < MU_COUNT(urls); i++) {
        CHECK(!open_url(&o, urls[i]));
        CHECK_TEXT(o.err.code, "path_refused");
        close_opened(&o);
    }
}

TAP_TEST(who_does_not_answer_is_down)
{
    struct opened o;
    settle();
    config.http_hosts.at[0] = (char *)(uintptr_t) "127.0.0.1:1";
    config.http_hosts.at[1] = (char *)(uintptr_t) "no-such-host.invalid";
    CHECK(!open_url(&o, "http://127.0.0.1:1/a"));
    CHECK_TEXT(o.err.code, "source_down");
    close_opened(&o);
    CHECK(!open_url(&o, "http://no-such-host.invalid/a"));
    CHECK_TEXT(o.err.code, "source_down");
    close_opened(&o);
}

TAP_TEST(a_proxy_of_the_environment_is_not_heeded)
{
    settle();
    setenv("http_proxy", "http://127.0.0.1:1", 1);
    CHECK_TEXT(outcome("data/", 10), "");
    unsetenv("http_proxy");
    config.http_proxy = (char *)(uintptr_t) "http://127.0.0.1:1";
    CHECK_TEXT(outcome("data/", 10), "source_down");
}

TAP_TEST(certificates_are_checked)
{
    struct opened o;
    char url[100], from[200];
    settle();
    if (!server.tls_port)
        TAP_SKIP("there is no openssl to make a certificate");
    snprintf(url, sizeof(url), "https://localhost:%d/data/1000", server.tls_port);
    CHECK(!open_url(&o, url));
    CHECK_TEXT(o.err.code, "source_down");
    close_opened(&o);
    config.http_ca_file = server.certificate;
    CHECK(open_url(&o, url));
    CHECK(read_at(&o, 0, 1000));
    close_opened(&o);
    snprintf(allowed[0], sizeof(allowed[0]), "127.0.0.1:%d",
             server.tls_port); /* another name than it certifies */
    snprintf(url, sizeof(url), "https://127.0.0.1:%d/data/1000", server.tls_port);
    CHECK(!open_url(&o, url));
    CHECK_TEXT(o.err.code, "source_down");
    close_opened(&o);
    /* and never from there to what is not encrypted */
    snprintf(allowed[0], sizeof(allowed[0]), "127.0.0.1:%d", server.port);
    config.http_redirects = 5;
    snprintf(from, sizeof(from), "https://localhost:%d/to/302/x?http://127.0.0.1:%d/data/10", server.tls_port,
             server.port);
    CHECK(!open_url(&o, from));
    CHECK_TEXT(o.err.code, "path_refused");
    close_opened(&o);
    snprintf(from, sizeof(from), "http://127.0.0.1:%d/to/302/x?https://localhost:%d/data/10", server.port,
             server.tls_port);
    CHECK(open_url(&o, from));
    close_opened(&o);
}

TAP_TEST(texts_name_no_query)
{
    struct opened o;
    settle();
    CHECK(!open_path(&o, "status/404?signature=hunter", 2));
    CHECK(!strstr(o.err.text, "hunter2") && !strstr(o.err.hint, "hunter2"));
    close_opened(&o);
    CHECK(open_path(&o, "data/100?signature=hunter", 2));
    close_opened(&o);
}

static void make_certificate(void)
{
    char command[500];
    snprintf(server.certificate, sizeof(server.certificate), "%s/both.pem", server.dir);
    snprintf(
        command, sizeof(command),
        "cd %s && openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext "
        "subjectAltName=DNS:localhost -keyout both.pem -out cert.pem 2>/dev/null && cat cert.pem >>both.pem",
        server.dir);
    if (system(command) != 0)
        server.certificate[0] = '\0';
}

static bool start_server(void)
{
    const char *source = getenv("MUSTER_SOURCE");
    char script[600];
    int in[2], out[2];
    snprintf(server.dir, sizeof(server.dir), "/tmp/mu-http-XXXXXX");
    if (!source || !mkdtemp(server.dir) || pipe(in) != 0 || pipe(out) != 0)
        return false;
    make_certificate();
    snprintf(script, sizeof(script), "%s/tests/unit/http_server.py", source);
    server.pid = fork();
    if (server.pid == 0) {
        dup2(in[0], 0);
        dup2(out[1], 1);
        close(in[1]);
        close(out[0]);
        execlp("python3", "python3", script, server.certificate[0] ? server.certificate : NULL, NULL);
        _exit(127);
    }
    close(in[0]);
    close(out[1]);
    server.to = in[1];
    server.from = fdopen(out[0], "r");
    return server.from && fscanf(server.from, "%d", &server.port) == 1 &&
           (!server.certificate[0] || fscanf(server.from, "%d", &server.tls_port) == 1);
}

int main(void)
{
    char command[100];
    signal(SIGPIPE, SIG_IGN);
    if (!start_server()) {
        printf("1..0 # SKIP MUSTER_SOURCE is not set, or there is no python3\n");
        return 0;
    }
    int status = tap_run();
    close(server.to);
    fclose(server.from);
    (void)waitpid(server.pid, NULL, 0);
    snprintf(command, sizeof(command), "rm -rf '%s'", server.dir);
    return system(command) == 0 ? status : 1;
}
