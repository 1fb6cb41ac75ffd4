/* SPDX-License-Identifier: Apache-2.0 */
/* `http:` and `https:`, from hosts that the configuration names; without such a list there are none.
 *
 * An answer is read on as long as somebody reads on. What the first one said of the content (size, ETag,
 * date) is the pin: every later one has to say the same. A server that gives parts makes the source seekable;
 * one that does not is read anew from the beginning to where somebody wants to go on, and the source is one
 * task. A body whose end cannot be told from a broken connection is refused. */
#include "sources/fetch.h"

#include <strings.h>

#define GAP ((int64_t)256 * 1024)       /* so much is read and dropped sooner than asked for anew */
#define PROGRESS ((int64_t)1024 * 1024) /* an answer that broke off after so much is asked for again */

struct web {
    struct mu_source base;
    const struct mu_sources *all;
    struct mu_fetch *fetch;
    char url[MU_URI_MAX], host[256];
    char etag[256], modified[64]; /* as they were when it was opened */
    bool pinned, reading;         /* reading: an answer is under way */
    int64_t at, begun;            /* of the answer: the next byte, its first */
};

/* ---- who may be asked ---- */

static int64_t default_port(const struct mu_url *url)
{
    return strcmp(url->scheme, "https") == 0 ? 443 : 80;
}

/* "name", "name:port", "*.domain", "*.domain:port"; without a port that of the scheme is meant. */
static bool matches(const char *entry, const struct mu_url *url)
{
    struct mu_span host = mu_span_of(url->host), name = mu_span_of(entry);
    const char *colon = name.len ? memrchr(name.at, ':', name.len) : NULL;
    int64_t port = default_port(url);
    if (colon && !memchr(colon, ']', (size_t)(name.at + name.len - colon))) {
        if (!mu_parse_i64(mu_span(colon + 1, (size_t)(name.at + name.len - colon - 1)), 1, 65535, &port))
            return false;
        name.len = (size_t)(colon - name.at);
    }
    if (port != url->port)
        return false;
    if (name.len > 2 && name.at[0] == '*' && name.at[1] == '.') {
        name = mu_span(name.at + 1, name.len - 1);
        if (host.len <= name.len)
            return false;
        host = mu_span(host.at + host.len - name.len, name.len);
    }
    return host.len == name.len && strncasecmp(host.at, name.at, name.len) == 0;
}

static bool check_host(const struct mu_config *config, const struct mu_url *url, struct mu_error *err)
{
    for (size_t i = 0; i < config->http_hosts.count; i++)
        if (matches(config->http_hosts.at[i], url))
            return true;
    mu_reject(err, "path_refused", "/source/uri", "this agent reads nothing from host %s, port %lld",
              url->host, (long long)url->port);
    return mu_hint(err, "http.hosts of the agents lists those that may be read");
}

/* ---- what an answer means ---- */

static bool is_redirect(const struct mu_answer *a)
{
    return a->status >= 301 && a->status <= 308 && a->status != 304 && a->status != 305 && a->status != 306 &&
           a->location[0];
}

static bool changed(struct mu_error *err)
{
    return mu_reject(err, "source_changed", "",
                     "what the server has is not what it had when the source was opened");
}

static bool judge_status(const struct web *w, long status, struct mu_error *err)
{
    if (status == 200 || (status == 206 && w->pinned))
        return true;
    if (w->pinned && (status == 404 || status == 410 || status == 416))
        return changed(err);
    if (status == 404 || status == 410)
        return mu_reject(err, "source_missing", "", "the server has no such source (status %ld)", status);
    if (status == 408 || status == 425 || status == 429 || status >= 500)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "the server answers with status %ld", status);
    return mu_reject(err, "source_unreadable", "", "the server does not give the source (status %ld)",
                     status);
}

