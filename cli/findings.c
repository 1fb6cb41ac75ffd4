/* SPDX-License-Identifier: Apache-2.0 */
#include "findings.h"

#define FINDING_MAX ((size_t)4 << 20)

void findings_init(struct findings *f, const struct cli *cli, const struct mu_pack *pack, int64_t max)
{
    *f = (struct findings){.format = cli->format, .rule_width = 9, .max = max};
    for (size_t i = 0; i < pack->rule_count; i++)
        if (cli_width(pack->rules[i].id) > f->rule_width)
            f->rule_width = cli_width(pack->rules[i].id);
}

/* What comes from a source must not move a terminal's cursor. */
static void put_plain(const char *text)
{
    for (; *text; text++)
        putchar((unsigned char)*text < 0x20 || *text == 0x7F ? ' ' : *text);
}

/* The group that it is about. */
static void put_key(const json_t *finding)
{
    const char *name;
    json_t *value;
    json_object_foreach(json_object_get(json_object_get(finding, "evidence"), "key"), name, value)
    {
        (void)name;
        put_plain(json_is_string(value) ? json_string_value(value) : "?");
        putchar(' ');
    }
}

static void print_row(struct findings *f, const json_t *finding)
{
    char record[24] = "-", line[24] = "-";
    if (!f->headed)
        printf("%-*s  %-8s  %-7s  %9s  %9s  MESSAGE\n", f->rule_width, "RULE", "SEVERITY", "OUTCOME", "RECORD", "LINE");
    f->headed = true;
    if (json_object_get(finding, "record_no")) {
        (void)snprintf(record, sizeof(record), "%lld", (long long)mu_json_int(finding, "record_no", 0));
        (void)snprintf(line, sizeof(line), "%lld", (long long)mu_json_int(finding, "line", 0));
    }
    printf("%-*s  %-8s  %-7s  %9s  %9s  ", f->rule_width, mu_json_text(finding, "rule"), mu_json_text(finding, "severity"),
           mu_json_bool(finding, "shadow", false) ? "shadow" : mu_json_text(finding, "outcome"), record, line);
    put_key(finding);
    put_plain(mu_json_text(finding, "message"));
    putchar('\n');
}

/* RFC 4180. */
static void put_cell(const char *text)
{
    if (!text[strcspn(text, ",\"\r\n")]) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text; text++) {
        putchar(*text);
        if (*text == '"')
            putchar('"');
    }
    putchar('"');
}

static void print_sheet_row(struct findings *f, const json_t *finding)
{
    static const char *const names[] = {"finding_id", "fingerprint", "rule", "severity", "outcome", "shadow", "record_no", "line",
                                        "byte_off", "subject", "message", "evidence"};
    for (size_t i = 0; !f->headed && i < MU_COUNT(names); i++)
        printf("%s%s%s", i ? "," : "", names[i], i + 1 == MU_COUNT(names) ? "\r\n" : "");
    f->headed = true;
    for (size_t i = 0; i < MU_COUNT(names); i++) {
        const json_t *value = json_object_get(finding, names[i]);
        MU_AUTO(mu_text_free) struct mu_text text = MU_TEXT(FINDING_MAX);
        if (i)
            putchar(',');
        if (json_is_string(value))
            mu_text_puts(&text, json_string_value(value));
        else if (value)
            mu_json_write(&text, value);
        put_cell(text.len ? text.at : "");
    }
    fputs("\r\n", stdout);
}

static bool print(struct findings *f, struct mu_span finding, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    if (f->format == CLI_JSON || f->format == CLI_JSONL) {
        fwrite(finding.at, 1, finding.len, stdout);
        putchar('\n');
        return true;
    }
    if (!mu_json_parse(&doc, finding, FINDING_MAX, err))
        return mu_while(err, "a finding of our own");
    if (f->format == CLI_CSV)
        print_sheet_row(f, doc);
    else
        print_row(f, doc);
    return true;
}

bool findings_take(struct findings *f, struct mu_run *run, struct mu_error *err)
{
    MU_AUTO(mu_text_free) struct mu_text array = MU_TEXT((size_t)128 << 20);
    int64_t count;
    struct mu_span rest, finding;
    const struct mu_span held = mu_run_findings(run, &count);
    mu_text_putc(&array, '[');
    mu_text_add(&array, held);
    mu_text_putc(&array, ']');
    if (!mu_text_ok(&array, err))
        return false;
    for (rest = mu_text_span(&array); count && mu_json_next_element(&rest, &finding);) {
        if (f->max && f->shown == f->max)
            f->left_out++;
        else if (!print(f, finding, err))
            return false;
        else
            f->shown++;
    }
    mu_run_take_findings(run);
    if (count && (fflush(stdout) != 0 || ferror(stdout)))
        return mu_fail(err, MU_BROKEN, "could not write the findings");
    return true;
}

bool findings_drain(void *context, struct mu_run *run, struct mu_error *err)
{
    return findings_take(context, run, err);
}
