/* SPDX-License-Identifier: Apache-2.0 */
/* How fast one core scans a source in this process: a pack's rules over a file, its hash included, and the
 * plan stage beside it. The file's pages are read before the clock starts. One line of JSON.
 *
 *   bench-scan DATA.(csv|json|jsonl|xml) PACK.json LISTS-DIRECTORY [repeats]
 *
 * The records of an XML file are /trades/trade. */
#include "base/clock.h"
#include "engine/plan.h"
#include "engine/run.h"

#include <fcntl.h>
#include <glob.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define CHUNK ((size_t)256 << 10)
#define LISTS_MAX 16

static const struct mu_reader_limits limits = {1 << 20, 4096};

static int stop(const struct mu_error *err, const char *what)
{
    (void)fprintf(stderr, "%s: %s %s\n", what, err->pointer, err->text);
    return 1;
}

static bool map_file(const char *path, struct mu_span *out)
{
    struct stat st;
    const int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) != 0 || st.st_size == 0)
        return false;
    void *at = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    (void)close(fd);
    *out = mu_span(at, (size_t)st.st_size);
    return at != MAP_FAILED;
}

static struct mu_list_data *load_list(const char *folder, const char *name, struct mu_error *err)
{
    char pattern[600];
    glob_t found = {0};
    struct mu_span bytes;
    struct mu_list_data *list = NULL;
    (void)snprintf(pattern, sizeof(pattern), "%s/%s@*.csv", folder, name);
    if (glob(pattern, 0, NULL, &found) != 0 || !map_file(found.gl_pathv[0], &bytes))
        (void)mu_fail(err, MU_BROKEN, "no list %s", pattern);
    else if (!mu_list_parse(&list, bytes, err))
        list = NULL;
    globfree(&found);
    return list;
}

static bool scan(const struct mu_ready *ready, const struct mu_task *task, struct mu_span bytes, bool hash,
                 struct mu_run **out, struct mu_error *err)
{
    const struct mu_run_setup setup = {.task = task, .ready = ready, .limits = limits};
    struct mu_position at;
    struct mu_sha sha;
    bool done = false;
    size_t from = 0, used;
    if (!mu_run_open(out, &setup, err))
        return false;
    while (!done) {
        const size_t n = bytes.len - from < CHUNK ? bytes.len - from : CHUNK;
        if (!mu_run_header(*out, mu_span(bytes.at + from, n), from + n == bytes.len, &done, &at, err))
            return false;
        from += n;
    }
    mu_sha_init(&sha);
    for (from = (size_t)at.byte_off; from < bytes.len; from += used) {
        const size_t n = bytes.len - from < CHUNK ? bytes.len - from : CHUNK;
        if (!mu_run_feed(*out, mu_span(bytes.at + from, n), from + n == bytes.len, 0, &used, err))
            return false;
        if (hash)
            mu_sha_add(&sha, mu_span(bytes.at + from, used));
        mu_run_take_findings(*out);
    }
    return mu_run_finish(*out, err);
}

static bool plan(const struct mu_ready *ready, const struct mu_task *task, struct mu_span bytes,
                 struct mu_error *err)
{
    MU_AUTO(mu_plan_free) struct mu_plan *p = NULL;
    if (!mu_plan_open(&p, task, ready, (int64_t)bytes.len, limits, err))
        return false;
    for (size_t from = 0; from < bytes.len; from += CHUNK) {
        const size_t n = bytes.len - from < CHUNK ? bytes.len - from : CHUNK;
        if (!mu_plan_feed(p, mu_span(bytes.at + from, n), from + n == bytes.len, err))
            return false;
    }
    return true;
}

static double rate(size_t bytes, int64_t us)
{
    return (double)bytes / (double)(us ? us : 1);
}

int main(int argc, char **argv)
{
    struct mu_error err = {0};
    struct mu_span data, pack_bytes;
    struct mu_pack *pack = NULL;
    struct mu_ready *ready = NULL;
    const struct mu_list_data *lists[LISTS_MAX] = {NULL};
    const int repeats = argc > 4 ? (int)strtol(argv[4], NULL, 10) : 1;
    if (argc < 4) {
        (void)fprintf(stderr, "usage: bench-scan DATA PACK.json LISTS-DIRECTORY [repeats]\n");
        return 2;
    }
    if (!map_file(argv[1], &data) || !map_file(argv[2], &pack_bytes) ||
        !mu_pack_parse(&pack, pack_bytes, &err))
        return stop(&err, "cannot read the files");
    for (size_t i = 0; i < pack->list_count && i < LISTS_MAX; i++)
        if (!(lists[i] = load_list(argv[3], pack->lists[i].name, &err)))
            return stop(&err, "list");
    const char *dot = strrchr(argv[1], '.');
    json_t *source =
        json_pack("{s:s,s:s,s:s}", "uri", "file:data", "name", "data", "format", dot ? dot + 1 : "csv");
    if (dot && strcmp(dot, ".xml") == 0)
        json_object_set_new(source, "record", json_string("/trades/trade"));
    const struct mu_terms terms = {.shard_bytes = 64 << 20};
    struct mu_task task = {.source = source, .terms = &terms};
    const struct mu_ready_setup setup = {.pack = pack, .lists = lists, .as_of = 20000};
    if (!mu_ready_new(&ready, &setup, &err))
        return stop(&err, "the pack");
    int64_t scan_us = INT64_MAX, bare_us = INT64_MAX, plan_us = INT64_MAX, records = 0, findings = 0;
    for (int i = 0; i < repeats; i++) {
        for (int hash = 0; hash < 2; hash++) {
            struct mu_run *run = NULL;
            const int64_t begin = mu_clock_us();
            if (!scan(ready, &task, data, hash, &run, &err))
                return stop(&err, "scan");
            const int64_t took = mu_clock_us() - begin;
            int64_t *best = hash ? &scan_us : &bare_us;
            *best = took < *best ? took : *best;
            records = mu_run_counts(run).records;
            findings = mu_run_findings_total(run);
            mu_run_free(run);
        }
        const int64_t begin = mu_clock_us();
        if (!plan(ready, &task, data, &err))
            return stop(&err, "plan");
        const int64_t took = mu_clock_us() - begin;
        plan_us = took < plan_us ? took : plan_us;
    }
    printf("{\"bytes\":%zu,\"records\":%lld,\"findings\":%lld,\"rules\":%zu,\"scan_mb_s\":%.1f,"
           "\"scan_without_hash_mb_s\":%.1f,\"plan_mb_s\":%.1f}\n",
           data.len, (long long)records, (long long)findings, pack->rule_count, rate(data.len, scan_us),
           rate(data.len, bare_us), rate(data.len, plan_us));
    mu_ready_free(ready);
    mu_pack_free(pack);
    json_decref(source);
    return 0;
}
