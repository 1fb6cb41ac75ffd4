/* SPDX-License-Identifier: Apache-2.0 */
/* The yardstick of ./run bench (DESIGN.md, Speed): the broker and database moves of a work queue without any of
 * muster's code, one message per task: COPY the task rows, publish each task with a message id, pull, publish its
 * result, ack, pull the results, COPY them. Four processes on the given broker and database; prints
 * {"tasks":N,"seconds":S,"rate":R}.
 *
 *   bench-bare NATS_URL CONNINFO TASKS
 *
 * It uses the client libraries directly, asynchronously and in batches, as a good engineer would in an afternoon. */
#include <libpq-fe.h>
#include <nats/nats.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BATCH 1000
#define BODY "{\"task_id\":\"%032d\",\"pack\":\"identifiers@1\",\"records\":[{\"isin\":\"US0378331005\"," \
             "\"lei\":\"5493001KJTIIGC8Y1R12\",\"currency\":\"EUR\"}]}"

static const char *url, *conninfo;
static int tasks;

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void check(natsStatus s, const char *what)
{
    if (s == NATS_OK)
        return;
    fprintf(stderr, "bare: %s: %s\n", what, natsStatus_GetText(s));
    _exit(1);
}

static void check_pg(PGconn *c, bool good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "bare: %s: %s", what, PQerrorMessage(c));
    _exit(1);
}

static void execute(PGconn *c, const char *sql)
{
    PGresult *r = PQexec(c, sql);
    ExecStatusType s = PQresultStatus(r);
    check_pg(c, s == PGRES_COMMAND_OK || s == PGRES_COPY_IN, sql);
    PQclear(r);
}

static void end_copy(PGconn *c)
{
    check_pg(c, PQputCopyEnd(c, NULL) == 1, "end of COPY");
    for (PGresult *r; (r = PQgetResult(c)); PQclear(r))
        check_pg(c, PQresultStatus(r) == PGRES_COMMAND_OK, "COPY");
}

static natsConnection *connect_nats(jsCtx **js)
{
    natsConnection *nc;
    natsOptions *o;
    jsOptions jo;
    check(natsOptions_Create(&o), "options");
    check(natsOptions_SetURL(o, url), "url");
    natsOptions_SetMaxPendingMsgs(o, 1000000);
    check(natsConnection_Connect(&nc, o), "connect");
    jsOptions_Init(&jo);
    jo.PublishAsync.MaxPending = 4 * BATCH;
    check(natsConnection_JetStream(js, nc, &jo), "jetstream");
    return nc;
}

static void make_topology(void)
{
    jsCtx *js;
    natsConnection *nc = connect_nats(&js);
    static const char *const names[] = {"BARE_TASKS", "BARE_RESULTS"};
    static const char *const subjects[][1] = {{"bare.task.>"}, {"bare.result.>"}};
    for (int i = 0; i < 2; i++) {
        jsStreamConfig sc;
        jsConsumerConfig cc;
        jsErrCode code;
        jsStreamConfig_Init(&sc);
        sc.Name = names[i];
        sc.Subjects = (const char **)(uintptr_t)subjects[i];
        sc.SubjectsLen = 1;
        sc.Retention = i ? js_LimitsPolicy : js_WorkQueuePolicy;
        sc.Storage = js_FileStorage;
        check(js_AddStream(NULL, js, &sc, NULL, &code), "stream");
        jsConsumerConfig_Init(&cc);
        cc.Durable = "c";
        cc.AckPolicy = i ? js_AckAll : js_AckExplicit;
        cc.MaxAckPending = 20000;
        check(js_AddConsumer(NULL, js, names[i], &cc, NULL, &code), "consumer");
    }
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
    PGconn *c = PQconnectdb(conninfo);
    check_pg(c, PQstatus(c) == CONNECTION_OK, "connect");
    execute(c, "set client_min_messages = warning; drop schema if exists bare cascade; create schema bare; create table bare.task (id text primary key, "
               "body text); create table bare.result (id text primary key, body text)");
    PQfinish(c);
}

/* Rows first, then messages, a batch at a time, like any outbox. */
static void submit(void)
{
    jsCtx *js;
    natsConnection *nc = connect_nats(&js);
    PGconn *c = PQconnectdb(conninfo);
    check_pg(c, PQstatus(c) == CONNECTION_OK, "connect");
    char line[600], body[500], subject[80], id[48];
    for (int first = 0; first < tasks; first += BATCH) {
        int last = first + BATCH < tasks ? first + BATCH : tasks;
        execute(c, "copy bare.task from stdin");
        for (int i = first; i < last; i++) {
            snprintf(body, sizeof(body), BODY, i);
            int len = snprintf(line, sizeof(line), "%032d\t%s\n", i, body);
            check_pg(c, PQputCopyData(c, line, len) == 1, "COPY");
        }
        end_copy(c);
        for (int i = first; i < last; i++) {
            jsPubOptions po;
            jsPubOptions_Init(&po);
            snprintf(id, sizeof(id), "%032d:1", i);
            po.MsgId = id;
            po.MaxWait = 10000;
            int len = snprintf(body, sizeof(body), BODY, i);
            snprintf(subject, sizeof(subject), "bare.task.default.normal.%032d", i);
            while (js_PublishAsync(js, subject, body, len, &po) == NATS_TIMEOUT)
                continue; /* it waits for room by itself */
        }
    }
    jsPubOptions wait;
    jsPubOptions_Init(&wait);
    wait.MaxWait = 60000;
    check(js_PublishAsyncComplete(js, &wait), "tasks");
    PQfinish(c);
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
}

