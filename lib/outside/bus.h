/* SPDX-License-Identifier: Apache-2.0 */
/* The NATS connection of a program: publishing with PubAcks, requests, subscriptions, pulling from JetStream
 * consumers, direct gets. The only user of nats.h; every work-around for libnats stands behind this header. All
 * waits are on CLOCK_MONOTONIC. A bus belongs to one program; calls are safe from any thread unless said
 * otherwise. Callbacks of libnats only append to our queues and wake the waiting thread. */
#ifndef MU_BUS_H
#define MU_BUS_H

#include "base/error.h"
#include "base/id.h"
#include "base/text.h"
#include "domain/names.h"

struct mu_bus;

struct mu_bus_options {
    const char *url;         /* comma list */
    const char *role;        /* "worker_<agent>", "dispatcher", …: inbox prefix _INBOX_<role> */
    const char *inbox;       /* another prefix, of tokens; NULL or "": that of the role */
    const char *name;        /* "muster-worker/0.1.0 host:pid" */
    const char *user, *password, *token, *creds_file, *nkey_file; /* NULL or "": none */
    const char *domain;      /* of JetStream: its hub, seen through a leaf node; NULL or "": the server itself has it */
    int64_t connect_timeout_ms; /* one attempt; 0: 2000 */
};

/* Connects and checks the server's version (>= 2.10.27, else MU_REJECTED with the cure); with a domain that is the
 * leaf's, which need not have JetStream: the hub's is told only by 2.11 and newer. A server that does not
 * answer is MU_UNAVAILABLE: the caller's loop tries again. After that libnats reconnects for ever by itself. */
MU_MUST bool mu_bus_open(struct mu_bus **out, const struct mu_bus_options *options, struct mu_error *err);
/* Flushes (bounded), closes, waits for the callbacks. NULL is fine. */
void mu_bus_free(struct mu_bus *bus);
MU_DEFINE_AUTO(struct mu_bus, mu_bus_free)

/* Before a thread of ours that used a bus ends: libnats keeps memory per thread. */
void mu_bus_end_thread(void);

bool mu_bus_connected(const struct mu_bus *bus);
/* Grows by one at each reconnect: who saw another value before asks its pulls anew. */
uint64_t mu_bus_generation(const struct mu_bus *bus);
/* "2.10.27"; behind a leaf node "2.10.27 (leaf)". */
const char *mu_bus_server_version(const struct mu_bus *bus);
/* Behind a leaf node: the version of the hub, once a stream's state has told it (servers from 2.11 on); "" otherwise. */
const char *mu_bus_hub_version(const struct mu_bus *bus);
size_t mu_bus_max_payload(const struct mu_bus *bus);

/* What this login may not is refused by the broker out of turn, with the subject in the text: the next refusal that has
 * not been taken yet, the same one at most once a minute. A request that is refused fails with the code "permission". */
#define MU_REFUSAL_MAX 200
bool mu_bus_take_refusal(struct mu_bus *bus, char out[MU_REFUSAL_MAX]);

/* Wakes the thread that waits in mu_bus_wait. Async-signal-safe (one write to an eventfd). */
void mu_bus_wake(struct mu_bus *bus);

/* ---- messages ---- */
struct mu_header { const char *name, *value; };

/* A message received. Owned by the receiver; free with mu_message_free. */
struct mu_message {
    const char *subject;
    const char *reply;   /* "" if none; for a delivery the ack subject */
    struct mu_span body; /* borrowed from the message */
    /* of a JetStream delivery (from the ack subject); 0 otherwise */
    uint64_t stream_sequence, consumer_sequence, delivered, pending;
    int64_t stored_us;   /* the broker's time stamp, wall microseconds */
    int64_t received_ms; /* mu_clock_ms at arrival */
    void *handle;
};
void mu_message_free(struct mu_message *m);
MU_DEFINE_AUTO(struct mu_message, mu_message_free)
/* NULL if absent; borrowed. Not thread-safe: one thread reads a message. */
const char *mu_message_header(const struct mu_message *m, const char *name);
int mu_message_status(const struct mu_message *m); /* 503, 404, …; 0 if it is no status */

/* ---- core publish and request ---- */
/* Fire and forget into libnats' buffer. */
MU_MUST bool mu_bus_send(struct mu_bus *bus, const char *subject, struct mu_span body,
                         const struct mu_header *headers, size_t header_count, const char *reply,
                         struct mu_error *err);
