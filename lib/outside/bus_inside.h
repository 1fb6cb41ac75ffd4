/* SPDX-License-Identifier: Apache-2.0 */
/* What the files of the bus share and nobody else sees. */
#ifndef MU_BUS_INSIDE_H
#define MU_BUS_INSIDE_H

#include "outside/bus.h"

#include <jansson.h>
#include <nats/nats.h>
#include <pthread.h>
#include <stdatomic.h>

#define INBOX_MAX 160

/* Messages that have arrived for one subscription: the library's threads append, our loop takes. */
struct inbox {
    struct mu_bus *bus;
    natsSubscription *sub;
    pthread_mutex_t lock;
    pthread_cond_t arrived; /* on CLOCK_MONOTONIC */
    struct arrival *head, *tail;
    size_t count, most; /* most: 0 is unbounded (our requests bound it) */
    uint64_t dropped;
    atomic_bool closed; /* the library has made its last call for this subscription */
};

/* A message in such a queue; what the user gets is its first member. */
struct arrival {
    struct mu_message message;
    struct arrival *next;
};

struct mu_bus {
    natsConnection *nc;
    natsOptions *options;
    int event_fd;
    atomic_bool signalled; /* event_fd has been written and not been read yet */
    atomic_uint_fast64_t generation;
    atomic_uint next_inbox;
    atomic_bool closed;
    char inbox_prefix[INBOX_MAX - 40];
    char version[40];
    char domain[MU_TOKEN_MAX], api[MU_API_MAX]; /* of JetStream: "" and "$JS.API", or those of a hub */
    size_t max_payload;
    bool clustered; /* replicas answer direct gets, and may lag behind */
    pthread_mutex_t lock; /* of what follows */
    char hub_version[32]; /* behind a leaf: as a stream has told it */
    char refusal[200];    /* last text of the asynchronous error handler: missing permissions come only there */
    struct { char text[MU_REFUSAL_MAX]; int64_t at_ms; bool taken; } refusals[8]; /* of what is not permitted; at_ms 0: none */
    struct mu_pull *pulls;
    struct inbox replies; /* of requests, <prefix>.r.<n>: its callback serves the waiters, nothing queues */
    atomic_uint_fast64_t next_request;
    struct waiter *waiters;
};

struct mu_pull {
    struct mu_bus *bus;
    struct mu_pull *next;
    struct mu_pull_options options;
    char stream[MU_TOKEN_MAX], consumer[MU_SUBJECT_MAX];
    struct inbox inbox;
    char reply_prefix[INBOX_MAX];
    bool stopped;
    size_t want;
    uint64_t request;        /* number of the open or last one */
    bool open;
    size_t asked, got;       /* of the open request */
    int64_t opened_ms, heard_ms, next_ms;
    struct mu_backoff_state {
        int64_t pause_ms;
    } backoff;
    uint64_t generation;
    struct mu_error trouble;
};

/* From the library's own thread. */
void bus_wake(struct mu_bus *bus);

MU_MUST bool inbox_open(struct inbox *in, struct mu_bus *bus, const char *subject, const char *group, size_t most,
                        struct mu_error *err);
/* The same with another callback of the library's kind. */
MU_MUST bool inbox_open_with(struct inbox *in, struct mu_bus *bus, const char *subject, const char *group,
                             natsMsgHandler callback, void *closure, struct mu_error *err);
/* Oldest message, waiting up to wait_ms; NULL if there is none. */
struct mu_message *inbox_take(struct inbox *in, int64_t wait_ms);
void inbox_stop(struct inbox *in); /* no more will come; what is there stays */
void inbox_fini(struct inbox *in);

/* Takes over the library's message. */
struct arrival *message_new(natsMsg *m);

MU_MUST bool bus_fault(struct mu_error *err, natsStatus s, const char *fmt, ...) MU_PRINTF(3, 4);
/* Text of the last refusal by the server, or "". */
void bus_refusal(struct mu_bus *bus, char out[200]);

/* Notes a refusal for mu_bus_take_refusal; with the lock held. */
void refusal_note(struct mu_bus *bus, const char *text);
/* A stored message as STREAM.MSG.GET tells it: headers and data in base64. *out is the caller's; its time stamp is not set. */
MU_MUST bool message_stored(const json_t *message, struct mu_message **out, struct mu_error *err);

/* The message that `which` names ({"seq":…} or {"last_by_subj":…}), as the stream's leader sees it; *out NULL: there is none. */
MU_MUST bool stream_ask_leader(struct mu_bus *bus, const char *stream, struct mu_span which, struct mu_message **out,
                               struct mu_error *err);

/* The same by direct get; and the leader's word where the stream has none (*there false: there is no such stream), and in a
 * cluster if a replica does not have the message, or if the newest is wanted. */
MU_MUST bool stream_read(struct mu_bus *bus, const char *stream, struct mu_span which, bool newest, bool *there,
                         struct mu_message **out, struct mu_error *err);

/* Reads a PubAck. False: it is none. */
bool puback_parse(const struct mu_message *m, const char *stream, struct mu_puback *out);

/* Sends a pull request if one is due; milliseconds until the next step (-1: nothing to do). */
int64_t pull_step(struct mu_pull *p, int64_t now);

#endif
