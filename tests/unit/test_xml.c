/* SPDX-License-Identifier: Apache-2.0 */
/* The XML reader: the cases of tests/corpus/xml, and what must hold for any bytes in any pieces. */
#include "reader_rig.h"

TAP_TEST(every_valid_document_is_read_as_expected)
{
    corpus("xml", "valid", 20);
}

TAP_TEST(every_broken_document_is_refused_where_it_is_wrong)
{
    corpus("xml", "invalid", 30);
}

int main(void)
{
    return tap_run();
}
