/* SPDX-License-Identifier: Apache-2.0 */
#include "outside/bus_inside.h"
#include "base/clock.h"
#include "format/json.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define LEAST_MAJOR 2
#define LEAST_MINOR 10
#define LEAST_PATCH 27

/* A request that waits for its answer. */
struct waiter {
    uint64_t number;
    const char *subject;
    bool refused; /* the broker does not let this login ask there */
    struct mu_message *answer;
    pthread_cond_t answered; /* on CLOCK_MONOTONIC */
    struct waiter *next;
};

bool bus_fault(struct mu_error *err, natsStatus s, const char *fmt, ...)
{
    char what[200];
    va_list args;
    va_start(args, fmt);
    vsnprintf(what, sizeof(what), fmt, args);
    va_end(args);
    enum mu_fault fault = MU_UNAVAILABLE;
    if (s == NATS_NO_MEMORY || s == NATS_INVALID_ARG || s == NATS_ILLEGAL_STATE)
        fault = MU_BROKEN;
    else if (s == NATS_CONNECTION_AUTH_FAILED || s == NATS_MAX_PAYLOAD || s == NATS_INVALID_SUBJECT)
        fault = MU_REJECTED;
    return mu_fail_code(err, fault, s == NATS_CONNECTION_AUTH_FAILED ? "permission" : "", "%s: %s", what,
                        natsStatus_GetText(s));
}

/* One write per sleep of the loop, however many messages arrive. */
void bus_wake(struct mu_bus *bus)
{
    uint64_t one = 1;
    if (!atomic_exchange(&bus->signalled, true))
        (void)!write(bus->event_fd, &one, sizeof(one));
}

void mu_bus_wake(struct mu_bus *bus)
{
    bus_wake(bus);
}

/* With the lock held: 'Permissions Violation for Publish to "<subject>"'. */
static void refuse_waiters(struct mu_bus *bus, const char *text)
{
    for (struct waiter *w = bus->waiters; w; w = w->next) {
        const char *at = strstr(text, w->subject);
        w->refused = w->refused || (at && at > text && at[-1] == '"' && at[strlen(w->subject)] == '"');
        if (w->refused)
            pthread_cond_signal(&w->answered);
    }
}

static void on_error(natsConnection *nc, natsSubscription *sub, natsStatus s, void *closure)
{
    struct mu_bus *bus = closure;
    const char *text = NULL;
    (void)sub;
    natsConnection_GetLastError(nc, &text);
    pthread_mutex_lock(&bus->lock);
    snprintf(bus->refusal, sizeof(bus->refusal), "%s", text && text[0] ? text : natsStatus_GetText(s));
    if (s == NATS_NOT_PERMITTED) {
        refusal_note(bus, bus->refusal);
        refuse_waiters(bus, bus->refusal);
    }
    pthread_mutex_unlock(&bus->lock);
}

void bus_refusal(struct mu_bus *bus, char out[200])
{
    pthread_mutex_lock(&bus->lock);
    memcpy(out, bus->refusal, sizeof(bus->refusal));
    pthread_mutex_unlock(&bus->lock);
}

static void on_reconnected(natsConnection *nc, void *closure)
{
    struct mu_bus *bus = closure;
    (void)nc;
    atomic_fetch_add(&bus->generation, 1);
    bus_wake(bus);
}

static void on_closed(natsConnection *nc, void *closure)
{
    struct mu_bus *bus = closure;
    (void)nc;
    bus_wake(bus);
    atomic_store(&bus->closed, true); /* the last touch: mu_bus_free waits for it */
}

/* "nats://a:4222,nats://b:4222" */
static natsStatus set_servers(natsOptions *o, const char *urls)
{
    const char *list[16];
    char copy[2048];
    int count = 0;
    if (!mu_copy_text(copy, sizeof(copy), mu_span_of(urls)))
        return NATS_INVALID_ARG;
    for (char *at = copy; at && count < (int)MU_COUNT(list);) {
        char *comma = strchr(at, ',');
        if (comma)
            *comma = '\0';
        list[count++] = at + strspn(at, " ");
        at = comma ? comma + 1 : NULL;
    }
    return natsOptions_SetServers(o, list, count);
}