/* An answer that says nothing of a property does not contradict. */
static bool agrees(const struct web *w, const struct mu_answer *a, int64_t from)
{
    const int64_t size = a->status == 206 ? a->range_size : a->length;
    if (a->status == 206 && a->range_from != from)
        return false;
    if ((w->etag[0] && a->etag[0] && strcmp(w->etag, a->etag) != 0) ||
        (w->base.size >= 0 && size >= 0 && size != w->base.size))
        return false;
    return !w->modified[0] || !a->modified[0] || strcmp(w->modified, a->modified) == 0;
}

/* A weak ETag must not stand there. */
static const char *validator(const struct web *w)
{
    return w->etag[0] == '"' ? w->etag : w->modified;
}

/* ---- asking ---- */

static bool follow(struct web *w, char url[MU_URI_MAX], const struct mu_url *before, int64_t hop,
                   struct mu_error *err)
{
    struct mu_url next;
    const struct mu_answer *a = mu_fetch_answer(w->fetch);
    if (hop >= w->all->config->http_redirects) {
        mu_reject(err, "path_refused", "/source/uri", "the server leads elsewhere (status %ld)", a->status);
        return mu_hint(err, "name the place itself, or let agents follow with http.redirects");
    }
    if (!mu_url_parse(&next, a->location, err))
        return false;
    if (strcmp(before->scheme, "https") == 0 && strcmp(next.scheme, "https") != 0)
        return mu_reject(err, "path_refused", "/source/uri",
                         "the server leads from https: to %s:", next.scheme);
    return mu_copy_text(url, MU_URI_MAX, mu_span_of(a->location)) ||
           mu_reject(err, "path_refused", "/source/uri", "the server leads to a URL that is too long");
}

/* Begins an answer that holds the byte at `from`. */
static bool ask(struct web *w, int64_t from, struct mu_error *err)
{
    char url[MU_URI_MAX];
    struct mu_url parts;
    w->reading = false;
    memcpy(url, w->url, sizeof(url));
    for (int64_t hop = 0;; hop++) {
        if (!mu_url_parse(&parts, url, err) || !check_host(w->all->config, &parts, err) ||
            !mu_fetch_begin(w->fetch, url, from, validator(w), err))
            return mu_while(err, "%s", w->host);
        if (!is_redirect(mu_fetch_answer(w->fetch)))
            break;
        if (!follow(w, url, &parts, hop, err))
            return mu_while(err, "%s", w->host);
    }
    const struct mu_answer *a = mu_fetch_answer(w->fetch);
    if (!judge_status(w, a->status, err) || (w->pinned && !agrees(w, a, from) && !changed(err)))
        return mu_while(err, "%s", w->host);
    w->at = w->begun = a->status == 206 ? from : 0;
    w->reading = true;
    return true;
}

/* ---- the source ---- */

static bool too_large(const struct web *w, struct mu_error *err)
{
    mu_reject(err, "limit_source_bytes", "", "the source has more than %lld bytes",
              (long long)w->all->config->source_max_bytes);
    return mu_hint(err, "cut it, or raise source.max_bytes of the agents");
}

static bool pin(struct web *w, struct mu_error *err)
{
    const struct mu_answer *a = mu_fetch_answer(w->fetch);
    if (a->length < 0 && !a->chunked)
        return mu_reject(err, "source_unreadable", "",
                         "%s: the server says neither how long the source is nor where it ends", w->host);
    if (a->length > w->all->config->source_max_bytes)
        return too_large(w, err);
    memcpy(w->etag, a->etag, sizeof(w->etag));
    memcpy(w->modified, a->modified, sizeof(w->modified));
    w->base.size = a->chunked ? -1 : a->length;
    w->base.seekable = a->ranges && w->base.size >= 0;
    w->pinned = true;
    return true;
}

