/* SPDX-License-Identifier: Apache-2.0 */
/* `file:` sources: what lies below the roots is read, and nothing else. */
#include "base/clock.h"
#include "sources/source.h"
#include "sources/throttle.h"
#include "tap.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

struct place { /* two roots and something outside */
    char dir[64], one[80], two[80];
    struct mu_config config;
    struct mu_sources *sources;
};

static void put(const char *dir, const char *name, const char *text)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    CHECK(fd >= 0);
    CHECK(write(fd, text, strlen(text)) == (ssize_t)strlen(text));
    close(fd);
}

static void link_to(const char *dir, const char *name, const char *target)
{
    char path[400];
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    CHECK(symlink(target, path) == 0);
}

static void place_open(struct place *p, const char *marker)
{
    struct mu_error err = {0};
    char folder[100];
    *p = (struct place){.dir = "/tmp/mu-sources-XXXXXX"};
    CHECK(mkdtemp(p->dir) != NULL);
    CHECK(chmod(p->dir, 0755) == 0);
    snprintf(p->one, sizeof(p->one), "%s/one", p->dir);
    snprintf(p->two, sizeof(p->two), "%s/two", p->dir);
    CHECK(mkdir(p->one, 0755) == 0 && mkdir(p->two, 0755) == 0);
    snprintf(folder, sizeof(folder), "%s/folder", p->one);
    CHECK(mkdir(folder, 0755) == 0);
    put(p->one, "a.csv", "first\n");
    put(p->two, "a.csv", "second\n");
    put(p->two, "b.csv", "only in the second\n");
    put(p->dir, "secret.csv", "outside\n");
    link_to(p->one, "inside.csv", "folder/../a.csv");
    link_to(p->one, "up.csv", "../secret.csv");
    link_to(p->one, "absolute.csv", "/etc/passwd");
    link_to(p->one, "loop.csv", "loop.csv");
    link_to(p->one, "sideways", "../two");
    p->config.worker_roots.at[0] = p->one;
    p->config.worker_roots.at[1] = p->two;
    p->config.worker_roots.count = 2;
    p->config.worker_root_marker = (char *)(uintptr_t)marker;
    CHECK(mu_sources_new(&p->sources, &p->config, &err));
}

static void place_close(struct place *p)
{
    char command[200];
    mu_sources_free(p->sources);
    snprintf(command, sizeof(command), "rm -rf '%s'", p->dir);
    CHECK(system(command) == 0);
}

/* What came of opening it: its text, or the code of the refusal. */
static const char *open_uri(struct place *p, const char *uri)
{
    static char out[400];
    MU_AUTO(mu_source_close) struct mu_source *s = NULL;
    struct mu_error err = {0};
    if (!mu_source_open(&s, p->sources, mu_span_of(uri), mu_span("", 0), &err)) {
        snprintf(out, sizeof(out), "%s", err.code);
        return out;
    }
    if (s->size >= (int64_t)sizeof(out) || !mu_source_read(s, 0, out, (size_t)s->size, &err))
        return "not read";
    out[s->size] = '\0';
    return out;
}

TAP_TEST(relative_paths_are_tried_in_the_order_of_the_roots)
{
    struct place p;
    place_open(&p, "");
    CHECK_TEXT(open_uri(&p, "file:a.csv"), "first\n");
    CHECK_TEXT(open_uri(&p, "file:b.csv"), "only in the second\n");
    CHECK_TEXT(open_uri(&p, "file:folder/../a.csv"), "first\n");
    CHECK_TEXT(open_uri(&p, "file:./a.csv"), "first\n");
    place_close(&p);
}

TAP_TEST(absolute_paths_must_lie_below_a_root)
{
    struct place p;
    char uri[200];
    place_open(&p, "");
    snprintf(uri, sizeof(uri), "file:%s/b.csv", p.two);
    CHECK_TEXT(open_uri(&p, uri), "only in the second\n");
    snprintf(uri, sizeof(uri), "file://%s/a.csv", p.two);
    CHECK_TEXT(open_uri(&p, uri), "second\n");
    snprintf(uri, sizeof(uri), "file:%s/secret.csv", p.dir);
    CHECK_TEXT(open_uri(&p, uri), "path_refused");
    snprintf(uri, sizeof(uri), "file:%s/../secret.csv", p.one);
    CHECK_TEXT(open_uri(&p, uri), "path_refused");
    snprintf(uri, sizeof(uri), "file:%sx/a.csv", p.one);
    CHECK_TEXT(open_uri(&p, uri), "path_refused");
    CHECK_TEXT(open_uri(&p, "file:/etc/passwd"), "path_refused");
    place_close(&p);
}

TAP_TEST(nothing_leads_out_of_the_roots)
{
    struct place p;
    place_open(&p, "");
    CHECK_TEXT(open_uri(&p, "file:../secret.csv"), "path_refused");
    CHECK_TEXT(open_uri(&p, "file:folder/../../secret.csv"), "path_refused");
    CHECK_TEXT(open_uri(&p, "file:up.csv"), "path_refused");
    CHECK_TEXT(open_uri(&p, "file:absolute.csv"), "path_refused");
    CHECK_TEXT(open_uri(&p, "file:sideways/b.csv"), "path_refused");
    CHECK_TEXT(open_uri(&p, "file:"), "path_refused");
    CHECK_TEXT(open_uri(&p, "http://host/a.csv"), "path_refused");
    CHECK_TEXT(open_uri(&p, "a.csv"), "path_refused");
    CHECK_TEXT(open_uri(&p, "file:inside.csv"), "first\n");
    place_close(&p);
}

