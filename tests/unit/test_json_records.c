/* SPDX-License-Identifier: Apache-2.0 */
/* The readers of JSON: the cases of tests/corpus/jsonl and tests/corpus/json, and what must hold for any
 * bytes in any pieces. */
#include "reader_rig.h"

TAP_TEST(every_valid_file_of_lines_is_read_as_expected)
{
    corpus("jsonl", "valid", 20);
}

TAP_TEST(every_bad_line_is_told_where_it_is_wrong)
{
    corpus("jsonl", "invalid", 40);
}

TAP_TEST(every_valid_array_is_read_as_expected)
{
    corpus("json", "valid", 10);
}

TAP_TEST(every_broken_array_is_refused_where_it_is_wrong)
{
    corpus("json", "invalid", 20);
}

int main(void)
{
    return tap_run();
}