/* A request and its first answer. MU_UNAVAILABLE on silence (the outcome is unknown) and on 503. *out is the
 * caller's. */
MU_MUST bool mu_bus_request(struct mu_bus *bus, const char *subject, struct mu_span body,
                            const struct mu_header *headers, size_t header_count, int64_t timeout_ms,
                            struct mu_message **out, struct mu_error *err);
MU_MUST bool mu_bus_flush(struct mu_bus *bus, int64_t timeout_ms, struct mu_error *err);

/* ---- publishing into streams, many under way ---- */
/* A flow publishes in order and collects PubAcks; it belongs to one thread. */
struct mu_flow;
struct mu_puback {
    uint64_t tag;        /* the caller's number */
    bool ok;             /* false: look at err_code and err */
    bool duplicate;
    uint64_t sequence;   /* where it stands (the first copy's if duplicate) */
    int err_code;        /* JetStream error code, or 0 */
    struct mu_error err; /* MU_UNAVAILABLE: keep and send again with the same id; MU_REJECTED: never will */
};
MU_MUST bool mu_flow_new(struct mu_flow **out, struct mu_bus *bus, const char *stream, size_t most_under_way,
                         int64_t ack_timeout_ms, struct mu_error *err);
/* MU_UNAVAILABLE if `most_under_way` are unanswered or the connection is down: nothing was sent then. id may be
 * NULL (no Nats-Msg-Id). The body is copied. */
MU_MUST bool mu_flow_publish(struct mu_flow *flow, const char *subject, const char *id, struct mu_span body,
                             const struct mu_header *headers, size_t header_count, uint64_t tag,
                             struct mu_error *err);
/* Takes the next settled publish (acked, refused, or timed out), waiting up to wait_ms (0: only what is there).
 * False: nothing settled in that time. A time-out is reported as !ok, MU_UNAVAILABLE: "unknown", not "no". */
bool mu_flow_next(struct mu_flow *flow, int64_t wait_ms, struct mu_puback *out);
size_t mu_flow_under_way(const struct mu_flow *flow);
void mu_flow_free(struct mu_flow *flow);
MU_DEFINE_AUTO(struct mu_flow, mu_flow_free)
/* One message, waiting for its PubAck. */
MU_MUST bool mu_bus_publish(struct mu_bus *bus, const char *stream, const char *subject, const char *id,
                            struct mu_span body, const struct mu_header *headers, size_t header_count,
                            int64_t timeout_ms, struct mu_puback *ack, struct mu_error *err);

/* ---- pulling ---- */
struct mu_pull;
struct mu_pull_options {
    const char *stream, *consumer;
    size_t max_bytes;      /* 0: unbounded; the recorder bounds its batches */
    int64_t expires_ms;    /* 0: 60,000 */
    int64_t heartbeat_ms;  /* 0: 20,000; behind a leaf node and in a cluster 5,000: a hub or leader may go without a word */
    bool first_jitter;     /* spread the first request over 0-2 s (agents) */
};
MU_MUST bool mu_pull_open(struct mu_pull **out, struct mu_bus *bus, const struct mu_pull_options *options,
                          struct mu_error *err);
/* Keeps at most one request open, for up to `want` messages (0: none is made). Messages that arrived are given
 * out oldest first through mu_bus_wait. */
void mu_pull_want(struct mu_pull *pull, size_t want);
/* Next message that has arrived, or NULL. The caller's. */
struct mu_message *mu_pull_take(struct mu_pull *pull);
/* Trouble of this pull: topology gone, 503s, silence. MU_OK while the last request was answered in time. */
const struct mu_error *mu_pull_trouble(const struct mu_pull *pull);
int64_t mu_pull_silent_ms(const struct mu_pull *pull); /* since anything was heard of its open request */
/* Unsubscribes; what had arrived stays to be taken (and handed back) until free. */
void mu_pull_stop(struct mu_pull *pull);
void mu_pull_free(struct mu_pull *pull);
MU_DEFINE_AUTO(struct mu_pull, mu_pull_free)

/* Sleeps until something arrived for any pull, flow or subscription of this bus, mu_bus_wake was called, `also_fd`
 * (-1: none; a store's socket, say) became readable, or wait_ms passed; also sends pull requests that are due. It
 * polls an eventfd, so that wall-clock steps do not matter. One thread per bus calls it. */
void mu_bus_wait(struct mu_bus *bus, int also_fd, int64_t wait_ms);