static bool given(const char *text)
{
    return text && text[0];
}

/* JETSTREAM.md §9 has the reason of each value. */
static natsStatus set_options(struct mu_bus *bus, const struct mu_bus_options *in)
{
    natsOptions *o = bus->options;
    natsStatus s = set_servers(o, in->url);
    if (s == NATS_OK && given(in->creds_file))
        s = natsOptions_SetUserCredentialsFromFiles(o, in->creds_file, NULL);
    else if (s == NATS_OK && given(in->token))
        s = natsOptions_SetToken(o, in->token);
    else if (s == NATS_OK && given(in->user))
        s = natsOptions_SetUserInfo(o, in->user, in->password);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(o, in->connect_timeout_ms ? in->connect_timeout_ms : 2000);
    if (s == NATS_OK)
        s = natsOptions_SetName(o, in->name);
    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(o, -1);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectWait(o, 500);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectJitter(o, 2000, 2000);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectBufSize(o, 64 * 1024);
    if (s == NATS_OK)
        s = natsOptions_SetFailRequestsOnDisconnect(o, true);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(o, 10000);
    if (s == NATS_OK)
        s = natsOptions_SetMaxPingsOut(o, 2);
    if (s == NATS_OK)
        s = natsOptions_SetWriteDeadline(o, 10000);
    if (s == NATS_OK)
        s = natsOptions_SetIOBufSize(o, 256 * 1024);
    if (s == NATS_OK)
        s = natsOptions_UseGlobalMessageDelivery(o, true);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(o, on_error, bus);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectedCB(o, on_reconnected, bus);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(o, on_closed, bus);
    return s;
}

static bool read_info_line(const char *host, const char *port, int64_t timeout_ms, struct mu_text *line)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list = NULL;
    if (getaddrinfo(host, port, &hints, &list) != 0)
        return false;
    struct timeval limit = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000};
    bool complete = false;
    for (struct addrinfo *a = list; a && !complete; a = a->ai_next) {
        int fd = socket(a->ai_family, a->ai_socktype | SOCK_CLOEXEC, a->ai_protocol);
        if (fd < 0)
            continue;
        setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit));
        char part[2048];
        ssize_t got = 0;
        if (connect(fd, a->ai_addr, a->ai_addrlen) == 0)
            while (!complete && (got = recv(fd, part, sizeof(part), 0)) > 0) {
                mu_text_add(line, mu_span(part, (size_t)got));
                complete = line->failed || memchr(part, '\n', (size_t)got) != NULL;
            }
        close(fd);
    }
    freeaddrinfo(list);
    return complete && !line->failed;
}

/* libnats has no call for the server's version: the first line of a plain connection says it. */
static bool read_version(struct mu_bus *bus, struct mu_error *err)
{
    char url[512] = "", *host, *port;
    natsConnection_GetConnectedUrl(bus->nc, url, sizeof(url));
    host = strstr(url, "://");
    host = host ? host + 3 : url;
    if (strchr(host, '@'))
        host = strchr(host, '@') + 1;
    port = strrchr(host, ':');
    if (!port)
        return mu_fail(err, MU_UNAVAILABLE, "the connection to the broker has no address");
    *port++ = '\0';
    MU_AUTO(mu_text_free) struct mu_text line = MU_TEXT(64 * 1024);
    if (!read_info_line(host, port, 3000, &line) || strncmp(line.at, "INFO ", 5) != 0)
        return mu_fail(err, MU_UNAVAILABLE, "%s:%s does not say which server it is", host, port);
    MU_AUTO(mu_json_free) json_t *info = NULL;
    size_t end = strcspn(line.at, "\r\n");
    if (!mu_json_parse(&info, mu_span(line.at + 5, end - 5), 64 * 1024, err))
        return mu_while(err, "reading the broker's INFO");
    const char *version = mu_json_text(info, "version");
    snprintf(bus->version, sizeof(bus->version), "%.24s%s", version ? version : "0", bus->domain[0] ? " (leaf)" : "");
    bus->max_payload = (size_t)mu_json_int(info, "max_payload", 1024 * 1024);
    bus->clustered = bus->domain[0] || mu_json_text(info, "cluster"); /* of a hub behind a leaf nothing is known */
    if (!bus->domain[0] && !mu_json_bool(info, "jetstream", false)) {
        mu_fail(err, MU_UNAVAILABLE, "the broker at %s:%s has JetStream switched off", host, port);
        return mu_hint(err, "add `jetstream { store_dir: … }` to its configuration; for a leaf node set nats.jetstream_domain to its hub's");
    }
    return true;
}

