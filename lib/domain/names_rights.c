/* SPDX-License-Identifier: Apache-2.0 */
/* JETSTREAM.md §11 has the lists as they were tried; wildcards are whole tokens, and whoever may call CONSUMER.CREATE can
 * have any stream published anywhere. */
#include "domain/names_rights.h"

#include <assert.h>

static const struct { const char *name, *sentence; bool answers; } roles[MU_ROLES] = {
    [MU_ROLE_DISPATCHER] = {"dispatcher", "muster-dispatcher: takes jobs, queues tasks, repairs", true},
    [MU_ROLE_OBSERVER] = {"observer", "looks: state of jobs, agents, events; changes nothing", false},
    [MU_ROLE_OPERATOR] = {"operator", "a person in charge: every request, orders to agents, policies", false},
    [MU_ROLE_PROVISIONER] = {"provisioner", "muster setup: makes streams, buckets, consumers", false},
    [MU_ROLE_RECORDER] = {"recorder", "muster-recorder: takes results into PostgreSQL", true},
    [MU_ROLE_SUBMITTER] = {"submitter", "submits jobs and asks how they stand", false},
    [MU_ROLE_WORKER] = {"worker", "muster-worker: one agent and its queues", true},
};

enum kind {
    PUB,     /* <api> is the prefix of JetStream's API, <kv> of writes of keys; <queue>, <priority>, <agent>,
                <bucket> as they are */
    SUB,
    ACK,     /* <stream>.<consumer>: both forms of its ack subjects */
    KEYS,    /* a bucket that may be read: by key, and walked */
    MAKE,    /* PUB, with `provision` */
};
struct row {
    enum mu_role role;
    enum kind kind;
    const char *subject;
};

#define DISPATCHER MU_ROLE_DISPATCHER
#define OBSERVER MU_ROLE_OBSERVER
#define OPERATOR MU_ROLE_OPERATOR
#define PROVISIONER MU_ROLE_PROVISIONER
#define RECORDER MU_ROLE_RECORDER
#define SUBMITTER MU_ROLE_SUBMITTER
#define WORKER MU_ROLE_WORKER

