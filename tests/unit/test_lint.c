/* SPDX-License-Identifier: Apache-2.0 */
/* What lint says of packs, by example: tests/corpus/packs/valid/<name>/input.json has nothing against it and as many cases
 * as expected.json says; of invalid/<defect> the mistake is told at its place, and whatever is told says what would have
 * been right. New ones are found by themselves. */
#include "engine/lint.h"
#include "format/schema.h"
#include "tap.h"

#include <glob.h>

static void read_file(const char *folder, const char *name, struct mu_text *out)
{
    char path[700], part[65536];
    size_t got;
    (void)snprintf(path, sizeof(path), "%s/%s", folder, name);
    FILE *f = fopen(path, "rb");
    while (f && (got = fread(part, 1, sizeof(part), f)) > 0)
        mu_text_add(out, mu_span(part, got));
    if (!f)
        TAP_FAIL("%s cannot be read", path);
    else
        (void)fclose(f);
}

struct told {
    const char *folder, *pointer, *says;
    enum mu_lint_level level;
    bool found;
    struct mu_text all; /* for who looks why it was not found */
};

static void take(void *context, enum mu_lint_level level, const struct mu_error *what)
{
    struct told *t = context;
    if (!what->text[0] || !what->hint[0] || !what->code[0])
        TAP_FAIL("%s: a refusal at \"%s\" without text, code or hint: %s; %s", t->folder, what->pointer, what->text, what->hint);
    if (strstr(what->text, "(null)") || strstr(what->hint, "(null)"))
        TAP_FAIL("%s: a refusal with a hole: %s; %s", t->folder, what->text, what->hint);
    t->found |= level == t->level && t->pointer && strcmp(what->pointer, t->pointer) == 0 && strstr(what->text, t->says);
    mu_text_addf(&t->all, "\n#   %s \"%s\": %s; %s", level == MU_LINT_ERROR ? "error" : "warning", what->pointer, what->text, what->hint);
}

static void lint(const char *folder, struct told *t, struct mu_lint *out)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    MU_AUTO(mu_shelf_free) struct mu_shelf *shelf = NULL;
    char lists[600];
    const char *folders[] = {lists};
    struct mu_error err = {0};
    (void)snprintf(lists, sizeof(lists), "%s/workers/lists", getenv("MUSTER_BUILD"));
    read_file(folder, "input.json", &bytes);
    CHECK(mu_shelf_new(&shelf, folders, 1, &err));
    const struct mu_lint_setup setup = {.bytes = mu_text_span(&bytes), .shelf = shelf, .note = take, .context = t};
    if (!mu_lint(&setup, out, &err))
        TAP_FAIL("%s: %s", folder, err.text);
}

static json_t *expected_of(const char *folder)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    json_t *doc = NULL;
    struct mu_error err = {0};
    read_file(folder, "expected.json", &bytes);
    if (!mu_json_parse(&doc, mu_text_span(&bytes), 65536, &err))
        TAP_FAIL("%s: %s", folder, err.text);
    return doc;
}

static void is_told(const char *folder)
{
    MU_AUTO(mu_json_free) json_t *expected = expected_of(folder);
    struct mu_lint counts = {0};
    const char *level = mu_json_text(expected, "level");
    struct told t = {.folder = folder, .pointer = mu_json_text(expected, "pointer"), .says = mu_json_text(expected, "says"),
                     .level = level && strcmp(level, "warning") == 0 ? MU_LINT_WARNING : MU_LINT_ERROR};
    lint(folder, &t, &counts);
    if (!t.found)
        TAP_FAIL("%s: not told at \"%s\": %s; but:%s", folder, t.pointer, t.says, t.all.at ? t.all.at : " nothing");
    if (t.level == MU_LINT_WARNING && counts.errors)
        TAP_FAIL("%s: has errors, too:%s", folder, t.all.at);
    mu_text_free(&t.all);
}

static void is_fine(const char *folder)
{
    MU_AUTO(mu_json_free) json_t *expected = expected_of(folder);
    struct mu_lint counts = {0};
    struct told t = {.folder = folder};
    lint(folder, &t, &counts);
    if (counts.errors || counts.warnings || counts.failed_cases || counts.cases != mu_json_int(expected, "cases", 0))
        TAP_FAIL("%s: %lld cases, %s", folder, (long long)counts.cases, t.all.at ? t.all.at : "nothing told");
    mu_text_free(&t.all);
}

static size_t each(const char *kind, void (*look)(const char *folder))
{
    char pattern[600];
    glob_t found = {0};
    (void)snprintf(pattern, sizeof(pattern), "%s/tests/corpus/packs/%s/*", getenv("MUSTER_SOURCE"), kind);
    if (glob(pattern, 0, NULL, &found) != 0)
        TAP_FAIL("nothing matches %s", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++)
        look(found.gl_pathv[i]);
    const size_t count = found.gl_pathc;
    globfree(&found);
    return count;
}

TAP_TEST(every_defect_of_a_pack_is_told_where_it_is_with_what_would_be_right)
{
    CHECK(each("invalid", is_told) >= 80);
}

TAP_TEST(packs_that_make_sense_have_nothing_against_them)
{
    CHECK(each("valid", is_fine) >= 6);
}

TAP_TEST(every_check_has_an_example_of_its_parameters)
{
    const struct mu_check *check;
    for (size_t i = 0; (check = mu_check_at(i)); i++) {
        MU_AUTO(mu_json_free) json_t *doc = NULL;
        struct mu_error err = {0};
        if (!check->example || !mu_json_parse(&doc, mu_span_of(check->example), 1000, &err) || !mu_json_text(doc, "column"))
            TAP_FAIL("%s has none", check->name);
    }
}

int main(void)
{
    const int status = tap_run();
    mu_schema_fini();
    return status;
}
