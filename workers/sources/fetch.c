/* SPDX-License-Identifier: Apache-2.0 */
/* The library's multi interface, because it can be left between two pieces: its callback fills our buffer and
 * pauses the transfer when that is full. */
#include "sources/fetch.h"
#include "base/clock.h"
#include "sources/address.h"

#include <ctype.h>
#include <curl/curl.h>
#include <pthread.h>
#include <strings.h>
#include <sys/socket.h>

#define BUFFER ((size_t)512 * 1024)
#define PIECE 65536L /* most that the library gives at once */
#define TURN_MS 100  /* how often whoever waits is asked whether to go on */

struct mu_fetch {
    const struct mu_sources *all;
    CURLM *multi;
    CURL *easy;
    struct curl_slist *headers;
    bool under_way, paused, headed, done; /* headed: the head of the answer is whole */
    bool refused;                         /* the address is not allowed */
    CURLcode result;
    struct mu_answer answer;
    char *buffer;
    size_t from, to;
    int64_t waited_ms, silent_ms; /* for this answer; since something came */
    char why[CURL_ERROR_SIZE];
};

bool mu_url_parse(struct mu_url *out, const char *url, struct mu_error *err)
{
    char *scheme = NULL, *host = NULL, *port = NULL, *user = NULL;
    struct mu_url u = {.port = 0};
    CURLU *handle = curl_url();
    bool good = handle && curl_url_set(handle, CURLUPART_URL, url, 0) == CURLUE_OK &&
                curl_url_get(handle, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
                (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0) &&
                curl_url_get(handle, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
                curl_url_get(handle, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
                curl_url_get(handle, CURLUPART_USER, &user, 0) == CURLUE_NO_USER &&
                mu_copy_text(u.scheme, sizeof(u.scheme), mu_span_of(scheme)) &&
                mu_copy_text(u.host, sizeof(u.host), mu_span_of(host)) &&
                mu_parse_i64(mu_span_of(port), 1, 65535, &u.port);
    for (char *at = u.host; *at; at++)
        *at = (char)tolower((unsigned char)*at);
    curl_free(scheme);
    curl_free(host);
    curl_free(port);
    curl_free(user);
    curl_url_cleanup(handle);
    if (!good)
        return mu_reject(err, "path_refused", "/source/uri",
                         "the URL cannot be understood, has a user, or is neither http: nor https:");
    *out = u;
    return true;
}

/* ---- what the library calls ---- */

static size_t on_body(char *bytes, size_t one, size_t len, void *ctx)
{
    struct mu_fetch *f = ctx;
    (void)one;
    if (f->from == f->to)
        f->from = f->to = 0;
    if (f->to + len > BUFFER) {
        f->paused = true;
        return CURL_WRITEFUNC_PAUSE;
    }
    memcpy(f->buffer + f->to, bytes, len);
    f->to += len;
    f->silent_ms = 0;
    return len;
}

static bool is_header(struct mu_span line, const char *name, struct mu_span *value)
{
    const size_t len = strlen(name);
    if (line.len <= len || line.at[len] != ':' || strncasecmp(line.at, name, len) != 0)
        return false;
    line = mu_span(line.at + len + 1, line.len - len - 1);
    while (line.len && (line.at[0] == ' ' || line.at[0] == '\t'))
        line = mu_span(line.at + 1, line.len - 1);
    while (line.len && isspace((unsigned char)line.at[line.len - 1]))
        line.len--;
    *value = line;
    return true;
}

/* "bytes 100-199/200", or with a '*' for what is not known. */
static void take_range(struct mu_answer *a, struct mu_span text)
{
    const char *dash = text.len ? memchr(text.at, '-', text.len) : NULL;
    const char *slash = text.len ? memchr(text.at, '/', text.len) : NULL;
    if (text.len < 6 || strncasecmp(text.at, "bytes ", 6) != 0 || !dash || !slash || slash < dash)
        return;
    if (!mu_parse_i64(mu_span(text.at + 6, (size_t)(dash - text.at) - 6), 0, INT64_MAX, &a->range_from))
        return;
    if (!mu_parse_i64(mu_span(slash + 1, (size_t)(text.at + text.len - slash - 1)), 0, INT64_MAX,
                      &a->range_size))
        a->range_size = -1;
}

static void take_header(struct mu_answer *a, struct mu_span line)
{
    struct mu_span value;
    if (is_header(line, "content-length", &value)) {
        if (!mu_parse_i64(value, 0, INT64_MAX, &a->length))
            a->length = -1;
    } else if (is_header(line, "content-range", &value)) {
        take_range(a, value);
    } else if (is_header(line, "accept-ranges", &value)) {
        a->ranges = value.len == 5 && strncasecmp(value.at, "bytes", 5) == 0;
    } else if (is_header(line, "transfer-encoding", &value)) {
        a->chunked = value.len >= 7 && strncasecmp(value.at + value.len - 7, "chunked", 7) == 0;
    } else if (is_header(line, "etag", &value)) {
        (void)!mu_copy_text(a->etag, sizeof(a->etag), value);
    } else if (is_header(line, "last-modified", &value)) {
        (void)!mu_copy_text(a->modified, sizeof(a->modified), value);
    }
}

static size_t on_header(char *bytes, size_t one, size_t len, void *ctx)
{
    struct mu_fetch *f = ctx;
    struct mu_span line = mu_span(bytes, one * len);
    f->silent_ms = 0;
    if (line.len > 5 && memcmp(line.at, "HTTP/", 5) == 0) /* also of each "100 Continue" */
        f->answer = (struct mu_answer){.length = -1, .range_from = -1, .range_size = -1};
    else if (line.len > 2)
        take_header(&f->answer, line);
    else if (curl_easy_getinfo(f->easy, CURLINFO_RESPONSE_CODE, &f->answer.status) == CURLE_OK)
        f->headed = f->answer.status >= 200;
    return len;
}

/* The address is looked at here, where the connection is made: a name that resolves to another one than it
 * did when it was checked gains nothing. */
static curl_socket_t on_socket(void *ctx, curlsocktype purpose, struct curl_sockaddr *to)
{
    struct mu_fetch *f = ctx;
    const struct mu_config *c = f->all->config;
    const bool by_proxy = c->http_proxy && c->http_proxy[0];
    if (purpose != CURLSOCKTYPE_IPCXN ||
        (!c->http_private && !by_proxy && !mu_address_is_public(&to->addr))) {
        f->refused = true;
        return CURL_SOCKET_BAD;
    }
    return socket(to->family, to->socktype | SOCK_CLOEXEC, to->protocol);
}

/* ---- life ---- */

static pthread_once_t once = PTHREAD_ONCE_INIT;

static void prepare_library(void)
{
    (void)curl_global_init(CURL_GLOBAL_DEFAULT);
}

static bool set_up(CURL *e, struct mu_fetch *f)
{
    const struct mu_config *c = f->all->config;
    const bool good =
        curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_DISALLOW_USERNAME_IN_URL, 1L) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_HTTP_CONTENT_DECODING, 0L) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_USERAGENT, "muster-worker/" MUSTER_VERSION) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_PROXY, c->http_proxy ? c->http_proxy : "") == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_NOPROXY, "") == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, (long)c->http_connect_timeout_ms) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_BUFFERSIZE, PIECE) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_ERRORBUFFER, f->why) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_WRITEDATA, f) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_HEADERDATA, f) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_OPENSOCKETFUNCTION, on_socket) == CURLE_OK &&
        curl_easy_setopt(e, CURLOPT_OPENSOCKETDATA, f) == CURLE_OK;
    return good && (!c->http_ca_file || !c->http_ca_file[0] ||
                    curl_easy_setopt(e, CURLOPT_CAINFO, c->http_ca_file) == CURLE_OK);
}