static const struct row table[] = {
    {DISPATCHER, PUB, MU_SUBJECTS_TASK},
    {DISPATCHER, PUB, MU_SUBJECTS_EVENT},
    {DISPATCHER, PUB, "muster.control.>"},
    {DISPATCHER, PUB, "<kv>" MU_BUCKET_PACKS ".>"},
    {DISPATCHER, PUB, "<kv>" MU_BUCKET_POLICY ".>"},
    {DISPATCHER, PUB, "<kv>" MU_BUCKET_STATE ".*"},
    {DISPATCHER, PUB, "<api>.STREAM.INFO." MU_STREAM_INTAKE},
    {DISPATCHER, PUB, "<api>.STREAM.INFO." MU_STREAM_TASKS},
    {DISPATCHER, PUB, "<api>.STREAM.INFO." MU_STREAM_RESULTS},
    {DISPATCHER, PUB, "<api>.STREAM.INFO." MU_STREAM_PARTIALS},
    {DISPATCHER, PUB, "<api>.STREAM.INFO." MU_STREAM_EVENTS},
    {DISPATCHER, PUB, "<api>.STREAM.INFO.KV_" MU_BUCKET_STATE},
    {DISPATCHER, PUB, "<api>.STREAM.INFO.KV_" MU_BUCKET_AGENTS},
    {DISPATCHER, PUB, "<api>.STREAM.INFO.KV_" MU_BUCKET_PACKS},
    {DISPATCHER, PUB, "<api>.STREAM.INFO.KV_" MU_BUCKET_POLICY},
    {DISPATCHER, PUB, "<api>.CONSUMER.INFO." MU_STREAM_TASKS ".*"},
    {DISPATCHER, PUB, "<api>.CONSUMER.INFO." MU_STREAM_INTAKE "." MU_CONSUMER_INTAKE},
    {DISPATCHER, PUB, "<api>.CONSUMER.INFO." MU_STREAM_RESULTS "." MU_CONSUMER_RECORDER},
    {DISPATCHER, PUB, "<api>.CONSUMER.MSG.NEXT." MU_STREAM_INTAKE "." MU_CONSUMER_INTAKE},
    {DISPATCHER, ACK, MU_STREAM_INTAKE "." MU_CONSUMER_INTAKE},
    {DISPATCHER, PUB, "<api>.STREAM.MSG.GET." MU_STREAM_TASKS},
    {DISPATCHER, PUB, "<api>.STREAM.MSG.GET." MU_STREAM_INTAKE}, /* in a cluster the leader has the last word */
    {DISPATCHER, PUB, "<api>.STREAM.MSG.GET." MU_STREAM_RESULTS},
    {DISPATCHER, PUB, "<api>.STREAM.MSG.GET.KV_" MU_BUCKET_STATE},
    {DISPATCHER, PUB, "<api>.STREAM.MSG.GET.KV_" MU_BUCKET_POLICY},
    {DISPATCHER, PUB, "<api>.STREAM.MSG.GET.KV_" MU_BUCKET_PACKS},
    {DISPATCHER, PUB, "<api>.STREAM.MSG.DELETE." MU_STREAM_TASKS},
    {DISPATCHER, PUB, "<api>.DIRECT.GET." MU_STREAM_TASKS},
    {DISPATCHER, PUB, "<api>.DIRECT.GET." MU_STREAM_INTAKE},
    {DISPATCHER, PUB, "<api>.DIRECT.GET." MU_STREAM_RESULTS},
    {DISPATCHER, PUB, "<api>.STREAM.PURGE." MU_STREAM_INTAKE},
    {DISPATCHER, PUB, "<api>.STREAM.PURGE." MU_STREAM_RESULTS},
    {DISPATCHER, PUB, "<api>.STREAM.PURGE." MU_STREAM_PARTIALS},
    {DISPATCHER, PUB, "<api>.STREAM.PURGE.KV_" MU_BUCKET_STATE},
    {DISPATCHER, KEYS, MU_BUCKET_AGENTS},
    {DISPATCHER, KEYS, MU_BUCKET_STATE},
    {DISPATCHER, KEYS, MU_BUCKET_PACKS},
    {DISPATCHER, KEYS, MU_BUCKET_POLICY},
    {DISPATCHER, MAKE, "<api>.STREAM.CREATE.*"},
    {DISPATCHER, MAKE, "<api>.CONSUMER.CREATE.>"},
    {DISPATCHER, MAKE, "<api>.CONSUMER.DELETE.*.*"},
    {DISPATCHER, SUB, MU_SUBJECT_API ">"},
    {DISPATCHER, SUB, "$SRV.>"},
    {DISPATCHER, SUB, MU_SUBJECTS_AGENT},
    {DISPATCHER, SUB, "<inbox>.>"},

    {OBSERVER, PUB, MU_SUBJECT_API "status"},
    {OBSERVER, PUB, MU_SUBJECT_API "agents"},
    {OBSERVER, PUB, MU_SUBJECT_API "queues"},
    {OBSERVER, PUB, MU_SUBJECT_API "why"},
    {OBSERVER, PUB, MU_SUBJECT_API "ping"},
    {OBSERVER, PUB, "$SRV.>"},
    {OBSERVER, PUB, "<api>.STREAM.INFO." MU_STREAM_TASKS},
    {OBSERVER, PUB, "<api>.STREAM.INFO." MU_STREAM_RESULTS},
    {OBSERVER, PUB, "<api>.STREAM.INFO.KV_" MU_BUCKET_AGENTS},
    {OBSERVER, PUB, "<api>.CONSUMER.INFO." MU_STREAM_TASKS ".*"},
    {OBSERVER, PUB, "<api>.CONSUMER.INFO." MU_STREAM_RESULTS "." MU_CONSUMER_RECORDER},
    {OBSERVER, KEYS, MU_BUCKET_AGENTS},
    {OBSERVER, SUB, MU_SUBJECTS_EVENT},
    {OBSERVER, SUB, MU_SUBJECTS_AGENT},
    {OBSERVER, SUB, "<inbox>.>"},

    {OPERATOR, PUB, MU_SUBJECT_API ">"},
    {OPERATOR, PUB, "muster.control.>"},
    {OPERATOR, PUB, "$SRV.>"},
    {OPERATOR, PUB, "<kv>" MU_BUCKET_POLICY ".>"},
    {OPERATOR, PUB, "<kv>" MU_BUCKET_PACKS ".>"}, /* the leader looks at what is put there, and agents go by digests */
    {OPERATOR, PUB, "<api>.STREAM.INFO.*"},
    {OPERATOR, PUB, "<api>.CONSUMER.INFO.*.*"},
    {OPERATOR, PUB, "<api>.DIRECT.GET." MU_STREAM_EVENTS},
    {OPERATOR, KEYS, MU_BUCKET_AGENTS},
    {OPERATOR, KEYS, MU_BUCKET_STATE},
    {OPERATOR, KEYS, MU_BUCKET_PACKS},
    {OPERATOR, KEYS, MU_BUCKET_POLICY},
    {OPERATOR, SUB, MU_SUBJECTS_EVENT},
    {OPERATOR, SUB, MU_SUBJECTS_AGENT},
    {OPERATOR, SUB, "<inbox>.>"},

    {PROVISIONER, PUB, "<api>.INFO"},
    {PROVISIONER, PUB, "<api>.STREAM.CREATE.*"},
    {PROVISIONER, PUB, "<api>.STREAM.UPDATE.*"},
    {PROVISIONER, PUB, "<api>.STREAM.INFO.*"},
    {PROVISIONER, PUB, "<api>.STREAM.NAMES"},
    {PROVISIONER, PUB, "<api>.CONSUMER.CREATE.>"},
    {PROVISIONER, PUB, "<api>.CONSUMER.INFO.*.*"},
    {PROVISIONER, PUB, "<api>.CONSUMER.NAMES.*"},
    {PROVISIONER, PUB, "<api>.CONSUMER.DELETE.*.*"},
    {PROVISIONER, SUB, "<inbox>.>"},

    {RECORDER, PUB, "<api>.STREAM.INFO." MU_STREAM_RESULTS},
    {RECORDER, PUB, "<api>.DIRECT.GET." MU_STREAM_RESULTS},
    {RECORDER, PUB, "<api>.STREAM.MSG.GET." MU_STREAM_RESULTS},
    {RECORDER, PUB, "<api>.CONSUMER.INFO." MU_STREAM_RESULTS "." MU_CONSUMER_RECORDER},
    {RECORDER, PUB, "<api>.CONSUMER.MSG.NEXT." MU_STREAM_RESULTS "." MU_CONSUMER_RECORDER},
    {RECORDER, ACK, MU_STREAM_RESULTS "." MU_CONSUMER_RECORDER},
    {RECORDER, SUB, "$SRV.>"},
    {RECORDER, SUB, "<inbox>.>"},

    {SUBMITTER, PUB, MU_SUBJECT_API "submit"},
    {SUBMITTER, PUB, MU_SUBJECT_API "status"},
    {SUBMITTER, PUB, MU_SUBJECT_API "wait"},
    {SUBMITTER, PUB, MU_SUBJECT_API "ping"},
    {SUBMITTER, PUB, MU_SUBJECT_INTAKE},
    {SUBMITTER, PUB, "$SRV.>"},
    {SUBMITTER, SUB, "<inbox>.>"},

    {WORKER, PUB, "<api>.CONSUMER.MSG.NEXT." MU_STREAM_TASKS ".w-<queue>-<priority>"},
    {WORKER, ACK, MU_STREAM_TASKS ".w-<queue>-<priority>"},
    {WORKER, PUB, "muster.result.<queue>.*"},
    {WORKER, PUB, "muster.finding.<queue>.*"},
    {WORKER, PUB, MU_SUBJECTS_PARTIAL},
    {WORKER, PUB, "<api>.DIRECT.GET." MU_STREAM_PARTIALS},
    {WORKER, PUB, "muster.event.task.>"},
    {WORKER, PUB, "muster.event.agent.>"},
    {WORKER, PUB, "<kv>" MU_BUCKET_STATE ".*"},
    {WORKER, PUB, "<kv>" MU_BUCKET_AGENTS ".<agent>"},
    {WORKER, PUB, "<api>.DIRECT.GET.KV_" MU_BUCKET_STATE ".$KV." MU_BUCKET_STATE ".*"},
    {WORKER, PUB, "<api>.DIRECT.GET.KV_" MU_BUCKET_AGENTS ".$KV." MU_BUCKET_AGENTS ".<agent>"},
    {WORKER, PUB, "<api>.STREAM.MSG.GET.KV_" MU_BUCKET_STATE}, /* in a cluster and behind a leaf the leader has the last word */
    {WORKER, PUB, "<api>.STREAM.MSG.GET.KV_" MU_BUCKET_AGENTS},
    {WORKER, PUB, "<api>.DIRECT.GET.OBJ_<bucket>"},
    {WORKER, PUB, "<api>.STREAM.MSG.GET.OBJ_<bucket>"}, /* the same, and of buckets that were made without direct gets */
    {WORKER, KEYS, MU_BUCKET_PACKS},
    {WORKER, KEYS, MU_BUCKET_POLICY},
    {WORKER, SUB, "muster.control.<agent>"},
    {WORKER, SUB, MU_SUBJECT_CONTROL_ALL},
    {WORKER, SUB, MU_SUBJECTS_POLICY},
    {WORKER, SUB, "<inbox>.>"},
};