static bool version_fits(const char *version)
{
    int major = 0, minor = 0, patch = 0;
    if (sscanf(version, "%d.%d.%d", &major, &minor, &patch) < 2)
        return false;
    if (major != LEAST_MAJOR)
        return major > LEAST_MAJOR;
    return minor != LEAST_MINOR ? minor > LEAST_MINOR : patch >= LEAST_PATCH;
}

static bool check_version(struct mu_bus *bus, struct mu_error *err)
{
    if (!read_version(bus, err))
        return false;
    if (version_fits(bus->version))
        return true;
    mu_fail(err, MU_REJECTED, "nats-server %s is too old: before %d.%d.%d a kill loses acknowledged work", bus->version,
            LEAST_MAJOR, LEAST_MINOR, LEAST_PATCH);
    return mu_hint(err, "install nats-server >= %d.%d.%d (Debian 13 has it)", LEAST_MAJOR, LEAST_MINOR, LEAST_PATCH);
}

/* Runs on a thread of the library: gives an answer to whoever waits for it. */
static void on_reply(natsConnection *nc, natsSubscription *sub, natsMsg *m, void *closure)
{
    struct mu_bus *bus = closure;
    int64_t number = -1;
    const char *last = strrchr(natsMsg_GetSubject(m), '.');
    (void)nc;
    (void)sub;
    if (!last || !mu_parse_i64(mu_span_of(last + 1), 0, INT64_MAX, &number))
        number = -1;
    struct arrival *a = message_new(m);
    pthread_mutex_lock(&bus->lock);
    struct waiter *w = bus->waiters;
    while (w && (w->number != (uint64_t)number || w->answer))
        w = w->next;
    if (w && a) {
        w->answer = &a->message;
        pthread_cond_signal(&w->answered);
    }
    pthread_mutex_unlock(&bus->lock);
    if (!a)
        natsMsg_Destroy(m);
    else if (!w) /* it came too late */
        mu_message_free(&a->message);
}

/* Tokens with dots between them. */
static bool inbox_fits(const char *prefix)
{
    for (const char *at = prefix;; at++) {
        size_t len = strcspn(at, ".");
        if (!mu_token_valid(mu_span(at, len)))
            return false;
        at += len;
        if (!*at)
            return true;
    }
}

static bool connect_once(struct mu_bus *bus, const struct mu_bus_options *options, struct mu_error *err)
{
    natsStatus s = natsOptions_Create(&bus->options);
    if (s == NATS_OK)
        s = set_options(bus, options);
    if (s == NATS_OK && given(options->nkey_file))
        s = natsOptions_SetNKeyFromSeed(bus->options, NULL, options->nkey_file);
    if (s == NATS_OK)
        s = natsConnection_Connect(&bus->nc, bus->options);
    if (s != NATS_OK)
        return bus_fault(err, s, "could not connect to the broker at %s", options->url);
    return true;
}

