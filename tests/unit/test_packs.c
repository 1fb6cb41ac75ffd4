/* SPDX-License-Identifier: Apache-2.0 */
/* The packs and lists that are shipped: every rule of every pack is taken by its check, with the pack's own
 * lists. */
#include "check_rig.h"

static void check_rule(const char *pack, const json_t *rule, const char *columns)
{
    MU_AUTO(mu_text_free) struct mu_text with = MU_TEXT(0);
    const char *check = mu_json_text(rule, "check");
    struct rig r;
    mu_json_write(&with, json_object_get(rule, "with"));
    if (!check || !rig_open(&r, check, columns, mu_text_span(&with).at, "2026-11-24")) {
        TAP_FAIL("%s, %s: %s %s", pack, mu_json_text(rule, "id"), check ? r.err.pointer : "",
                 check ? r.err.text : "no check");
        return;
    }
    rig_close(&r);
}

/* The rig holds eight columns, a pack more: each rule gets those that it names. */
static void columns_of(const json_t *rule, const json_t *columns, char *out, size_t size)
{
    const char *key;
    json_t *value;
    out[0] = '\0';
    json_object_foreach(json_object_get(rule, "with"), key, value)
    {
        const char *text = json_string_value(value);
        if (text && json_object_get(columns, text)) {
            size_t used = strlen(out);
            snprintf(out + used, size - used, "%s%s", used ? " " : "", text);
        }
    }
}

static void check_lists(const char *pack, const json_t *lists)
{
    const char *alias;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)lists, alias, value)
    {
        const struct mu_list_data *list = rig_list(NULL, alias);
        const char *name = json_string_value(value), *at = strchr(name, '@');
        if (!list || strncmp(mu_list_name(list), name, at ? (size_t)(at - name) : strlen(name)) != 0 ||
            (at && strcmp(mu_list_version(list), at + 1) != 0))
            TAP_FAIL("%s: the list %s is not shipped", pack, name);
    }
}

TAP_TEST(every_rule_of_the_shipped_packs_is_taken_by_its_check)
{
    static const char *const packs[] = {"identifiers@1.0.0", "securities-master@1.0.0"};
    for (size_t i = 0; i < MU_COUNT(packs); i++) {
        char path[600], columns[400];
        const char *source = getenv("MUSTER_SOURCE");
        struct mu_error err = {0};
        MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
        MU_AUTO(mu_json_free) json_t *pack = NULL;
        json_t *rule;
        size_t at;
        snprintf(path, sizeof path, "%s/workers/packs/%s.json", source ? source : ".", packs[i]);
        FILE *f = fopen(path, "rb");
        for (int c; f && (c = getc(f)) != EOF;)
            mu_text_putc(&bytes, (char)c);
        if (f)
            fclose(f);
        if (!mu_json_parse(&pack, mu_text_span(&bytes), 1 << 20, &err)) {
            TAP_FAIL("%s: %s", path, err.text);
            continue;
        }
        snprintf(path, sizeof path, "%s@%s", mu_json_text(pack, "pack"), mu_json_text(pack, "version"));
        CHECK_TEXT(path, packs[i]);
        check_lists(packs[i], json_object_get(pack, "lists"));
        json_array_foreach(json_object_get(pack, "rules"), at, rule)
        {
            columns_of(rule, json_object_get(pack, "columns"), columns, sizeof columns);
            check_rule(packs[i], rule, columns);
        }
        CHECK(json_array_size(json_object_get(pack, "rules")) > 10);
    }
}

int main(void)
{
    rig_load_lists();
    int status = tap_run();
    rig_free_lists();
    return status;
}