const char *mu_role_name(enum mu_role role)
{
    return roles[role].name;
}

const char *mu_role_sentence(enum mu_role role)
{
    return roles[role].sentence;
}

bool mu_role_parse(struct mu_span name, enum mu_role *out)
{
    for (int i = 0; i < MU_ROLES; i++) {
        if (mu_span_is(name, roles[i].name)) {
            *out = (enum mu_role)i;
            return true;
        }
    }
    return false;
}

bool mu_role_answers(enum mu_role role)
{
    return roles[role].answers;
}

/* What the words in brackets stand for in one subject. */
struct filling {
    char api[MU_API_MAX], kv[MU_SUBJECT_MAX], inbox[MU_SUBJECT_MAX];
    const char *queue, *priority, *agent, *bucket;
};

static const char *value_of(const struct filling *f, struct mu_span word)
{
    const struct { const char *word, *value; } words[] = {
        {"<api>", f->api}, {"<kv>", f->kv}, {"<inbox>", f->inbox}, {"<queue>", f->queue}, {"<priority>", f->priority}, {"<agent>", f->agent},
        {"<bucket>", f->bucket}};
    for (size_t i = 0; i < MU_COUNT(words); i++)
        if (mu_span_is(word, words[i].word))
            return words[i].value;
    assert(!"a word of the table that stands for nothing");
    return "";
}

