/* SPDX-License-Identifier: Apache-2.0 */
/* What the spelling of a source's URI says. */
#include "base/base64.h"
#include "domain/names.h"
#include "domain/uri.h"
#include "tap.h"

/* "scheme|file|stem|compression|format", or "refused". */
static const char *parsed(const char *text)
{
    static char out[400];
    struct mu_uri u;
    struct mu_error err = {0};
    if (!mu_uri_parse(&u, mu_span_of(text), &err)) {
        CHECK_TEXT(err.code, "path_refused");
        CHECK(err.text[0] && err.hint[0]);
        return "refused";
    }
    snprintf(out, sizeof(out), "%.*s|%.*s|%.*s|%s|%s", (int)u.scheme.len, u.scheme.at, (int)u.file.len,
             u.file.at, (int)u.stem.len, u.stem.at, u.compression ? u.compression : "-",
             u.format ? u.format : "-");
    return out;
}

static const char *hidden(const char *text)
{
    static char out[400];
    struct mu_text t = MU_TEXT(0);
    mu_uri_hide_logins(&t, mu_span_of(text));
    (void)snprintf(out, sizeof(out), "%.*s", (int)t.len, t.len ? t.at : "");
    mu_text_free(&t);
    return out;
}

TAP_TEST(a_login_is_not_kept_with_what_was_refused_for_it)
{
    CHECK_TEXT(hidden("{\"uri\":\"https://ann:se:c@ret@host/a.csv\",\"id\":\"a@b\"}"), "{\"uri\":\"https://************@host/a.csv\",\"id\":\"a@b\"}");
    CHECK_TEXT(hidden("{\"uri\":\"https:\\/\\/ann:x@host\\/a\"}"), "{\"uri\":\"https:\\/\\/*****@host\\/a\"}");
    CHECK_TEXT(hidden("http://host/path/a@b"), "http://host/path/a@b");
    CHECK_TEXT(hidden("@ //@ /@"), "@ //@ /@");
    CHECK_TEXT(hidden(""), "");
}

TAP_TEST(endings_say_format_and_compression)
{
    CHECK_TEXT(parsed("file:trades.csv"), "file|trades.csv|trades|-|csv");
    CHECK_TEXT(parsed("file:///data/2026/trades.CSV.GZ"), "file|trades.CSV.GZ|trades|gzip|csv");
    CHECK_TEXT(parsed("file:a.b.jsonl.zst"), "file|a.b.jsonl.zst|a.b|zstd|jsonl");
    CHECK_TEXT(parsed("file:a.ndjson"), "file|a.ndjson|a|-|jsonl");
    CHECK_TEXT(parsed("file:a.json"), "file|a.json|a|-|json");
    CHECK_TEXT(parsed("file:a.xml.gz"), "file|a.xml.gz|a|gzip|xml");
    CHECK_TEXT(parsed("file:a.txt"), "file|a.txt|a|-|-");
    CHECK_TEXT(parsed("file:a.txt.gz"), "file|a.txt.gz|a|gzip|-");
    CHECK_TEXT(parsed("file:a.gz.csv"), "file|a.gz.csv|a.gz|-|csv");
    CHECK_TEXT(parsed("file:.gz"), "file|.gz|.gz|-|-");
    CHECK_TEXT(parsed("file:.csv"), "file|.csv|.csv|-|-");
    CHECK_TEXT(parsed("file:folder/"), "file|||-|-");
    CHECK_TEXT(parsed("file:"), "file|||-|-");
}

TAP_TEST(objects_and_web_pages_have_names_like_files)
{
    CHECK_TEXT(parsed("object:bucket/2026/trades.csv.gz"), "object|trades.csv.gz|trades|gzip|csv");
    CHECK_TEXT(parsed("object:bucket/a?b#c.csv"), "object|a?b#c.csv|a?b#c|-|csv");
    CHECK_TEXT(parsed("https://host/a/trades.csv.zst?sig=x.y/z"), "https|trades.csv.zst|trades|zstd|csv");
    CHECK_TEXT(parsed("http://host:8080/trades"), "http|trades|trades|-|-");
    CHECK_TEXT(parsed("http://host.csv"), "http|||-|-");
    CHECK_TEXT(parsed("http://host/a@b.csv"), "http|a@b.csv|a@b|-|csv");
    CHECK_TEXT(parsed("http://host?a@b/x.csv"), "http|||-|-");
}

