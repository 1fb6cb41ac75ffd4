/* SPDX-License-Identifier: Apache-2.0 */
#include "domain/uri.h"

#include <strings.h>

struct ending {
    const char *text, *means;
};
static const struct ending compressions[] = {{".gz", "gzip"}, {".zst", "zstd"}};
static const struct ending formats[] = {
    {".csv", "csv"}, {".json", "json"}, {".jsonl", "jsonl"}, {".ndjson", "jsonl"}, {".xml", "xml"}};

/* What the name's ending means, which is cut off then; the ending is not the whole name. */
static const char *cut_ending(struct mu_span *name, const struct ending *all, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const size_t len = strlen(all[i].text);
        if (name->len <= len || strncasecmp(name->at + name->len - len, all[i].text, len) != 0)
            continue;
        name->len -= len;
        return all[i].means;
    }
    return NULL;
}

/* Any other ending goes, too. */
static void cut_any_ending(struct mu_span *name)
{
    const char *dot = name->len ? memrchr(name->at, '.', name->len) : NULL;
    if (dot && dot > name->at)
        name->len = (size_t)(dot - name->at);
}

static bool refuse(struct mu_error *err, const char *what, const char *hint)
{
    mu_reject(err, "path_refused", "/source/uri", "%s", what);
    return mu_hint(err, "%s", hint);
}

/* //host/path?query: credentials would stand in logs and rows for ever. */
static bool check_web(struct mu_uri *uri, struct mu_error *err)
{
    struct mu_span rest = uri->rest;
    if (rest.len < 3 || rest.at[0] != '/' || rest.at[1] != '/')
        return refuse(err, "the URI names no host", "write https://host/path");
    if (memchr(rest.at, '#', rest.len))
        return refuse(err, "the URI has a fragment", "leave out what begins with #");
    const char *query = memchr(rest.at, '?', rest.len);
    if (query)
        rest.len = (size_t)(query - rest.at);
    rest = mu_span(rest.at + 2, rest.len - 2);
    const char *slash = memchr(rest.at, '/', rest.len);
    if (memchr(rest.at, '@', slash ? (size_t)(slash - rest.at) : rest.len))
        return refuse(err, "the URI has a user or a password",
                      "have the server let the agents in by their address");
    uri->file = slash ? mu_span(slash + 1, (size_t)(rest.at + rest.len - slash - 1)) : mu_span("", 0);
    return true;
}

bool mu_uri_parse(struct mu_uri *out, struct mu_span text, struct mu_error *err)
{
    static const char *const schemes[] = {"file", "object", "http", "https"};
    const char *colon = text.len ? memchr(text.at, ':', text.len) : NULL;
    struct mu_uri uri = {.scheme = mu_span(text.at, colon ? (size_t)(colon - text.at) : 0)};
    bool known = false;
    for (size_t i = 0; i < MU_COUNT(schemes); i++)
        known = known || mu_span_is(uri.scheme, schemes[i]);
    if (!colon || !known)
        return refuse(err, "the URI has no scheme that is known", "file:, object:, http: and https: are");
    if (text.len >= MU_URI_MAX)
        return refuse(err, "the URI is longer than 2048 bytes", "give the source a shorter name");
    for (size_t i = 0; i < text.len; i++)
        if ((unsigned char)text.at[i] < 0x20 || text.at[i] == 0x7f)
            return refuse(err, "the URI holds a control character", "take it out");
    uri.rest = uri.file = mu_span(colon + 1, text.len - uri.scheme.len - 1);
    if (uri.scheme.at[0] == 'h' && !check_web(&uri, err))
        return false;
    const char *slash = uri.file.len ? memrchr(uri.file.at, '/', uri.file.len) : NULL;
    if (slash)
        uri.file = mu_span(slash + 1, (size_t)(uri.file.at + uri.file.len - slash - 1));
    uri.stem = uri.file;
    uri.compression = cut_ending(&uri.stem, compressions, MU_COUNT(compressions));
    uri.format = cut_ending(&uri.stem, formats, MU_COUNT(formats));
    if (!uri.format)
        cut_any_ending(&uri.stem);
    *out = uri;
    return true;
}

/* Where what stands before the '@' at `at` begins, if that is an authority: behind two slashes, which JSON may have
 * escaped. SIZE_MAX: it is none. */
static size_t login_from(const struct mu_text *text, size_t from, size_t at)
{
    size_t begin = at;
    while (begin > from && text->at[begin - 1] != '/' && text->at[begin - 1] != '"' && (unsigned char)text->at[begin - 1] > ' ')
        begin--;
    size_t slash = begin;
    if (slash == from || text->at[slash - 1] != '/')
        return SIZE_MAX;
    slash--;
    if (slash > from && text->at[slash - 1] == '\\')
        slash--;
    return slash > from && text->at[slash - 1] == '/' ? begin : SIZE_MAX;
}

void mu_uri_hide_logins(struct mu_text *out, struct mu_span text)
{
    const size_t from = out->len;
    mu_text_add(out, text);
    for (size_t at = from; at < out->len; at++) {
        const size_t begin = out->at[at] == '@' ? login_from(out, from, at) : SIZE_MAX;
        if (begin != SIZE_MAX)
            memset(out->at + begin, '*', at - begin);
    }
}
