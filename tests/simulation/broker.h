/* SPDX-License-Identifier: Apache-2.0 */
/* The broker: core subjects and JetStream as they really behave (redeliveries first, acks that are not fenced, ids
 * that drop what comes later, compare-and-set by the last sequence of a subject, consumers that a power cut leaves
 * ahead of their stream), at the level of the wire: requests and answers are those of the protocol, so the pull
 * engine, the flow of PubAcks and the key-value rules of lib/outside are the real ones. */
#ifndef SIM_BROKER_H
#define SIM_BROKER_H

#include "world.h"

/* ---- messages; they never change and live as long as the world ---- */
#define WIRE_HEADERS 8
struct wire_header {
    const char *name, *value;
};
struct wire {
    const char *subject, *reply; /* reply: "" for none */
    struct wire_header headers[WIRE_HEADERS];
    size_t header_count;
    struct mu_span body;
};
struct wire *wire_new(const char *subject, const char *reply, struct mu_span body); /* copies */
void wire_header(struct wire *w, const char *name, const char *value);              /* copies */
const char *wire_find(const struct wire *w, const char *name);

/* ---- connections (fake_bus.c is the client's end) ---- */
struct connection;
struct subscription {
    struct connection *connection;
    const char *pattern, *group;                 /* group: NULL for none */
    void (*take)(void *ctx, const struct wire *w); /* on the client's side, when it arrives */
    void *ctx;
    bool closed;
    struct subscription *next;
};
struct connection {
    struct process *process;
    char inbox[100];                             /* prefix of its replies */
    bool connected;
    uint64_t epoch;                              /* grows when it breaks: what was on its way is lost */
    int64_t out_free_us, in_free_us;             /* messages of one direction keep their order */
    int64_t stall_out_us, stall_in_us;           /* a silent network: nothing arrives before */
    struct subscription *subs;
    struct { const struct wire *wire; } kept[64];/* sent while it is broken: the library's reconnect buffer */
    size_t kept_count, kept_bytes;
    void (*changed)(void *ctx);                  /* it broke, or is there again */
    void *ctx;
    uint64_t generation;
    bool gone;
    struct connection *next;
};
/* NULL: the broker cannot be reached. */
struct connection *connection_open(struct process *p, const char *inbox, void (*changed)(void *ctx), void *ctx);
struct subscription *connection_subscribe(struct connection *c, const char *pattern, const char *group,
                                          void (*take)(void *ctx, const struct wire *w), void *ctx);
bool connection_send(struct connection *c, const struct wire *w); /* false: broken, and its buffer is full */
void connection_close(struct connection *c);                      /* what was sent arrives */
void connection_break(struct connection *c);                      /* it comes back by itself */
void connection_stall(struct connection *c, bool out, bool in, int64_t for_us);
struct connection *connection_first(void);

/* ---- what goes wrong ---- */
struct broker_faults {
    uint32_t answer_lost;     /* per million answers of JetStream: it has happened, and nobody is told */
    uint32_t twice;           /* per million results: published twice, as after a time-out */
    bool sync;                /* remember what a power cut would leave */
};
extern struct broker_faults broker_faults;
void broker_begin(void);
void broker_restart(int64_t away_us);             /* requests forgotten, dedup rebuilt from what is stored */
void broker_power_cut(int64_t away_us);           /* each stream and consumer back to where it was synced */
void broker_older_copy(int64_t away_us);          /* all of it back to one moment */
void broker_wipe(int64_t away_us);
void broker_remember(void);                       /* the moment that broker_older_copy goes back to */
void broker_delete_consumer(const char *stream, const char *consumer); /* by hand */
bool broker_is_up(void);
int broker_generation(void);                      /* how often its store has been set back or wiped */
int64_t broker_last_loss(void);                   /* when that was last; 0: never */
int64_t broker_wall_offset(void);
void broker_set_wall_offset(int64_t us);

/* ---- what the checker and the cases look at ---- */
struct stream_look {
    bool found;
    uint64_t first, last, messages;
};
struct stream_look stream_look(const char *name);
/* Messages that are stored, in order; NULL at the end. *sequence moves behind it. */
const struct wire *stream_walk(const char *name, uint64_t *sequence);
void stream_back(const char *name);       /* to the moment that broker_remember kept; its consumers stay where they are */
void stream_forget(const char *name, uint64_t sequence); /* deletes one: what a power cut may take */
/* Somebody outside publishes: a forged message. */
void broker_publish(const char *subject, const char *id, struct mu_span body);
/* Consumers that are ahead of their stream; the name of one of them, or NULL. Not the recorder's, which reads by
 * sequence until its stream has caught up. */
const char *consumer_ahead(void);
bool consumer_waits(const char *stream);
/* Called with each value that a bucket takes (NULL body: a marker), for promises about checkpoints. */
extern void (*broker_on_key)(const char *bucket, const char *key, struct mu_span value, bool marker);
extern void (*broker_on_store)(const char *stream, const struct wire *w);

#endif
