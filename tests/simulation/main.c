/* SPDX-License-Identifier: Apache-2.0 */
/* muster-simulate: runs schedules of the simulation, each in a child process, and tells which promise broke in which. */
#include "schedule.h"

#include "base/text.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define CHILD_SECONDS 120

struct shared {
    struct verdict verdict;
    struct outcome_sum golden[TEMPLATES_MAX];
};
static struct shared *shared;

struct options {
    uint64_t seed;
    bool has_seed, verbose, tap, list;
    int64_t schedules, seconds;
    const char *only, *seeds;
};

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

enum what { GOLDEN, SEED, CASE };

/* In a child: what it leaves behind goes with it, and if it dies the run goes on. */
static const struct verdict *run(enum what what, uint64_t seed, const struct named_case *of, bool verbose)
{
    struct verdict *v = &shared->verdict;
    memset(v, 0, sizeof(*v));
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(CHILD_SECONDS); /* real time: a loop that never gives back */
        if (what == GOLDEN)
            schedule_golden(v);
        else if (what == SEED)
            schedule_by_seed(seed, verbose, v);
        else
            schedule_of_case(of, verbose, v);
        fflush(stdout);
        _exit(0);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) {
        v->failed = true;
        snprintf(v->why, sizeof(v->why), "could not run a child: %s", strerror(errno));
    } else if (!v->ended || !WIFEXITED(status) || WEXITSTATUS(status)) {
        v->failed = true;
        snprintf(v->why, sizeof(v->why), "the child ended with %s %d", WIFSIGNALED(status) ? "signal" : "status",
                 WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    }
    return v;
}

static int tap_number;

static bool tell(const struct options *o, bool good, const char *name, const char *why)
{
    if (!good)
        printf("# %s\n", why);
    if (o->tap)
        printf("%s %d - %s\n", good ? "ok" : "not ok", ++tap_number, name);
    else
        printf("%s: %s\n", name, good ? "ok" : "FAILED");
    fflush(stdout);
    return good;
}

static bool run_case(const struct options *o, const struct named_case *c)
{
    const struct verdict *v = run(CASE, 0, c, o->verbose);
    return tell(o, !v->failed, c->name, v->why);
}

static bool run_cases(const struct options *o)
{
    bool good = true, any = false;
    for (size_t i = 0; i < named_case_count; i++) {
        if (o->only && strcmp(o->only, named_cases[i].name) != 0)
            continue;
        any = true;
        good = run_case(o, &named_cases[i]) && good;
    }
    if (!any)
        printf("# there is no case %s\n", o->only);
    return good && any;
}

/* Lines "<seed>  <sentence>"; '#' begins a comment. */
static bool run_list(const struct options *o)
{
    char line[400], name[480];
    bool good = true;
    FILE *f = fopen(o->seeds, "r");
    if (!f) {
        printf("# could not open %s: %s\n", o->seeds, strerror(errno));
        return false;
    }
    while (fgets(line, sizeof(line), f)) {
        char *end;
        unsigned long long seed = strtoull(line, &end, 10);
        if (line[0] == '#' || end == line)
            continue;
        end[strcspn(end, "\n")] = '\0';
        const struct verdict *v = run(SEED, seed, NULL, o->verbose);
        snprintf(name, sizeof(name), "seed %llu:%s", seed, end);
        good = tell(o, !v->failed, name, v->why) && good;
    }
    fclose(f);
    return good;
}

/* The same seed twice: the same trace. */
static bool run_twice(const struct options *o, uint64_t seed)
{
    uint64_t first = run(SEED, seed, NULL, false)->digest;
    int64_t until = shared->verdict.virtual_us;
    const struct verdict *v = run(SEED, seed, NULL, false);
    return tell(o, v->digest == first && v->virtual_us == until && first, "the_same_seed_gives_the_same_trace", "two runs of one seed differ");
}