/* A pull loop by hand, since the library's own fetch may overrun its list (nats-io/nats.c#749). */
struct puller {
    natsConnection *nc;
    natsSubscription *sub;
    char request[120], inbox[80];
};

static void open_puller(struct puller *p, natsConnection *nc, const char *stream)
{
    natsInbox *inbox;
    check(natsInbox_Create(&inbox), "inbox");
    p->nc = nc;
    snprintf(p->inbox, sizeof(p->inbox), "%s", inbox);
    snprintf(p->request, sizeof(p->request), "$JS.API.CONSUMER.MSG.NEXT.%s.c", stream);
    check(natsConnection_SubscribeSync(&p->sub, nc, inbox), "subscribe");
    natsInbox_Destroy(inbox);
}

static int pull(struct puller *p, natsMsg **list, int want)
{
    static const char body[] = "{\"batch\":1000,\"no_wait\":true,\"expires\":5000000000}";
    int got = 0;
    check(natsConnection_PublishRequestString(p->nc, p->request, p->inbox, body), "pull");
    while (got < want) {
        natsMsg *m;
        if (natsSubscription_NextMsg(&m, p->sub, 6000) != NATS_OK)
            break;
        if (!strcmp(natsMsg_GetSubject(m), p->inbox)) { /* a status: the request has ended */
            natsMsg_Destroy(m);
            break;
        }
        list[got++] = m;
    }
    return got;
}

static void work(void)
{
    jsCtx *js;
    natsConnection *nc = connect_nats(&js);
    struct puller p;
    static natsMsg *list[BATCH];
    open_puller(&p, nc, "BARE_TASKS");
    for (int done = 0; done < tasks;) {
        int got = pull(&p, list, BATCH);
        for (int i = 0; i < got; i++) {
            jsPubOptions po;
            jsPubOptions_Init(&po);
            po.MaxWait = 10000;
            char subject[80], body[200];
            const char *id = strrchr(natsMsg_GetSubject(list[i]), '.') + 1;
            snprintf(subject, sizeof(subject), "bare.result.default.%s", id);
            int len = snprintf(body, sizeof(body), "{\"task_id\":\"%s\",\"result\":\"pass\",\"records\":1}", id);
            while (js_PublishAsync(js, subject, body, len, &po) == NATS_TIMEOUT)
                continue;
        }
        jsPubOptions wait;
        jsPubOptions_Init(&wait);
        wait.MaxWait = 60000;
        if (got)
            check(js_PublishAsyncComplete(js, &wait), "results"); /* the result is stored before the task is acked */
        for (int i = 0; i < got; i++) {
            check(natsConnection_PublishString(nc, natsMsg_GetReply(list[i]), "+ACK"), "ack");
            natsMsg_Destroy(list[i]);
        }
        done += got;
    }
    check(natsConnection_FlushTimeout(nc, 10000), "flush");
    natsSubscription_Destroy(p.sub);
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
}

static void record(void)
{
    jsCtx *js;
    natsConnection *nc = connect_nats(&js);
    PGconn *c = PQconnectdb(conninfo);
    struct puller p;
    static natsMsg *list[BATCH];
    check_pg(c, PQstatus(c) == CONNECTION_OK, "connect");
    open_puller(&p, nc, "BARE_RESULTS");
    for (int done = 0; done < tasks;) {
        int got = pull(&p, list, BATCH);
        if (!got)
            continue;
        execute(c, "copy bare.result from stdin");
        for (int i = 0; i < got; i++) {
            char line[400];
            int len = snprintf(line, sizeof(line), "%s\t%.*s\n", strrchr(natsMsg_GetSubject(list[i]), '.') + 1,
                               natsMsg_GetDataLength(list[i]), natsMsg_GetData(list[i]));
            check_pg(c, PQputCopyData(c, line, len) == 1, "COPY");
        }
        end_copy(c);
        check(natsConnection_PublishString(nc, natsMsg_GetReply(list[got - 1]), "+ACK"), "ack");
        for (int i = 0; i < got; i++)
            natsMsg_Destroy(list[i]);
        done += got;
    }
    PQfinish(c);
    natsSubscription_Destroy(p.sub);
    jsCtx_Destroy(js);
    natsConnection_Destroy(nc);
}

static pid_t start(void (*part)(void))
{
    pid_t pid = fork();
    if (pid == 0) {
        part();
        nats_Close();
        _exit(0);
    }
    return pid;
}

static bool succeeded(pid_t pid)
{
    int status;
    return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int main(int argc, char **argv)
{
    if (argc != 4 || (tasks = (int)strtol(argv[3], NULL, 10)) < 1) {
        fputs("usage: bench-bare NATS_URL CONNINFO TASKS\n", stderr);
        return 2;
    }
    url = argv[1];
    conninfo = argv[2];
    if (!succeeded(start(make_topology))) /* in a process of its own: no library thread may be forked */
        return 1;
    double began = now();
    pid_t parts[] = {start(record), start(work), start(submit)};
    bool good = true;
    for (int i = 0; i < 3; i++)
        good = succeeded(parts[i]) && good;
    double seconds = now() - began;
    printf("{\"tasks\":%d,\"seconds\":%.3f,\"rate\":%.0f}\n", tasks, seconds, tasks / seconds);
    return good ? 0 : 1;
}
