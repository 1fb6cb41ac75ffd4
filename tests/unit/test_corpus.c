/* SPDX-License-Identifier: Apache-2.0 */
/* The contract by example: tests/corpus/schemas/<schema>/valid/<name>/input.json is taken, invalid/<defect>/input.json is
 * refused at the place that expected.json names. New ones are found by themselves. */
#include "format/json.h"
#include "format/schema.h"
#include "tap.h"

#include <glob.h>

static json_t *read_json(const char *path)
{
    json_t *doc = NULL;
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    struct mu_error err = {0};
    char part[65536];
    size_t got;
    FILE *f = fopen(path, "rb");
    while (f && (got = fread(part, 1, sizeof(part), f)) > 0)
        mu_text_add(&bytes, mu_span(part, got));
    if (f)
        (void)fclose(f);
    if (!f || !mu_json_parse(&doc, mu_text_span(&bytes), (size_t)1 << 20, &err))
        TAP_FAIL("%s: %s", path, f ? err.text : "cannot be read");
    return doc;
}

/* Calls `look` for every folder of a kind; how many there were. */
static size_t each(const char *kind, void (*look)(const struct mu_schema *schema, const char *folder))
{
    char pattern[600];
    glob_t found = {0};
    (void)snprintf(pattern, sizeof(pattern), "%s/tests/corpus/schemas/*/%s/*", getenv("MUSTER_SOURCE"), kind);
    if (glob(pattern, 0, NULL, &found) != 0)
        TAP_FAIL("nothing matches %s", pattern);
    for (size_t i = 0; i < found.gl_pathc; i++) {
        const char *name = strstr(found.gl_pathv[i], "/tests/corpus/schemas/") + strlen("/tests/corpus/schemas/");
        char schema[64];
        (void)snprintf(schema, sizeof(schema), "%.*s", (int)strcspn(name, "/"), name);
        look(mu_schema_builtin(schema), found.gl_pathv[i]);
    }
    size_t count = found.gl_pathc;
    globfree(&found);
    return count;
}

static void is_taken(const struct mu_schema *schema, const char *folder)
{
    char path[700];
    struct mu_error err = {0};
    (void)snprintf(path, sizeof(path), "%s/input.json", folder);
    MU_AUTO(mu_json_free) json_t *doc = read_json(path);
    if (doc && !mu_schema_check(schema, doc, &err))
        TAP_FAIL("%s is refused at \"%s\": %s", folder, err.pointer, err.text);
}

static void is_refused(const struct mu_schema *schema, const char *folder)
{
    char path[700];
    struct mu_error err = {0};
    (void)snprintf(path, sizeof(path), "%s/input.json", folder);
    MU_AUTO(mu_json_free) json_t *doc = read_json(path);
    (void)snprintf(path, sizeof(path), "%s/expected.json", folder);
    MU_AUTO(mu_json_free) json_t *expected = read_json(path);
    if (!doc || !expected)
        return;
    const char *pointer = mu_json_text(expected, "pointer"), *says = mu_json_text(expected, "says");
    if (mu_schema_check(schema, doc, &err))
        TAP_FAIL("%s is taken", folder);
    else if (strcmp(err.pointer, pointer) != 0 || !err.text[0] || (says && !strstr(err.text, says)))
        TAP_FAIL("%s is refused at \"%s\": %s; expected at \"%s\"", folder, err.pointer, err.text, pointer);
}

TAP_TEST(what_is_as_it_must_be_is_taken)
{
    CHECK(each("valid", is_taken) >= 15);
}

TAP_TEST(every_defect_is_refused_where_it_is)
{
    CHECK(each("invalid", is_refused) >= 45);
}

int main(void)
{
    int status = tap_run();
    mu_schema_fini();
    return status;
}