bool mu_fetch_new(struct mu_fetch **out, const struct mu_sources *all, struct mu_error *err)
{
    (void)pthread_once(&once, prepare_library);
    MU_AUTO(mu_fetch_free) struct mu_fetch *f = calloc(1, sizeof(*f));
    if (!f)
        return mu_fail(err, MU_BROKEN, "out of memory");
    f->all = all;
    f->buffer = malloc(BUFFER);
    f->multi = curl_multi_init();
    f->easy = curl_easy_init();
    if (!f->buffer || !f->multi || !f->easy || !set_up(f->easy, f))
        return mu_fail(err, MU_BROKEN, "could not prepare the HTTP library");
    *out = MU_GIVE(f);
    return true;
}

void mu_fetch_end(struct mu_fetch *f)
{
    if (f->under_way)
        curl_multi_remove_handle(f->multi, f->easy);
    f->under_way = f->paused = f->headed = f->done = f->refused = false;
    f->from = f->to = 0;
    f->waited_ms = f->silent_ms = 0;
    f->why[0] = '\0';
}

void mu_fetch_free(struct mu_fetch *f)
{
    if (!f)
        return;
    mu_fetch_end(f);
    curl_easy_cleanup(f->easy);
    curl_multi_cleanup(f->multi);
    curl_slist_free_all(f->headers);
    free(f->buffer);
    free(f);
}