/* Processor time of the children that have ended. */
static double used_s(void)
{
    struct rusage u;
    getrusage(RUSAGE_CHILDREN, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static bool run_seeds(const struct options *o, uint64_t first)
{
    double began = now_s(), spent = 0, used = used_s();
    int64_t done = 0, failed = 0, kills = 0, faults = 0, virtual_us = 0;
    for (uint64_t seed = first; o->schedules ? done < o->schedules : spent < (double)o->seconds; seed++) {
        const struct verdict *v = run(SEED, seed, NULL, o->verbose);
        done++;
        kills += v->kills;
        faults += v->faults;
        virtual_us += v->virtual_us - 1000 * SECOND_US;
        if (v->failed) {
            failed++;
            printf("# seed %llu: %s\n", (unsigned long long)seed, v->why);
            printf("# again: muster-simulate --seed %llu --verbose\n", (unsigned long long)seed);
            fflush(stdout);
        }
        spent = now_s() - began;
    }
    used = used_s() - used;
    printf("# %lld schedules from seed %llu in %.1f s, %.0f a minute; %.1f s of a processor, %.0f a minute of it\n", (long long)done,
           (unsigned long long)first, spent, (double)done * 60 / spent, used, (double)done * 60 / (used > 0 ? used : 1));
    printf("# %lld processes killed, %lld other faults, %.1f virtual hours\n", (long long)kills, (long long)faults, (double)virtual_us / 3.6e9);
    return tell(o, failed == 0 && done > 0, "new_schedules_keep_every_promise", "see the seeds above");
}

static uint64_t fresh_seed(void)
{
    struct timespec t;
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 100000 + (uint64_t)(t.tv_nsec / 1000 % 1000) * 100;
}

static int usage(int status)
{
    fputs("usage: muster-simulate [--seed S] [--schedules N | --seconds T | --minutes M] [--case NAME] [--seeds FILE] [--tap] [--list] [--verbose]\n"
          "  --seed S       the schedule of this seed (with --schedules or --seconds: from it on)\n"
          "  --schedules N  so many schedules\n"
          "  --seconds T    schedules for so long; --minutes M likewise\n"
          "  --case NAME    one named case; without any option all of them\n"
          "  --seeds FILE   the seeds of a list\n"
          "  --tap          the suite: named cases, --seeds, the same seed twice, then --seconds of new seeds\n"
          "  --list         names of the cases, with the rule of PROTOCOL.md\n"
          "  --verbose      the trace of what happens\n",
          status ? stderr : stdout);
    return status;
}

static bool number(const char *text, int64_t *out)
{
    return mu_parse_i64(mu_span_of(text), 0, INT64_MAX, out);
}

static int parse(struct options *o, int argc, char **argv)
{
    static const struct option long_options[] = {{"seed", 1, NULL, 's'}, {"schedules", 1, NULL, 'n'}, {"seconds", 1, NULL, 't'}, {"minutes", 1, NULL, 'm'},
                                                 {"case", 1, NULL, 'c'}, {"seeds", 1, NULL, 'f'}, {"tap", 0, NULL, 'T'},
                                                 {"list", 0, NULL, 'l'}, {"verbose", 0, NULL, 'v'}, {"help", 0, NULL, 'h'}, {NULL, 0, NULL, 0}};
    int64_t value;
    for (int c; (c = getopt_long(argc, argv, "", long_options, NULL)) != -1;) {
        if ((c == 's' || c == 'n' || c == 't' || c == 'm') && !number(optarg, &value))
            return usage(2);
        switch (c) {
        case 's':
            o->seed = (uint64_t)value;
            o->has_seed = true;
            break;
        case 'n':
            o->schedules = value;
            break;
        case 't':
            o->seconds = value;
            break;
        case 'm':
            o->seconds = value * 60;
            break;
        case 'c':
            o->only = optarg;
            break;
        case 'f':
            o->seeds = optarg;
            break;
        case 'T':
            o->tap = true;
            break;
        case 'l':
            o->list = true;
            break;
        case 'v':
            o->verbose = true;
            break;
        case 'h':
            return usage(0);
        default:
            return usage(2);
        }
    }
    return optind < argc ? usage(2) : -1;
}

static bool run_all(const struct options *o)
{
    bool good = true;
    if (o->tap) {
        good = run_cases(o) && good;
        good = (!o->seeds || run_list(o)) && good;
        good = run_twice(o, 7) && good;
        if (o->seconds || o->schedules)
            good = run_seeds(o, o->has_seed ? o->seed : fresh_seed()) && good;
        printf("1..%d\n", tap_number);
        return good;
    }
    if (o->seeds)
        return run_list(o);
    if (o->has_seed && !o->schedules && !o->seconds) {
        const struct verdict *v = run(SEED, o->seed, NULL, o->verbose);
        char name[60];
        snprintf(name, sizeof(name), "seed %llu", (unsigned long long)o->seed);
        printf("# %.1f virtual seconds, %d processes killed, trace %016llx\n", (double)(v->virtual_us - 1000 * SECOND_US) / 1e6, v->kills,
               (unsigned long long)v->digest);
        return tell(o, !v->failed, name, v->why);
    }
    if (o->schedules || o->seconds)
        return run_seeds(o, o->has_seed ? o->seed : fresh_seed());
    return run_cases(o);
}

static void remove_folder(const char *folder)
{
    char command[300];
    snprintf(command, sizeof(command), "rm -rf -- '%s'", folder);
    (void)!system(command);
}

int main(int argc, char **argv)
{
    struct options o = {0};
    struct mu_error err = {0};
    char folder[] = "/tmp/muster-simulate-XXXXXX";
    int status = parse(&o, argc, argv);
    if (status >= 0)
        return status;
    if (o.list) {
        for (size_t i = 0; i < named_case_count; i++)
            printf("%-70s %s\n", named_cases[i].name, named_cases[i].rule);
        return 0;
    }
    shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (shared == MAP_FAILED || !mkdtemp(folder)) {
        perror("muster-simulate");
        return 1;
    }
    golden = shared->golden;
    bool good = schedule_prepare(folder, &err);
    if (!good)
        fprintf(stderr, "muster-simulate: %s\n", err.text);
    if (good) {
        const struct verdict *v = run(GOLDEN, 0, NULL, false);
        good = !v->failed || tell(&o, false, "an undisturbed run", v->why);
    }
    good = good && run_all(&o);
    remove_folder(folder);
    return good ? 0 : 1;
}
