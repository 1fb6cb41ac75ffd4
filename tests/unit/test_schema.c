/* SPDX-License-Identifier: Apache-2.0 */
/* The validator against the mandatory draft-07 cases of the public JSON-Schema-Test-Suite (Debian's package), and the
 * built-in schemas against examples and near misses. */
#include "format/schema.h"
#include "tap.h"

#include <dirent.h>

#define SUITE "/usr/share/json-schema-test-suite/tests/draft7"

/* Groups that are left out, with the reason. */
static const struct { const char *file, *group, *reason; } left_out[] = {
    {"refRemote.json", NULL, "references to other documents by URL: our schemas refer to themselves and to each other"},
    {"definitions.json", NULL, "refers to the draft-07 meta-schema by URL"},
    {"ref.json", "escaped pointer ref", "the schemas that it refers to stand under unknown keywords, which are errors here"},
    {"ref.json", "remote ref, containing refs itself", "refers to the draft-07 meta-schema by URL"},
    {"ref.json", "Recursive references between schemas", "identifiers inside of a schema"},
};

static const char *reason_to_leave(const char *file, const char *group)
{
    for (size_t i = 0; i < MU_COUNT(left_out); i++)
        if (strcmp(left_out[i].file, file) == 0 &&
            (!left_out[i].group || strcmp(left_out[i].group, group) == 0))
            return left_out[i].reason;
    return NULL;
}

static bool read_json(const char *path, json_t **out)
{
    static char buffer[1 << 20];
    FILE *f = fopen(path, "r");
    if (!f)
        return false;
    size_t len = fread(buffer, 1, sizeof(buffer), f);
    fclose(f);
    struct mu_error err = {0};
    return mu_json_parse(out, mu_span(buffer, len), sizeof(buffer), &err);
}

static void run_group(const char *file, const json_t *group, int *cases)
{
    const char *name = mu_json_text(group, "description");
    struct mu_error err = {0};
    MU_AUTO(mu_schema_free) struct mu_schema *schema = NULL;
    if (reason_to_leave(file, name))
        return;
    if (!mu_schema_new(&schema, json_object_get(group, "schema"), &err)) {
        TAP_FAIL("%s: %s: cannot be compiled: %s at %s", file, name, err.text, err.pointer);
        return;
    }
    size_t i;
    json_t *test;
    json_array_foreach(json_object_get(group, "tests"), i, test)
    {
        mu_error_clear(&err);
        bool valid = mu_schema_check(schema, json_object_get(test, "data"), &err);
        if (valid != mu_json_bool(test, "valid", false))
            TAP_FAIL("%s: %s: %s: said %s (%s)", file, name, mu_json_text(test, "description"),
                     valid ? "valid" : "invalid", err.text);
        if (!valid)
            CHECK(err.fault == MU_REJECTED && err.text[0]);
        ++*cases;
    }
}

TAP_TEST(the_mandatory_cases_of_draft_07_are_judged_right)
{
    DIR *dir = opendir(SUITE);
    int cases = 0;
    if (!dir)
        TAP_SKIP("json-schema-test-suite is not installed");
    for (struct dirent *entry; (entry = readdir(dir));) {
        char path[400];
        size_t len = strlen(entry->d_name);
        if (len < 5 || strcmp(entry->d_name + len - 5, ".json") != 0 || reason_to_leave(entry->d_name, ""))
            continue;
        snprintf(path, sizeof(path), SUITE "/%s", entry->d_name);
        MU_AUTO(mu_json_free) json_t *groups = NULL;
        if (!read_json(path, &groups)) {
            /* one file holds an integer beyond 64 bits, which our parser refuses by design */
            printf("# %s is no document that our parser takes\n", entry->d_name);
            continue;
        }
        for (size_t i = 0; i < json_array_size(groups); i++)
            run_group(entry->d_name, json_array_get(groups, i), &cases);
    }
    closedir(dir);
    printf("# %d cases\n", cases);
    CHECK(cases > 390);
}

static bool check_text(const char *schema, const char *text, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    mu_error_clear(err);
    return mu_json_parse(&doc, mu_span_of(text), 100000, err) && mu_schema_check(mu_schema_builtin(schema), doc, err);
}

TAP_TEST(every_built_in_schema_compiles)
{
    static const char *const names[] = {"agent", "cancel", "dead", "error", "event", "exceptions", "finding", "findings", "job", "load", "loaded", "operated",
                                        "outcome", "pack", "policy", "receipt", "result", "retry", "revoke", "ride", "state", "task", "waive", "waived"};
    for (size_t i = 0; i < MU_COUNT(names); i++)
        CHECK(mu_schema_builtin(names[i]) != NULL);
}

TAP_TEST(a_violation_names_its_place_and_what_was_wanted)
{
    struct mu_error err = {0};
    CHECK(check_text("job", "{\"pack\":\"identifiers@1\",\"records\":[{\"isin\":\"x\"}]}", &err));
    CHECK(!check_text("job", "{\"pack\":\"identifiers@1\",\"records\":[{\"a\":\"x\"},{\"isin\":5}]}", &err));
    CHECK_TEXT(err.pointer, "/records/1/isin");
    CHECK_TEXT(err.code, "invalid");
    CHECK_TEXT(err.hint, "quote it: \"5\"");
    CHECK(!check_text("job", "{\"pack\":\"identifiers@1\"}", &err));
    CHECK_TEXT(err.text, "want exactly one of the keys \"source\", \"records\"");
    CHECK(!check_text("job", "{\"pack\":\"identifiers@1\",\"records\":[{\"a\":\"x\"}],\"no~/pe\":1}", &err));
    CHECK_TEXT(err.pointer, "/no~0~1pe");
    CHECK(!check_text("job", "{\"pack\":\"identifiers@1\",\"records\":[{\"a\":\"x\"}],\"as_of\":\"2026-02-30\"}", &err));
    CHECK_TEXT(err.pointer, "/as_of");
}

TAP_TEST(an_unknown_keyword_is_an_error_with_its_place)
{
    struct mu_error err = {0};
    struct mu_schema *schema = NULL;
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    CHECK(mu_json_parse(&doc, mu_span_of("{\"properties\":{\"a\":{\"maxlength\":3}}}"), 1000, &err));
    CHECK(!mu_schema_new(&schema, doc, &err));
    CHECK_TEXT(err.pointer, "/properties/a/maxlength");
}

int main(void)
{
    int status = tap_run();
    mu_schema_fini();
    return status;
}