/* ---- one answer ---- */

static bool failed(struct mu_fetch *f, struct mu_error *err)
{
    if (f->refused) {
        mu_reject(err, "path_refused", "/source/uri",
                  "the host lies at a private, loopback or link-local address");
        return mu_hint(err, "http.private lets agents read from such addresses");
    }
    if (f->result == CURLE_OUT_OF_MEMORY)
        return mu_fail(err, MU_BROKEN, "out of memory");
    return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "%s",
                        f->why[0] ? f->why : curl_easy_strerror(f->result));
}

/* Waits for the network, a moment. */
static bool wait(struct mu_fetch *f, struct mu_error *err)
{
    const struct mu_config *c = f->all->config;
    const int64_t before = mu_clock_ms();
    (void)curl_multi_poll(f->multi, NULL, 0, TURN_MS, NULL);
    const int64_t passed = mu_clock_ms() - before;
    f->waited_ms += passed;
    f->silent_ms += passed;
    if (f->silent_ms > c->http_stall_timeout_ms)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down",
                            "nothing has come from the server for longer than http.stall_timeout");
    if (f->waited_ms > c->http_total_timeout_ms)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down",
                            "the answer of the server takes longer than http.total_timeout");
    return mu_sources_go_on(f->all, err);
}

/* Lets the library work once. Something may have come. */
static bool turn(struct mu_fetch *f, struct mu_error *err)
{
    int running = 0, left = 0;
    if (f->paused) {
        f->paused = false;
        (void)curl_easy_pause(f->easy, CURLPAUSE_CONT); /* gives what it held back */
    }
    if (curl_multi_perform(f->multi, &running) != CURLM_OK)
        return mu_fail(err, MU_BROKEN, "the HTTP library cannot go on");
    for (const CURLMsg *m; (m = curl_multi_info_read(f->multi, &left));) {
        if (m->msg != CURLMSG_DONE)
            continue;
        f->done = true;
        f->result = m->data.result;
    }
    return true;
}

static bool set_request(struct mu_fetch *f, const char *url, int64_t from, const char *if_range)
{
    char range[40], line[300];
    struct curl_slist *list = curl_slist_append(NULL, "Accept-Encoding: identity"), *grown = list;
    snprintf(range, sizeof(range), "%lld-", (long long)from);
    snprintf(line, sizeof(line), "If-Range: %s", if_range);
    if (list && from && if_range[0])
        grown = curl_slist_append(list, line);
    curl_slist_free_all(f->headers);
    f->headers = list;
    return list && grown && curl_easy_setopt(f->easy, CURLOPT_HTTPHEADER, list) == CURLE_OK &&
           curl_easy_setopt(f->easy, CURLOPT_URL, url) == CURLE_OK &&
           curl_easy_setopt(f->easy, CURLOPT_RANGE, from ? range : NULL) == CURLE_OK &&
           curl_multi_add_handle(f->multi, f->easy) == CURLM_OK;
}

bool mu_fetch_begin(struct mu_fetch *f, const char *url, int64_t from, const char *if_range,
                    struct mu_error *err)
{
    mu_fetch_end(f);
    f->answer = (struct mu_answer){.length = -1, .range_from = -1, .range_size = -1};
    if (!set_request(f, url, from, if_range))
        return mu_fail(err, MU_BROKEN, "could not prepare a request: out of memory");
    f->under_way = true;
    while (!f->headed && !f->done) {
        if (!turn(f, err))
            return false;
        if (!f->headed && !f->done && !wait(f, err))
            return false;
    }
    if (!f->headed)
        return failed(f, err);
    const char *location = NULL;
    if (curl_easy_getinfo(f->easy, CURLINFO_REDIRECT_URL, &location) == CURLE_OK && location)
        (void)!mu_copy_text(f->answer.location, sizeof(f->answer.location), mu_span_of(location));
    return true;
}

const struct mu_answer *mu_fetch_answer(const struct mu_fetch *f)
{
    return &f->answer;
}

bool mu_fetch_read(struct mu_fetch *f, char *to, size_t len, size_t *got, struct mu_error *err)
{
    while (f->from == f->to) {
        if (f->done && f->result != CURLE_OK)
            return failed(f, err);
        if (f->done || !len) {
            *got = 0;
            return true;
        }
        if (!turn(f, err))
            return false;
        if (f->from == f->to && !f->done && !wait(f, err))
            return false;
    }
    *got = f->to - f->from < len ? f->to - f->from : len;
    memcpy(to, f->buffer + f->from, *got);
    f->from += *got;
    return true;
}
