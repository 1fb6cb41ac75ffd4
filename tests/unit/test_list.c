/* SPDX-License-Identifier: Apache-2.0 */
#include "tap.h"

#include "base/text.h"
#include "engine/list.h"

#define TITLE "# muster-list 1 demo 1.2 key=code\n"

static const char *refusal(const char *bytes, size_t len)
{
    static struct mu_error err;
    struct mu_list_data *l = NULL;
    err = (struct mu_error){0};
    if (mu_list_parse(&l, mu_span(bytes, len), &err)) {
        mu_list_data_free(l);
        return "accepted";
    }
    if (l || err.fault != MU_REJECTED)
        TAP_FAIL("a refusal is MU_REJECTED and gives nothing");
    return err.text;
}

static void refused(const char *bytes, const char *want)
{
    CHECK_TEXT(refusal(bytes, strlen(bytes)), want);
}

TAP_TEST(a_list_is_read_with_quotes_and_commentary)
{
    static const char bytes[] =
        TITLE "# made by hand\ncode,name\r\nA,\"x, \"\"y\"\"\"\nB,\nB,zwei\nC\xc3\xa4,\"\"";
    struct mu_list_data *l = NULL;
    struct mu_error err = {0};
    struct mu_digest want = mu_digest_of(mu_span_of(bytes));
    CHECK(mu_list_parse(&l, mu_span_of(bytes), &err));
    if (!l)
        return;
    CHECK_TEXT(mu_list_name(l), "demo");
    CHECK_TEXT(mu_list_version(l), "1.2");
    CHECK(mu_digest_equal(mu_list_digest(l), &want));
    CHECK_INT(mu_list_rows(l), 4);
    int name = mu_list_column(l, "name");
    CHECK_INT(name, 1);
    CHECK_INT(mu_list_column(l, "nam"), -1);
    CHECK_INT(mu_list_find(l, mu_span_of("A")), 0);
    CHECK_INT(mu_list_find(l, mu_span_of("B")), 1);
    CHECK_INT(mu_list_find(l, mu_span_of("C\xc3\xa4")), 3);
    CHECK_INT(mu_list_find(l, mu_span_of("C")), -1);
    CHECK_INT(mu_list_find(l, mu_span("", 0)), -1);
    CHECK_SPAN(mu_list_value(l, 0, name), mu_span_of("x, \"y\""));
    CHECK_SPAN(mu_list_value(l, 1, name), mu_span_of(""));
    CHECK_SPAN(mu_list_value(l, 2, name), mu_span_of("zwei"));
    CHECK_SPAN(mu_list_key(l, 2), mu_span_of("B"));
    CHECK_SPAN(mu_list_value(l, 3, name), mu_span_of(""));
    mu_list_data_free(l);
}

TAP_TEST(a_list_without_rows_finds_nothing)
{
    struct mu_list_data *l = NULL;
    struct mu_error err = {0};
    CHECK(mu_list_parse(&l, mu_span_of(TITLE "code"), &err));
    if (!l)
        return;
    CHECK_INT(mu_list_rows(l), 0);
    CHECK_INT(mu_list_find(l, mu_span_of("code")), -1);
    mu_list_data_free(l);
}

TAP_TEST(every_key_of_a_large_list_is_found)
{
    MU_AUTO(mu_text_free) struct mu_text bytes = MU_TEXT(0);
    struct mu_list_data *l = NULL;
    struct mu_error err = {0};
    mu_text_puts(&bytes, TITLE "code,n\n");
    for (int i = 0; i < 20000; i++)
        mu_text_addf(&bytes, "K%06d,%d\n", i * 7, i);
    CHECK(mu_list_parse(&l, mu_text_span(&bytes), &err));
    for (int i = 0; l && i < 140000; i++) {
        char key[16];
        snprintf(key, sizeof key, "K%06d", i);
        if (mu_list_find(l, mu_span_of(key)) != (i % 7 ? -1 : i / 7))
            TAP_FAIL("%s", key);
    }
    mu_list_data_free(l);
}

TAP_TEST(what_is_no_list_is_refused_with_its_line)
{
    refused("", "line 1 of the list: expected \"# muster-list 1 <name> <version> key=<column>\"");
    refused("code,name\nA,b\n",
            "line 1 of the list: expected \"# muster-list 1 <name> <version> key=<column>\"");
    refused("# muster-list 2 demo 1 key=code\ncode\n",
            "line 1 of the list: this form of list is not known, only form 1");
    refused("# muster-list 1 Demo 1 key=code\ncode\n",
            "line 1 of the list: the name of a list is made of a-z, 0-9, '-' and '_', at most 63 of them");
    refused("# muster-list 1 demo 1/2 key=code\ncode\n", "line 1 of the list: the version of a list is made "
                                                         "of a-z, 0-9, '-', '_' and '.', at most 31 of them");
    refused("# muster-list 1 demo 1 code\ncode\n", "line 1 of the list: expected key=<column> at the end");
    refused(TITLE, "line 2 of the list: the name of a column is made of a-z, 0-9 and '_'");
    refused(TITLE "name\n", "line 2 of the list: the key column of the first line is none of the columns");
    refused(TITLE "code,code\n", "line 2 of the list: a column occurs twice");
    refused(TITLE "# c\ncode,n\nA,1\nB\n", "line 5 of the list: fewer values than columns");
    refused(TITLE "code,n\nA,1,2\n", "line 3 of the list: too many values");
    refused(TITLE "code,n\nB,1\nA,1\n",
            "line 4 of the list: rows are to be sorted by the bytes of their key");
    refused(TITLE "code,n\n,1\n", "line 3 of the list: the key is empty");
    refused(TITLE "code,n\nA,\"1\n", "line 3 of the list: a quote is not closed");
    refused(TITLE "code,n\nA,1\"\n",
            "line 3 of the list: a quote within a value that does not begin with one");
    refused(TITLE "code,n\nA,\"1\"2\n",
            "line 3 of the list: text after a closing quote or a stray carriage return");
    refused(TITLE "code,n\nA,1\rB,2\n",
            "line 3 of the list: text after a closing quote or a stray carriage return");
    refused(TITLE "code,n\nA,1\n\n", "line 4 of the list: fewer values than columns");
    refused(TITLE "code,n\nA,\xff\n", "the list is not UTF-8 at byte 43");
}

int main(void)
{
    return tap_run();
}