/* ---- acknowledging (deliveries only) ---- */
MU_MUST bool mu_ack(struct mu_bus *bus, const struct mu_message *m, struct mu_error *err);
MU_MUST bool mu_nak(struct mu_bus *bus, const struct mu_message *m, int64_t delay_ms, struct mu_error *err);
MU_MUST bool mu_term(struct mu_bus *bus, const struct mu_message *m, const char *reason, struct mu_error *err);
/* By ack subject, from another thread than the one that holds the message: the lease thread. Waits for the
 * server's empty answer up to timeout_ms. */
MU_MUST bool mu_work_in_progress(struct mu_bus *bus, const char *ack_subject, int64_t timeout_ms,
                                 struct mu_error *err);

/* ---- core subscriptions with our own queue ---- */
struct mu_sub;
MU_MUST bool mu_sub_open(struct mu_sub **out, struct mu_bus *bus, const char *subject, const char *queue_group,
                         size_t most_waiting, struct mu_error *err);
struct mu_message *mu_sub_take(struct mu_sub *sub); /* NULL: none waiting */
uint64_t mu_sub_dropped(const struct mu_sub *sub);  /* messages that came while most_waiting were waiting */
void mu_sub_free(struct mu_sub *sub);
MU_DEFINE_AUTO(struct mu_sub, mu_sub_free)

/* ---- streams ---- */
struct mu_stream_state {
    char created[40];          /* as the server writes it: identity of the stream */
    uint64_t first_sequence, last_sequence, messages, bytes;
    int64_t max_bytes;
    int64_t now_us; /* the broker's clock as it answered: ages of messages and consumers are told by it, never by ours */
};
MU_MUST bool mu_stream_find(struct mu_bus *bus, const char *stream, bool *found, struct mu_stream_state *out,
                            struct mu_error *err);
/* The message at a sequence by direct get; *out is NULL if it is not there (deleted, expired). In a cluster the leader has the
 * last word on that: the replica that answered may lag behind. */
MU_MUST bool mu_stream_get(struct mu_bus *bus, const char *stream, uint64_t sequence, struct mu_message **out,
                           struct mu_error *err);
/* First message at or after `sequence` whose subject matches `filter`; *out NULL at the end. */
MU_MUST bool mu_stream_next(struct mu_bus *bus, const char *stream, uint64_t sequence, const char *filter,
                            struct mu_message **out, struct mu_error *err);
/* As the stream's leader sees it, without allow_direct (the reconciler asks the leader). */
MU_MUST bool mu_stream_get_leader(struct mu_bus *bus, const char *stream, uint64_t sequence, bool *found,
                                  char subject[MU_SUBJECT_MAX], char id[80], struct mu_error *err);
/* Sequence of the last message with a subject of the pattern that the stream holds, as its leader sees it; 0: it holds none.
 * Lower than the stream's last_sequence where its newest messages have been deleted. The pattern must not be ">": for that
 * nats-server 2.10 looks at last_sequence alone. */
MU_MUST bool mu_stream_last(struct mu_bus *bus, const char *stream, const char *pattern, uint64_t *sequence, struct mu_error *err);
MU_MUST bool mu_stream_delete(struct mu_bus *bus, const char *stream, uint64_t sequence, struct mu_error *err);
/* Removes every message before `sequence`. */
MU_MUST bool mu_stream_purge(struct mu_bus *bus, const char *stream, uint64_t sequence, struct mu_error *err);
/* The same for one subject: removes what it holds before `sequence`, without leaving a trace. */
MU_MUST bool mu_stream_purge_subject(struct mu_bus *bus, const char *stream, const char *subject, uint64_t sequence,
                                     struct mu_error *err);
struct mu_consumer_state {
    int64_t created_us; /* wall; 0 if the server does not say */
    uint64_t delivered_stream_sequence, ack_floor_stream_sequence, pending, ack_pending, waiting, redelivered;
};
MU_MUST bool mu_consumer_find(struct mu_bus *bus, const char *stream, const char *consumer, bool *found,
                              struct mu_consumer_state *out, struct mu_error *err);
/* One that is not there is fine. */
MU_MUST bool mu_consumer_delete(struct mu_bus *bus, const char *stream, const char *consumer, struct mu_error *err);
/* Any call of the JetStream API: subject without its prefix; the answer's JSON text is appended to `answer`. */
MU_MUST bool mu_js_api(struct mu_bus *bus, const char *what, struct mu_span body, struct mu_text *answer,
                       struct mu_error *err);

#endif
