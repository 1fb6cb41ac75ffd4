/* SPDX-License-Identifier: Apache-2.0 */
#include "format/json.h"
#include "tap.h"

TAP_TEST(duplicate_keys_are_refused_with_their_place)
{
    struct mu_error err = {0};
    json_t *doc = NULL;
    CHECK(!mu_json_parse(&doc, mu_span_of("{\"a\":1,\n\"a\":2}"), 100, &err));
    CHECK_TEXT(err.code, "malformed");
    CHECK(strstr(err.text, "line 2") != NULL);
}

TAP_TEST(a_document_beyond_the_limit_is_too_large)
{
    struct mu_error err = {0};
    json_t *doc = NULL;
    CHECK(!mu_json_parse(&doc, mu_span_of("[1,2,3]"), 6, &err));
    CHECK_TEXT(err.code, "too_large");
}

TAP_TEST(depth_is_limited_and_brackets_in_texts_do_not_count)
{
    struct mu_error err = {0};
    char deep[2 * MU_JSON_DEPTH + 3];
    json_t *doc = NULL;
    memset(deep, '[', MU_JSON_DEPTH + 1);
    memset(deep + MU_JSON_DEPTH + 1, ']', MU_JSON_DEPTH + 1);
    CHECK(!mu_json_parse(&doc, mu_span(deep, 2 * MU_JSON_DEPTH + 2), 1000, &err));
    CHECK_TEXT(err.code, "malformed");
    mu_error_clear(&err);
    CHECK(mu_json_parse(&doc, mu_span(deep + 1, 2 * MU_JSON_DEPTH), 1000, &err));
    mu_json_free(doc);
    CHECK(mu_json_parse(&doc, mu_span_of("[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\\\"[[\"]"), 1000, &err));
    mu_json_free(doc);
}

TAP_TEST(a_nul_is_refused_wherever_it_stands)
{
    static const struct mu_span wrong[] = {{"true\0", 5}, {"{\"a\":true\0}", 11}, {"[1\0,2]", 6}, {"[null\0\0]", 8}, {"\0[]", 3}, {"[\"\0\"]", 5}};
    for (size_t i = 0; i < MU_COUNT(wrong); i++) {
        struct mu_error err = {0};
        json_t *doc = NULL;
        CHECK(!mu_json_parse(&doc, wrong[i], 100, &err));
        CHECK_TEXT(err.code, "malformed");
    }
}

TAP_TEST(raw_values_are_the_exact_bytes)
{
    struct mu_span doc = mu_span_of(" { \"v\" : 1 , \"te\\\"xt\":\"a,}\\\\\",\"tasks\": [ {\"a\":[1, 2]} ,\"x\\\"]\" , -1.5 ] }");
    struct mu_span value, element;
    CHECK(mu_json_raw(doc, "v", &value));
    CHECK_SPAN(value, mu_span_of("1"));
    CHECK(mu_json_raw(doc, "tasks", &value));
    CHECK_SPAN(value, mu_span_of("[ {\"a\":[1, 2]} ,\"x\\\"]\" , -1.5 ]"));
    CHECK(mu_json_next_element(&value, &element));
    CHECK_SPAN(element, mu_span_of("{\"a\":[1, 2]}"));
    CHECK(mu_json_next_element(&value, &element));
    CHECK_SPAN(element, mu_span_of("\"x\\\"]\""));
    CHECK(mu_json_next_element(&value, &element));
    CHECK_SPAN(element, mu_span_of("-1.5"));
    CHECK(!mu_json_next_element(&value, &element));
    CHECK(!mu_json_raw(doc, "none", &value));
    value = mu_span_of("[]");
    CHECK(!mu_json_next_element(&value, &element));
}

TAP_TEST(what_is_written_by_hand_parses_again)
{
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    struct mu_error err = {0};
    mu_text_putc(&t, '{');
    mu_json_put_text(&t, "text", "q\"\\\n\x01\xff\xc3\xa9");
    mu_json_put_int(&t, "least", INT64_MIN);
    mu_json_put_bool(&t, "yes", true);
    mu_json_put_raw(&t, "raw", mu_span_of("[{}]"));
    mu_text_putc(&t, '}');
    CHECK(mu_text_ok(&t, &err));
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    CHECK(mu_json_parse(&doc, mu_text_span(&t), 1000, &err));
    CHECK_TEXT(mu_json_text(doc, "text"), "q\"\\\n\x01\xef\xbf\xbd\xc3\xa9");
    CHECK_INT(mu_json_int(doc, "least", 0), INT64_MIN);
    CHECK(mu_json_bool(doc, "yes", false));
    CHECK_INT(mu_json_int(doc, "absent", 7), 7);
}

int main(void)
{
    return tap_run();
}