TAP_TEST(what_would_be_wrong_or_reach_a_log_is_refused)
{
    static const char *const bad[] = {"",
                                      "a.csv",
                                      ":a",
                                      "ftp://h/a",
                                      "FILE:a",
                                      "http:",
                                      "http:/",
                                      "http://",
                                      "https:h/a",
                                      "http://u@h/a",
                                      "http://u:p@h/a",
                                      "http://u:p@h",
                                      "http://h/a#f",
                                      "file:a\nb",
                                      "file:a\x7f",
                                      "object:b/a\tb"};
    for (size_t i = 0; i < MU_COUNT(bad); i++)
        if (strcmp(parsed(bad[i]), "refused") != 0)
            TAP_FAIL("\"%s\" passes", bad[i]);
    char longest[MU_URI_MAX + 1] = "file:";
    memset(longest + 5, 'a', sizeof(longest) - 6);
    longest[MU_URI_MAX - 1] = '\0';
    CHECK(strcmp(parsed(longest), "refused") != 0);
    longest[MU_URI_MAX - 1] = 'a';
    CHECK_TEXT(parsed(longest), "refused");
    struct mu_uri u;
    struct mu_error err = {0};
    CHECK(!mu_uri_parse(&u, mu_span("file:a\0b", 8), &err));
}

TAP_TEST(base64url_is_that_of_the_rfc)
{
    static const struct {
        const char *bytes, *text;
    } known[] = {{"", ""},
                 {"f", "Zg=="},
                 {"fo", "Zm8="},
                 {"foo", "Zm9v"},
                 {"foob", "Zm9vYg=="},
                 {"fooba", "Zm9vYmE="},
                 {"foobar", "Zm9vYmFy"},
                 {"\xfb\xff\xfe", "-__-"},
                 {"a b.csv", "YSBiLmNzdg=="}};
    for (size_t i = 0; i < MU_COUNT(known); i++) {
        char text[20], bytes[20] = "";
        const size_t len = strlen(known[i].bytes);
        CHECK(mu_base64url_format(mu_span_of(known[i].bytes), text, sizeof(text)));
        CHECK_TEXT(text, known[i].text);
        CHECK(mu_base64url_parse(mu_span_of(text), bytes, len));
        CHECK_TEXT(bytes, known[i].bytes);
        CHECK(mu_base64url_parse(mu_span(text, strcspn(text, "=")), bytes, len));
        CHECK(!mu_base64url_parse(mu_span_of(text), bytes, len + 1));
        CHECK(!len || !mu_base64url_parse(mu_span_of(text), bytes, len - 1));
        CHECK(!mu_base64url_format(mu_span_of(known[i].bytes), text, strlen(known[i].text)));
    }
    char two[2] = "";
    CHECK(!mu_base64url_parse(mu_span_of("Zm9="), two, 2)); /* bits that say nothing */
    CHECK(!mu_base64url_parse(mu_span_of("Zm8=="), two, 2));
    CHECK(!mu_base64url_parse(mu_span_of("Zm+="), two, 2));
    CHECK(!mu_base64url_parse(mu_span("Z\0m8", 4), two, 2));
}

TAP_TEST(an_object_has_its_subject_by_its_name)
{
    char subject[MU_OBJECT_SUBJECT_MAX], name[MU_OBJECT_NAME_MAX];
    CHECK(mu_subject_of_object(subject, "files", mu_span_of("a b.csv")));
    CHECK_TEXT(subject, "$O.files.M.YSBiLmNzdg==");
    memset(name, 'x', sizeof(name));
    CHECK(mu_subject_of_object(subject, "files", mu_span(name, sizeof(name) - 1)));
    CHECK(!mu_subject_of_object(subject, "files", mu_span(name, sizeof(name))));
    CHECK(!mu_subject_of_object(subject, "files", mu_span("", 0)));
}

int main(void)
{
    return tap_run();
}