TAP_TEST(a_path_with_a_nul_is_refused)
{
    struct place p;
    struct mu_source *s = NULL;
    struct mu_error err = {0};
    place_open(&p, "");
    CHECK(!mu_source_open(&s, p.sources, mu_span("file:a.csv\0b", 12), mu_span("", 0), &err));
    CHECK_TEXT(err.code, "path_refused");
    place_close(&p);
}

TAP_TEST(what_is_no_readable_file_has_its_reason)
{
    struct place p;
    char path[100];
    place_open(&p, "");
    snprintf(path, sizeof(path), "%s/fifo", p.one);
    CHECK(mkfifo(path, 0644) == 0);
    CHECK_TEXT(open_uri(&p, "file:folder"), "source_not_file");
    CHECK_TEXT(open_uri(&p, "file:fifo"), "source_not_file");
    CHECK_TEXT(open_uri(&p, "file:nothere.csv"), "source_missing");
    CHECK_TEXT(open_uri(&p, "file:a.csv/b"), "source_missing");
    CHECK_TEXT(open_uri(&p, "file:loop.csv"), "source_unreadable");
    place_close(&p);
}

/* Root may read everything: a child without that right tries. */
TAP_TEST(an_unreadable_file_is_unreadable)
{
    struct place p;
    char path[100];
    place_open(&p, "");
    snprintf(path, sizeof(path), "%s/closed.csv", p.one);
    put(p.one, "closed.csv", "closed\n");
    CHECK(chmod(path, 0) == 0);
    pid_t child = fork();
    if (child == 0) {
        bool dropped = geteuid() != 0 || (setgid(65534) == 0 && setuid(65534) == 0);
        _exit(!dropped ? 2 : strcmp(open_uri(&p, "file:closed.csv"), "source_unreadable") == 0 ? 0 : 1);
    }
    int status = 0;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status));
    CHECK_INT(WEXITSTATUS(status), 0);
    place_close(&p);
}

TAP_TEST(missing_under_a_missing_root_is_no_outcome)
{
    struct place p;
    char away[100];
    place_open(&p, "");
    snprintf(away, sizeof(away), "%s/away", p.dir);
    CHECK(rename(p.two, away) == 0);
    CHECK_TEXT(open_uri(&p, "file:nothere.csv"), "source_down");
    CHECK_TEXT(open_uri(&p, "file:a.csv"), "first\n");
    CHECK(!mu_sources_ready(p.sources, NULL));
    CHECK(rename(away, p.two) == 0);
    CHECK(mu_sources_ready(p.sources, NULL));
    CHECK_TEXT(open_uri(&p, "file:nothere.csv"), "source_missing");
    place_close(&p);
}

TAP_TEST(a_root_without_its_marker_is_down)
{
    struct place p;
    place_open(&p, ".muster-root");
    CHECK_TEXT(open_uri(&p, "file:nothere.csv"), "source_down");
    put(p.one, ".muster-root", "");
    put(p.two, ".muster-root", "");
    CHECK_TEXT(open_uri(&p, "file:nothere.csv"), "source_missing");
    place_close(&p);
}

TAP_TEST(a_change_is_noticed)
{
    struct place p;
    struct mu_source *s = NULL;
    struct mu_error err = {0};
    char byte[16];
    place_open(&p, "");
    CHECK(mu_source_open(&s, p.sources, mu_span_of("file:a.csv"), mu_span("", 0), &err));
    CHECK(mu_source_unchanged(s, &err));
    put(p.one, "a.csv", "longer than it was\n");
    CHECK(!mu_source_unchanged(s, &err));
    CHECK_TEXT(err.code, "source_changed");
    mu_error_clear(&err);
    put(p.one, "a.csv", "");
    CHECK(!mu_source_read(s, 0, byte, 4, &err));
    CHECK_TEXT(err.code, "source_changed");
    mu_source_close(s);
    place_close(&p);
}

TAP_TEST(the_read_limit_holds_over_time)
{
    struct mu_throttle t = {.bytes_per_second = 1000000};
    int64_t now_us = 1000000, bytes = 0;
    for (int i = 0; i < 200; i++) {
        now_us += 1000 * mu_throttle_take(&t, 25000, now_us);
        bytes += 25000;
    }
    /* 5 MB at 1 MB/s, from a bucket that begins empty */
    CHECK(now_us > 1000000 + 4800000 && now_us < 1000000 + 5500000);
    CHECK_INT(mu_throttle_piece(&t, 100, 1 << 20), 25000);
    CHECK_INT(mu_throttle_piece(&(struct mu_throttle){0}, 100, 1 << 20), 1 << 20);
    CHECK_INT(mu_throttle_take(&(struct mu_throttle){0}, 1 << 20, 5), 0);
}

int main(void)
{
    return tap_run();
}