bool mu_bus_open(struct mu_bus **out, const struct mu_bus_options *options, struct mu_error *err)
{
    struct mu_bus *bus = calloc(1, sizeof(*bus));
    uint64_t noise;
    char subject[INBOX_MAX];
    if (!bus)
        return mu_fail(err, MU_BROKEN, "out of memory");
    bus->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    pthread_mutex_init(&bus->lock, NULL);
    bool domain_fits = !given(options->domain) || (mu_token_valid(mu_span_of(options->domain)) &&
                                                  mu_copy_text(bus->domain, sizeof(bus->domain), mu_span_of(options->domain)));
    mu_api_prefix(bus->api, bus->domain);
    atomic_store(&bus->generation, 1);
    mu_random(&noise, sizeof(noise)); /* two processes of one role must not share an inbox */
    char prefix[MU_SUBJECT_MAX];
    mu_inbox_of(prefix, options->role);
    snprintf(bus->inbox_prefix, sizeof(bus->inbox_prefix), "%.100s.%012llx", given(options->inbox) ? options->inbox : prefix,
             (unsigned long long)(noise & 0xFFFFFFFFFFFF));
    snprintf(subject, sizeof(subject), "%s.r.*", bus->inbox_prefix);
    if (bus->event_fd < 0)
        mu_fail(err, MU_BROKEN, "could not make an eventfd: %s", strerror(errno));
    else if (!domain_fits)
        mu_reject(err, "invalid", "", "nats.jetstream_domain: \"%s\" is no token of letters, digits, _ and -", options->domain);
    else if (given(options->inbox) && !inbox_fits(options->inbox))
        mu_reject(err, "invalid", "", "nats.inbox: \"%s\" is no name of tokens of letters, digits, _ and -, with dots between", options->inbox);
    else if (connect_once(bus, options, err) && check_version(bus, err) &&
             inbox_open_with(&bus->replies, bus, subject, NULL, on_reply, bus, err)) {
        *out = bus;
        return true;
    }
    mu_bus_free(bus);
    return false;
}

void mu_bus_free(struct mu_bus *bus)
{
    if (!bus)
        return;
    if (bus->nc) {
        natsConnection_FlushTimeout(bus->nc, 1000); /* closing alone does not flush (fa4c77a1) */
        inbox_fini(&bus->replies);
        natsConnection_Close(bus->nc);
        for (int tries = 0; tries < 200 && !atomic_load(&bus->closed); tries++) {
            struct pollfd p = {.fd = bus->event_fd, .events = POLLIN};
            uint64_t count;
            if (poll(&p, 1, 10) > 0)
                (void)!read(bus->event_fd, &count, sizeof(count));
            atomic_store(&bus->signalled, false);
        }
        natsConnection_Destroy(bus->nc);
    }
    natsOptions_Destroy(bus->options);
    if (bus->event_fd >= 0)
        close(bus->event_fd);
    pthread_mutex_destroy(&bus->lock);
    free(bus);
}

void mu_bus_end_thread(void)
{
    nats_ReleaseThreadMemory();
}

bool mu_bus_connected(const struct mu_bus *bus)
{
    return natsConnection_Status(bus->nc) == NATS_CONN_STATUS_CONNECTED;
}

uint64_t mu_bus_generation(const struct mu_bus *bus)
{
    return atomic_load(&bus->generation);
}

const char *mu_bus_server_version(const struct mu_bus *bus)
{
    return bus->version;
}

const char *mu_bus_hub_version(const struct mu_bus *bus)
{
    return bus->hub_version;
}

size_t mu_bus_max_payload(const struct mu_bus *bus)
{
    return bus->max_payload;
}

bool mu_bus_send(struct mu_bus *bus, const char *subject, struct mu_span body, const struct mu_header *headers,
                 size_t header_count, const char *reply, struct mu_error *err)
{
    natsStatus s;
    if (body.len > INT32_MAX)
        return mu_reject(err, "too_large", "", "a message of %zu bytes to %s", body.len, subject);
    if (!header_count) {
        s = reply ? natsConnection_PublishRequest(bus->nc, subject, reply, body.at, (int)body.len)
                  : natsConnection_Publish(bus->nc, subject, body.at, (int)body.len);
    } else {
        natsMsg *m = NULL;
        s = natsMsg_Create(&m, subject, reply, body.at, (int)body.len);
        for (size_t i = 0; s == NATS_OK && i < header_count; i++)
            if (given(headers[i].value)) /* empty values are broken in libnats before 3.11 */
                s = natsMsgHeader_Set(m, headers[i].name, headers[i].value);
        if (s == NATS_OK)
            s = natsConnection_PublishMsg(bus->nc, m);
        natsMsg_Destroy(m);
    }
    return s == NATS_OK || bus_fault(err, s, "could not send to %s", subject);
}

