/* SPDX-License-Identifier: Apache-2.0 */
/* `muster pack lint` and `muster pack test`. */
#include "engine/lint.h"
#include "pack.h"

struct printer {
    const struct cli *cli;
    const char *file;
    bool strict, cases; /* tell of cases alone */
    int64_t told; /* as errors */
};

static void print_note(void *context, enum mu_lint_level level, const struct mu_error *what)
{
    struct printer *p = context;
    const char *word = level == MU_LINT_ERROR || p->strict ? "error" : "warning";
    if (p->cases && (level == MU_LINT_WARNING || mu_span_is(mu_span_of(what->code), "case")))
        return;
    p->told += level == MU_LINT_ERROR || p->strict;
    if (p->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc =
            json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "file", p->file, "level", word, "code", what->code, "pointer", what->pointer,
                      "message", what->text, "hint", what->hint);
        cli_print_json(doc);
    } else {
        printf("%s:%s: %s: %s%s%s\n", p->file, what->pointer, word, what->text, what->hint[0] ? "; " : "", what->hint);
    }
}

static void print_case(void *context, const struct mu_rule *rule, const char *name, const struct mu_error *wrong)
{
    const struct printer *p = context;
    if (!p->cases)
        return;
    if (p->cli->format == CLI_JSON) {
        MU_AUTO(mu_json_free) json_t *doc = json_pack("{s:s,s:s,s:s,s:b}", "file", p->file, "rule", rule->id, "case", name, "ok", !wrong);
        if (wrong)
            json_object_update_new(doc, json_pack("{s:s,s:s,s:s}", "pointer", wrong->pointer, "message", wrong->text, "hint", wrong->hint));
        cli_print_json(doc);
    } else if (wrong) {
        printf("not ok  %s: %s\n        %s: %s\n        %s\n", rule->id, name, wrong->pointer, wrong->text, wrong->hint);
    } else if (!p->cli->quiet) {
        printf("ok      %s: %s\n", rule->id, name);
    }
}

static bool lint(struct printer *p, struct mu_shelf *shelf, struct mu_span bytes, struct mu_lint *out)
{
    const struct mu_lint_setup setup = {
        .bytes = bytes, .shelf = shelf, .note = print_note, .each_case = print_case, .context = p};
    struct mu_error err = {0};
    if (mu_lint(&setup, out, &err))
        return true;
    (void)cli_fail(&err);
    return false;
}

bool pack_lint_bytes(const struct cli *cli, struct mu_shelf *shelf, const char *file, struct mu_span bytes, bool strict, bool *good)
{
    struct printer p = {.cli = cli, .file = file, .strict = strict};
    struct mu_lint counts;
    if (!lint(&p, shelf, bytes, &counts))
        return false;
    *good = !p.told;
    return true;
}

/* What is the same for both verbs: each file, until one cannot be read. */
static enum cli_exit each_file(struct cli *cli, const struct pack_words *w, bool cases)
{
    MU_AUTO(mu_shelf_free) struct mu_shelf *shelf = NULL;
    struct mu_error err = {0};
    struct mu_lint sum = {0};
    int64_t told = 0;
    if (!cli->argc)
        return cli_usage("pack %s: which files?", cases ? "test" : "lint");
    if (!library_shelf(cli, &w->lists, &shelf, &err))
        return cli_fail(&err);
    for (int i = 0; i < cli->argc; i++) {
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
        MU_AUTO(mu_text_free) struct mu_text path = MU_TEXT(0);
        struct printer p = {.cli = cli, .file = cli->argv[i], .strict = w->strict, .cases = cases};
        struct mu_lint counts;
        if (!library_read(cli, &w->packs, cli->argv[i], &bytes, &path, &err))
            return cli_fail(&err);
        if (!lint(&p, shelf, mu_text_span(&bytes), &counts))
            return CLI_FAILED;
        told += p.told;
        sum.errors += counts.errors;
        sum.warnings += counts.warnings;
        sum.cases += counts.cases;
        sum.failed_cases += counts.failed_cases;
    }
    if (!cli->quiet && cases)
        fprintf(stderr, "muster: %lld of %lld cases hold\n", (long long)(sum.cases - sum.failed_cases), (long long)sum.cases);
    else if (!cli->quiet)
        fprintf(stderr, "muster: %lld mistakes, %lld warnings; %lld of %lld cases hold\n", (long long)sum.errors, (long long)sum.warnings,
                (long long)(sum.cases - sum.failed_cases), (long long)sum.cases);
    if (told)
        return CLI_REFUSED;
    return cases && sum.failed_cases ? CLI_FAILED : CLI_DONE;
}

enum cli_exit pack_lint(struct cli *cli, const struct pack_words *w)
{
    return each_file(cli, w, false);
}

enum cli_exit pack_test(struct cli *cli, const struct pack_words *w)
{
    return each_file(cli, w, true);
}
