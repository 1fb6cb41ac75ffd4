/* SPDX-License-Identifier: Apache-2.0 */
/* The XML reader on real files, which lie beside the tree (MUSTER_TEST_DATA). What is expected was counted by
 * another parser: xml.etree of Python, over the document whose leading white space was taken off. */
#include "run_rig.h"

static bool data_path(const char *name, char out[600])
{
    const char *folder = getenv("MUSTER_TEST_DATA"), *root = getenv("MUSTER_SOURCE");
    if (folder && folder[0])
        (void)snprintf(out, 600, "%s/%s", folder, name);
    else
        (void)snprintf(out, 600, "%s/../shared/data/%s", root ? root : ".", name);
    FILE *f = fopen(out, "rb");
    if (f)
        (void)fclose(f);
    return f != NULL;
}

struct tally {
    int64_t records, text, empty, absent, invalid;
};

/* What stands at a path in the records of a file, read in pieces of a size that no record fits. */
static struct tally count(const char *name, const char *record, const char *place)
{
    const size_t chunk = 1000;
    char path[600];
    const char *columns[] = {"value"};
    struct mu_error err = {0};
    struct mu_reader *r = NULL;
    struct mu_position first;
    struct mu_record rec;
    struct tally t = {0};
    bool done = false;
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    CHECK(data_path(name, path) && rig_slurp(path, &bytes));
    json_t *source = json_pack("{s:s,s:{s:s}}", "record", record, "columns", "value", place);
    const struct mu_reader_setup setup = {
        .source = source, .columns = columns, .column_count = 1, .limits = {1 << 20, 4096}};
    CHECK(mu_reader_open(&r, mu_span_of("xml"), &setup, &err) &&
          mu_reader_header(r, mu_text_span(&bytes), true, &done, &first, &err) && done);
    CHECK_TEXT(err.text, "");
    mu_reader_seek(r, first);
    for (size_t at = (size_t)first.byte_off, n; at < bytes.len; at += n) {
        enum mu_read got;
        n = bytes.len - at < chunk ? bytes.len - at : chunk;
        mu_reader_feed(r, mu_span(bytes.at + at, n), at + n == bytes.len);
        while ((got = mu_reader_next(r, &rec, &err)) == MU_READ_RECORD) {
            const struct mu_value *v = &rec.values[0];
            t.records++;
            t.text += v->state == MU_VALUE_TEXT;
            t.invalid += v->state == MU_VALUE_INVALID;
            t.empty += v->state == MU_VALUE_MISSING && v->text.at;
            t.absent += v->state == MU_VALUE_MISSING && !v->text.at;
            CHECK(bytes.at[rec.at.byte_off] == '<' && bytes.at[rec.at.byte_off + rec.at.length - 1] == '>');
        }
        if (got != (at + n == bytes.len ? MU_READ_END : MU_READ_MORE)) {
            CHECK_TEXT(err.text, "");
            break;
        }
    }
    CHECK_TEXT(err.text, "");
    mu_reader_free(r);
    json_decref(source);
    return t;
}

static void check(const char *name, const char *record, const char *place, struct tally want)
{
    char path[600];
    if (!data_path(name, path))
        TAP_SKIP("no folder of test data (MUSTER_TEST_DATA)");
    const struct tally got = count(name, record, place);
    CHECK_INT(got.records, want.records);
    CHECK_INT(got.text, want.text);
    CHECK_INT(got.empty, want.empty);
    CHECK_INT(got.absent, want.absent);
    CHECK_INT(got.invalid, want.invalid);
}

TAP_TEST(lists_of_markets_have_absent_and_empty_elements)
{
    check("ISO10383_MIC_2025-09-08.xml", "ISO10383_MIC", "LEI", (struct tally){2796, 2144, 597, 55, 0});
    check("ISO10383_MIC_2025-10-13.xml", "/dataroot/ISO10383_MIC", "LEI",
          (struct tally){2798, 2149, 581, 68, 0});
}

TAP_TEST(a_report_that_begins_with_a_line_break_is_read)
{
    check("sec_13F-HR.infotable.xml",
          "{http://www.sec.gov/edgar/document/thirteenf/informationtable}infoTable", "cusip",
          (struct tally){255, 255, 0, 0, 0});
    check("sec_13F-HR.infotable.xml", "infoTable", "votingAuthority/Sole", (struct tally){255, 255, 0, 0, 0});
    check("sec_13F-HR.infotable.xml", "infoTable", "votingAuthority", (struct tally){255, 0, 0, 0, 255});
    check("sec_13F-HR.infotable.xml", "{urn:another}infoTable", "cusip", (struct tally){0});
}

TAP_TEST(holdings_of_a_fund_have_values_in_attributes)
{
    static const char record[] = "/edgarSubmission/formData/invstOrSecs/invstOrSec";
    check("nport_GS_bond_fund_2023-03-31.xml", record, "identifiers/isin/@value",
          (struct tally){1685, 911, 0, 774, 0});
    check("nport_GS_bond_fund_2023-03-31.xml", record, "valUSD", (struct tally){1685, 1685, 0, 0, 0});
}

TAP_TEST(currencies_are_listed_by_country)
{
    check("iso4217_table_a1.xml", "CcyNtry", "Ccy", (struct tally){280, 277, 0, 3, 0});
    check("iso4217_table_a1.xml", "CcyNtry", "CcyNm/@IsFund", (struct tally){280, 8, 0, 272, 0});
}

TAP_TEST(sanctioned_persons_have_several_aliases)
{
    check("UN_consolidated_2026-02-27.xml", "INDIVIDUAL", "FIRST_NAME", (struct tally){730, 730, 0, 0, 0});
    check("UN_consolidated_2026-02-27.xml", "/CONSOLIDATED_LIST/ENTITIES/ENTITY", "DATAID",
          (struct tally){273, 273, 0, 0, 0});
}

int main(void)
{
    return tap_run();
}
