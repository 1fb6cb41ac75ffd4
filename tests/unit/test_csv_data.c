/* SPDX-License-Identifier: Apache-2.0 */
/* The CSV reader on real files, which lie beside the tree (MUSTER_TEST_DATA): records and missing values as
 * counted by others, with another reader. */
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

/* Files without a header, without an end of line, with a null token: fields by position. */
static void check_shape(const char *name, int64_t records, int64_t missing, int column, const char *token,
                        bool header)
{
    char path[600];
    const char *columns[] = {"value"};
    struct mu_error err = {0};
    struct mu_reader *r = NULL;
    struct mu_position first;
    struct mu_record rec;
    bool done = false;
    int64_t count = 0, none = 0, bad = 0;
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    if (!data_path(name, path))
        TAP_SKIP("no folder of test data (MUSTER_TEST_DATA)");
    CHECK(rig_slurp(path, &bytes));
    json_t *source =
        json_pack("{s:b,s:[s],s:{s:i}}", "header", header, "missing", token, "columns", "value", column);
    const struct mu_reader_setup setup = {
        .source = source, .columns = columns, .column_count = 1, .limits = {1 << 20, 4096}};
    CHECK(mu_reader_open(&r, mu_span_of("csv"), &setup, &err) &&
          mu_reader_header(r, mu_text_span(&bytes), true, &done, &first, &err) && done);
    mu_reader_seek(r, first);
    mu_reader_feed(r, mu_span(bytes.at + first.byte_off, bytes.len - (size_t)first.byte_off), true);
    while (mu_reader_next(r, &rec, &err) == MU_READ_RECORD) {
        count++;
        bad += rec.bad != NULL;
        none += !rec.bad && rec.values[0].state == MU_VALUE_MISSING;
    }
    CHECK_TEXT(err.text, "");
    CHECK_INT(count, records);
    CHECK_INT(none, missing);
    CHECK_INT(bad, 0);
    mu_reader_free(r);
    json_decref(source);
}

TAP_TEST(the_american_sanctions_list_has_no_header_and_a_null_token)
{
    check_shape("ofac_sdn.csv", 7379, 2994, 3, "-0- ", false);
    check_shape("ofac_alt.csv", 9682, 0, 4, "-0- ", false);
    check_shape("ofac_add.csv", 11696, 0, 1, "-0- ", false);
}

TAP_TEST(files_of_transactions_and_prices_have_their_records)
{
    check_shape("amlsim_20K_fanin200_transactions.csv", 118250, 0, 3, "-", true);
    check_shape("screening_negatives_us.csv", 50000, 20012, 3, "-", true);
    check_shape("vix-daily.csv", 9235, 0, 5, "-", true);
    check_shape("iso4217_codes-all.csv", 449, 0, 1, "-", true);
}

int main(void)
{
    return tap_run();
}