static void add_waiter(struct mu_bus *bus, struct waiter *w)
{
    pthread_condattr_t attributes;
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&w->answered, &attributes);
    pthread_condattr_destroy(&attributes);
    pthread_mutex_lock(&bus->lock);
    w->next = bus->waiters;
    bus->waiters = w;
    pthread_mutex_unlock(&bus->lock);
}

static void remove_waiter(struct mu_bus *bus, struct waiter *w)
{
    pthread_mutex_lock(&bus->lock);
    for (struct waiter **at = &bus->waiters; *at; at = &(*at)->next) {
        if (*at == w) {
            *at = w->next;
            break;
        }
    }
    pthread_mutex_unlock(&bus->lock);
    pthread_cond_destroy(&w->answered);
}

/* With the lock held; in slices, so that a reconnect is noticed. */
static void wait_answer(struct mu_bus *bus, struct waiter *w, int64_t until)
{
    int64_t now = mu_clock_ms(), slice = until - now < 100 ? until - now : 100;
    struct timespec to = {.tv_sec = (now + slice) / 1000, .tv_nsec = (now + slice) % 1000 * 1000000};
    pthread_cond_timedwait(&w->answered, &bus->lock, &to);
}

bool mu_bus_request(struct mu_bus *bus, const char *subject, struct mu_span body, const struct mu_header *headers,
                    size_t header_count, int64_t timeout_ms, struct mu_message **out, struct mu_error *err)
{
    char reply[INBOX_MAX], refusal[200];
    struct waiter w = {.number = atomic_fetch_add(&bus->next_request, 1), .subject = subject};
    int64_t until = mu_clock_ms() + timeout_ms;
    uint64_t generation = mu_bus_generation(bus);
    snprintf(reply, sizeof(reply), "%s.r.%llu", bus->inbox_prefix, (unsigned long long)w.number);
    if (!mu_bus_connected(bus))
        return mu_fail(err, MU_UNAVAILABLE, "not connected to the broker");
    add_waiter(bus, &w);
    bool sent = mu_bus_send(bus, subject, body, headers, header_count, reply, err);
    pthread_mutex_lock(&bus->lock);
    /* what was asked before a reconnect may never be answered */
    while (sent && !w.answer && !w.refused && mu_clock_ms() < until && mu_bus_generation(bus) == generation)
        wait_answer(bus, &w, until);
    pthread_mutex_unlock(&bus->lock);
    remove_waiter(bus, &w);
    if (!sent)
        return false;
    if (!w.answer && w.refused) {
        mu_fail_code(err, MU_UNAVAILABLE, "permission", "the broker does not let this login publish to %s", subject);
        return mu_hint(err, "`muster permissions` prints the rights of each role");
    }
    if (!w.answer) {
        bus_refusal(bus, refusal);
        return mu_fail_code(err, MU_UNAVAILABLE, "timeout", "no answer from %s within %lld ms%s%s", subject,
                            (long long)timeout_ms, refusal[0] ? "; the broker last said: " : "", refusal);
    }
    if (mu_message_status(w.answer) == 503) {
        mu_message_free(w.answer);
        return mu_fail_code(err, MU_UNAVAILABLE, "no_responders", "nobody answers %s", subject);
    }
    *out = w.answer;
    return true;
}

bool mu_bus_flush(struct mu_bus *bus, int64_t timeout_ms, struct mu_error *err)
{
    natsStatus s = natsConnection_FlushTimeout(bus->nc, timeout_ms);
    return s == NATS_OK || bus_fault(err, s, "could not flush to the broker");
}

void mu_bus_wait(struct mu_bus *bus, int also_fd, int64_t wait_ms)
{
    int64_t now = mu_clock_ms();
    for (struct mu_pull *p = bus->pulls; p; p = p->next) {
        int64_t next = pull_step(p, now);
        if (next >= 0 && next < wait_ms)
            wait_ms = next;
    }
    struct pollfd p[2] = {{.fd = bus->event_fd, .events = POLLIN}, {.fd = also_fd, .events = POLLIN}};
    if (poll(p, 2, wait_ms > INT32_MAX ? INT32_MAX : (int)wait_ms) <= 0 || !p[0].revents)
        return;
    uint64_t count;
    (void)!read(bus->event_fd, &count, sizeof(count));
    atomic_exchange(&bus->signalled, false);
}