static void fill(char out[2 * MU_SUBJECT_MAX], const struct filling *f, const char *subject)
{
    size_t len = 0;
    for (const char *at = subject; *at;) {
        size_t part = *at == '<' ? strcspn(at, ">") + 1 : strcspn(at, "<");
        struct mu_span piece = mu_span(at, part);
        if (*at == '<')
            piece = mu_span_of(value_of(f, piece));
        assert(len + piece.len < 2 * MU_SUBJECT_MAX);
        memcpy(out + len, piece.at, piece.len);
        len += piece.len;
        at += part;
    }
    out[len] = '\0';
}

/* One row, filled in; more than one subject for acks and buckets. */
static void list_row(const struct row *row, const struct filling *f, mu_rights_each *each, void *ctx)
{
    static const char *const forms[][3] = {
        [PUB] = {"%s"}, [SUB] = {"%s"}, [MAKE] = {"%s"}, [ACK] = {"$JS.ACK.%s.>", "$JS.ACK.*.*.%s.>"},
        [KEYS] = {"<api>.DIRECT.GET.KV_%s", "<api>.DIRECT.GET.KV_%s.>"}};
    for (size_t i = 0; i < MU_COUNT(forms[0]) && forms[row->kind][i]; i++) {
        char subject[2 * MU_SUBJECT_MAX], filled[2 * MU_SUBJECT_MAX];
        const char *form = forms[row->kind][i], *at = strstr(form, "%s");
        snprintf(subject, sizeof(subject), "%.*s%s%s", (int)(at - form), form, row->subject, at + 2);
        fill(filled, f, subject);
        each(ctx, row->kind != SUB, filled);
    }
}

/* The same for each queue and priority, or each bucket, that it speaks of. */
static void list_all(const struct row *row, struct filling *f, const struct mu_rights *r, mu_rights_each *each, void *ctx)
{
    const bool by_queue = strstr(row->subject, "<queue>"), by_priority = strstr(row->subject, "<priority>"),
               by_bucket = strstr(row->subject, "<bucket>");
    const size_t times = by_queue ? r->queue_count : by_bucket ? r->bucket_count : 1;
    for (size_t i = 0; i < times; i++) {
        f->queue = by_queue ? r->queues[i] : "";
        f->bucket = by_bucket ? r->buckets[i] : "";
        for (int p = 0; p < (by_priority ? MU_PRIORITIES : 1); p++) {
            f->priority = mu_priority_name((enum mu_priority)p);
            list_row(row, f, each, ctx);
        }
    }
}

void mu_rights_list(enum mu_role role, const struct mu_rights *r, mu_rights_each *each, void *ctx)
{
    char login[MU_TOKEN_MAX + 16];
    struct filling f = {.agent = r->agent, .queue = "", .priority = "", .bucket = ""};
    bool is_worker = role == MU_ROLE_WORKER;
    snprintf(login, sizeof(login), "%s%s%s", roles[role].name, is_worker ? "_" : "", is_worker ? r->agent : "");
    mu_api_prefix(f.api, r->domain);
    mu_subject_of_put(f.kv, r->domain, "", "");
    f.kv[strlen(f.kv) - 1] = '\0'; /* the dot between bucket and key */
    mu_inbox_of(f.inbox, login);
    for (size_t i = 0; i < MU_COUNT(table); i++)
        if (table[i].role == role && (table[i].kind != MAKE || r->provision))
            list_all(&table[i], &f, r, each, ctx);
}