/* Reads on; an answer that broke off on its way is asked for again where it stopped. */
static bool some(struct web *w, char *to, size_t len, size_t *got, struct mu_error *err)
{
    struct mu_error why = {0};
    while (!mu_fetch_read(w->fetch, to, len, got, &why)) {
        const bool again = why.fault == MU_UNAVAILABLE && w->base.seekable && w->at - w->begun >= PROGRESS;
        if (!again || !mu_sources_go_on(w->all, err) || !ask(w, w->at, err)) {
            w->reading = false;
            mu_fail_code(err, why.fault, why.code, "%s: %s", w->host, why.text);
            return mu_hint(err, "%s", why.hint);
        }
        mu_error_clear(&why);
    }
    w->at += (int64_t)*got;
    return w->base.size >= 0 || w->at <= w->all->config->source_max_bytes || too_large(w, err);
}

static bool seek(struct web *w, int64_t at, struct mu_error *err)
{
    char dropped[16 * 1024];
    if ((!w->reading || at < w->at || (w->base.seekable && at - w->at > GAP)) &&
        !ask(w, w->base.seekable ? at : 0, err))
        return false;
    for (size_t got = 1; got && w->at < at;) {
        const int64_t left = at - w->at;
        if (!some(w, dropped, left < (int64_t)sizeof(dropped) ? (size_t)left : sizeof(dropped), &got, err) ||
            !mu_sources_go_on(w->all, err))
            return false;
    }
    return true;
}

static bool read_web(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got, struct mu_error *err)
{
    struct web *w = (struct web *)(void *)s;
    size_t done = 0, part = 1;
    if (w->base.size >= 0 && at >= w->base.size) {
        *got = 0;
        return true;
    }
    if (!seek(w, at, err))
        return false;
    while (done < len && part && w->at >= at) {
        if (!some(w, to + done, len - done, &part, err))
            return false;
        done += part;
    }
    *got = done;
    return true;
}

static bool unchanged(struct mu_source *s, struct mu_error *err)
{
    struct web *w = (struct web *)(void *)s;
    bool same = ask(w, 0, err);
    mu_fetch_end(w->fetch);
    w->reading = false;
    return same;
}

static void close_web(struct mu_source *s)
{
    struct web *w = (struct web *)(void *)s;
    mu_fetch_free(w->fetch);
    free(w);
}

static bool open_web(struct mu_source **out, struct mu_sources *all, const struct mu_uri *uri,
                     const struct mu_source_kind *kind, struct mu_error *err)
{
    struct mu_url parts;
    struct web *w = calloc(1, sizeof(*w));
    if (!w)
        return mu_fail(err, MU_BROKEN, "out of memory");
    w->base = (struct mu_source){.kind = kind, .size = -1};
    w->all = all;
    const bool fits =
        mu_copy_text(w->url, sizeof(w->url),
                     mu_span(uri->scheme.at, (size_t)(uri->rest.at + uri->rest.len - uri->scheme.at)));
    if ((!fits && !mu_reject(err, "path_refused", "/source/uri", "the URI is too long")) ||
        !mu_url_parse(&parts, w->url, err) || !check_host(all->config, &parts, err) ||
        !mu_copy_text(w->host, sizeof(w->host), mu_span_of(parts.host)) ||
        !mu_fetch_new(&w->fetch, all, err) || !ask(w, 0, err) || !pin(w, err)) {
        close_web(&w->base);
        return false;
    }
    *out = &w->base;
    return true;
}

static bool open_http(struct mu_source **out, struct mu_sources *all, const struct mu_uri *uri,
                      struct mu_error *err)
{
    return open_web(out, all, uri, &mu_source_http, err);
}

static bool open_https(struct mu_source **out, struct mu_sources *all, const struct mu_uri *uri,
                       struct mu_error *err)
{
    return open_web(out, all, uri, &mu_source_https, err);
}

const struct mu_source_kind mu_source_http = {"http", open_http, read_web, unchanged, close_web};
const struct mu_source_kind mu_source_https = {"https", open_https, read_web, unchanged, close_web};
