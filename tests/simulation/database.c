/* SPDX-License-Identifier: Apache-2.0 */
#include "database.h"

#include <assert.h>

#define LOCK_TIMEOUT_US (20 * SECOND_US)
#define LOCKS_MAX 4
#define OID_BYTEA_ 17
#define OID_TEXT_ 25
#define OID_INT4_ 23
#define OID_INT8_ 20
#define OID_UUID_ 2950
#define EPOCH_2000_US INT64_C(946684800000000)

struct database_faults database_faults;

static struct {
    bool up;
    int64_t up_us;
    struct tables committed, working, kept;
    struct session *writer;         /* whose transaction has written; its tables are `working` */
    struct session *aside;          /* whose autocommit statement runs just now */
    bool notify;                    /* at the end of the transaction */
    int64_t kept_us, restored_us;
    struct session *sessions;
    struct { const char *name; struct session *holder; } locks[LOCKS_MAX];
    struct asking *queue, *queue_end;
    int next_pid;
} db;

int64_t database_now(void)
{
    return world_wall();
}

struct tables *database_tables(void)
{
    return &db.committed;
}

/* ---- locks and notices ---- */

static size_t lock_slot(const char *name)
{
    for (size_t i = 0; i < LOCKS_MAX; i++) {
        if (!db.locks[i].name)
            db.locks[i].name = name;
        if (strcmp(db.locks[i].name, name) == 0)
            return i;
    }
    abort();
}

struct session *database_holder(const char *name)
{
    return db.locks[lock_slot(name)].holder;
}

bool database_lock(struct session *s, const char *name)
{
    size_t i = lock_slot(name);
    if (db.locks[i].holder && db.locks[i].holder != s)
        return false;
    if (!db.locks[i].holder)
        trace("session %d holds lock %s", s->pid, name);
    db.locks[i].holder = s;
    return true;
}

void database_unlock(struct session *s, const char *name)
{
    size_t i = lock_slot(name);
    if (db.locks[i].holder == s)
        db.locks[i].holder = NULL;
}

struct session *database_session(int pid)
{
    for (struct session *s = db.sessions; s; s = s->next)
        if (s->pid == pid && !s->killed && !s->closed)
            return s;
    return NULL;
}

void database_notify(void)
{
    db.notify = true;
}

static void send_notices(void)
{
    if (!db.notify)
        return;
    db.notify = false;
    for (struct session *s = db.sessions; s; s = s->next) {
        if (!s->listening[0] || s->killed || s->closed)
            continue;
        s->notified = true;
        fibre_wake(s->waiter);
    }
}

/* ---- sessions ---- */

static void drain_queue(void);

static void end_transaction(struct session *s, bool commit)
{
    s->in_transaction = s->failed = false;
    if (db.writer != s)
        return;
    if (commit) {
        struct tables swap = db.committed;
        db.committed = db.working;
        db.working = swap;
        send_notices();
    }
    db.notify = false;
    db.writer = NULL;
}

void database_end_session(struct session *s)
{
    if (s->killed)
        return;
    s->killed = true;
    end_transaction(s, false);
    for (size_t i = 0; i < LOCKS_MAX; i++)
        if (db.locks[i].holder == s)
            db.locks[i].holder = NULL;
    fibre_wake(s->waiter);
}

struct session *database_connect(struct process *p)
{
    if (!db.up)
        return NULL;
    struct session *s = world_alloc(sizeof(*s));
    *s = (struct session){.pid = db.next_pid++, .process = p, .next = db.sessions};
    db.sessions = s;
    return s;
}

static void take_out(struct session *s)
{
    for (struct session **at = &db.sessions; *at; at = &(*at)->next) {
        if (*at == s) {
            *at = s->next;
            return;
        }
    }
}

static void close_now(void *ctx, uint64_t number)
{
    struct session *s = ctx;
    (void)number;
    database_end_session(s);
    take_out(s);
    drain_queue();
}

void database_close(struct session *s)
{
    if (s->closed)
        return;
    s->closed = true;
    s->waiter = NULL;
    world_at(s->free_us > world_now() ? s->free_us + 1 : world_now() + 1, close_now, s, 0);
}

/* A killed process: the server finds out between two of the statements that were on their way. */
static void process_gone(struct process *p, bool killed)
{
    for (struct session *s = db.sessions; s; s = s->next) {
        if (s->process != p || s->closed)
            continue;
        s->closed = true;
        s->waiter = NULL;
        world_at(killed ? chance_between(world_now(), s->free_us) : world_now(), close_now, s, 0);
    }
}

void database_end_sessions_of(struct process *p)
{
    for (struct session *s = db.sessions; s; s = s->next)
        if (s->process == p)
            database_end_session(s);
    drain_queue();
}

/* ---- statements ---- */

static void answered(void *ctx, uint64_t number)
{
    struct asking *a = ctx;
    struct session *s = a->session;
    (void)number;
    if (s->killed)
        return; /* nobody says so: the client finds the connection closed */
    if (s->process->frozen_until_us > world_now()) {
        world_at(s->process->frozen_until_us + 1, answered, a, 0);
        return;
    }
    a->answered = true;
    fibre_wake(s->waiter);
}

static void answer(struct asking *a)
{
    world_at(world_now() + chance_latency(), answered, a, 0);
}

static void fail(struct asking *a, enum mu_fault fault, const char *code, const char *text)
{
    a->fault = fault;
    snprintf(a->code, sizeof(a->code), "%s", code);
    snprintf(a->text, sizeof(a->text), "%s", text);
    a->session->failed = a->session->in_transaction;
    answer(a);
}

static void run(struct asking *a, const struct model *m)
{
    struct session *s = a->session;
    struct reply r = {.binary = a->statement->binary};
    struct tables *t = db.writer == s ? &db.working : &db.committed;
    if (m->mode == MODE_WRITE && s->in_transaction && db.writer != s) {
        tables_copy(&db.working, &db.committed);
        db.writer = s;
        t = &db.working;
    }
    m->run(s, t, a->args, &r);
    a->result = r.result ? r.result : PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    if (r.fault != MU_OK) {
        fail(a, r.fault, r.code, r.text);
        return;
    }
    if (db.writer != s)
        send_notices();
    a->done = true;
    answer(a);
}

static void timed_out(void *ctx, uint64_t number)
{
    struct asking *a = ctx;
    (void)number;
    for (struct asking **at = &db.queue; *at; at = &(*at)->next) {
        if (*at != a)
            continue;
        *at = a->next;
        if (db.queue_end == a) {
            db.queue_end = NULL;
            for (struct asking *q = db.queue; q; q = q->next)
                db.queue_end = q;
        }
        fail(a, MU_UNAVAILABLE, "", "canceling statement due to lock timeout (55P03)");
        return;
    }
}

static void execute(struct asking *a)
{
    struct session *s = a->session;
    const struct model *m = model_find(a->statement);
    if (!m) {
        broken("the database of the simulation does not know the statement \"%s\" as it stands now: %.200s", a->statement->name, a->statement->sql);
        return;
    }
    if (s->failed) {
        fail(a, MU_BROKEN, "", "current transaction is aborted (25P02)");
        return;
    }
    if (m->mode == MODE_WRITE && db.writer && db.writer != s) {
        a->next = NULL;
        if (db.queue_end)
            db.queue_end->next = a;
        else
            db.queue = a;
        db.queue_end = a;
        world_at(world_now() + LOCK_TIMEOUT_US, timed_out, a, 0);
        return;
    }
    if (s->in_transaction && chance_in_million(database_faults.again)) {
        trace("%s: a deadlock is detected", a->statement->name);
        fail(a, MU_UNAVAILABLE, "again", "deadlock detected (40P01)");
        return;
    }
    if (m->mode != MODE_ASIDE && chance_in_million(database_faults.cancelled)) {
        trace("%s: took too long", a->statement->name);
        fail(a, MU_UNAVAILABLE, "timed_out", "canceling statement due to statement timeout (57014)");
        return;
    }
    run(a, m);
}

static void drain_queue(void)
{
    while (db.queue && !db.writer) {
        struct asking *a = db.queue;
        db.queue = a->next;
        if (!db.queue)
            db.queue_end = NULL;
        if (!a->session->killed)
            execute(a);
    }
}

static void reach(void *ctx, uint64_t number)
{
    struct asking *a = ctx;
    struct session *s = a->session;
    (void)number;
    if (s->killed || !db.up)
        return;
    switch (a->kind) {
    case ASK_STATEMENT:
        if (trace_on)
            trace("sql of %s: %s", s->process->name, a->statement->name);
        execute(a);
        break;
    case ASK_BEGIN:
        s->in_transaction = true;
        s->failed = false;
        a->done = true;
        answer(a);
        break;
    case ASK_COMMIT:
        if (database_faults.next_commit != COMMIT_GOOD && db.writer == s) {
            end_transaction(s, database_faults.next_commit == COMMIT_DONE);
            trace("sql of %s: commit, and the server dies", s->process->name);
            database_faults.next_commit = COMMIT_GOOD;
            database_kill(SECOND_US);
            return;
        }
        a->done = !s->failed;
        if (s->failed) {
            a->fault = MU_BROKEN;
            snprintf(a->text, sizeof(a->text), "could not commit");
        }
        if (trace_on)
            trace("sql of %s: commit", s->process->name);
        end_transaction(s, !s->failed);
        answer(a);
        break;
    case ASK_ROLLBACK:
        end_transaction(s, false);
        a->done = true;
        answer(a);
        break;
    case ASK_NOTHING:
        a->done = true;
        answer(a);
        break;
    }
    drain_queue();
}

void database_ask(struct asking *a)
{
    struct session *s = a->session;
    int64_t at = world_now() + chance_latency();
    if (at < s->free_us)
        at = s->free_us;
    s->free_us = at;
    a->asked_us = world_now();
    world_at(at, reach, a, 0);
}

/* ---- what goes wrong ---- */

static void come_up(void *ctx, uint64_t number)
{
    (void)ctx;
    (void)number;
    if (db.up || world_now() < db.up_us)
        return;
    trace("the database is up");
    db.up = true;
}

static void go_down(int64_t away_us)
{
    struct session *next;
    db.up = false;
    db.up_us = world_now() + away_us;
    for (struct session *s = db.sessions; s; s = next) {
        next = s->next;
        database_end_session(s);
        take_out(s);
    }
    db.queue = db.queue_end = NULL;
    world_at(db.up_us, come_up, NULL, 0);
}

void database_kill(int64_t away_us)
{
    trace("the database is killed, away for %lld ms", (long long)away_us / 1000);
    go_down(away_us);
}

void database_remember(void)
{
    if (!db.kept.of[0].size)
        tables_init(&db.kept);
    tables_copy(&db.kept, &db.committed);
    db.kept_us = world_now();
}

int64_t database_remembered(void)
{
    return db.kept_us;
}

int64_t database_last_restore(void)
{
    return db.restored_us;
}

void database_restore(int64_t away_us)
{
    trace("the database is set back to a copy of %lld ms ago", (long long)(world_now() - db.kept_us) / 1000);
    go_down(away_us);
    tables_copy(&db.committed, &db.kept);
    db.restored_us = world_now();
}

void database_begin(void)
{
    memset(&db, 0, sizeof(db));
    database_faults = (struct database_faults){0};
    db.up = true;
    db.next_pid = 5000;
    tables_init(&db.committed);
    tables_init(&db.working);
    world_on_death(process_gone);
}

/* ---- rows ---- */

void reply_columns(struct reply *r, const char *columns)
{
    PGresAttDesc of[16];
    char name[16][8];
    int count = (int)strlen(columns);
    memset(of, 0, sizeof(of));
    assert(count <= 16);
    r->result = PQmakeEmptyPGresult(NULL, PGRES_TUPLES_OK);
    for (int i = 0; i < count; i++) {
        snprintf(name[i], sizeof(name[i]), "c%d", i);
        of[i].name = name[i];
        of[i].format = r->binary;
        of[i].typid = columns[i] == 'b' ? OID_BYTEA_ : columns[i] == 'u' ? OID_UUID_ : columns[i] == 'i' ? OID_INT4_ : columns[i] == 'l' ? OID_INT8_ : OID_TEXT_;
        of[i].typlen = -1;
        of[i].atttypmod = -1;
    }
    if (!PQsetResultAttrs(r->result, count, of))
        abort();
    r->row = -1;
}

void reply_row(struct reply *r)
{
    r->row++;
}

static void put(struct reply *r, int column, const char *at, size_t len)
{
    char *value = malloc(len + 1);
    if (!value)
        abort();
    if (len)
        memcpy(value, at, len);
    value[len] = '\0';
    if (!PQsetvalue(r->result, r->row, column, value, (int)len))
        abort();
    free(value);
}

void reply_null(struct reply *r, int column)
{
    if (!PQsetvalue(r->result, r->row, column, NULL, -1))
        abort();
}

void reply_text(struct reply *r, int column, struct mu_span text)
{
    if (text.at)
        put(r, column, text.at, text.len);
    else
        reply_null(r, column);
}

void reply_i64(struct reply *r, int column, int64_t value)
{
    char text[24];
    if (r->binary) {
        int width = PQftype(r->result, column) == OID_INT4_ ? 4 : 8;
        for (int i = 0; i < width; i++)
            text[i] = (char)((uint64_t)value >> (8 * (width - 1 - i)));
        put(r, column, text, (size_t)width);
        return;
    }
    int len = snprintf(text, sizeof(text), "%lld", (long long)value);
    put(r, column, text, (size_t)len);
}

void reply_bool(struct reply *r, int column, bool value)
{
    put(r, column, value ? "t" : "f", 1);
}

void reply_id(struct reply *r, int column, struct mu_id id)
{
    char text[MU_ID_MAX];
    if (r->binary) {
        put(r, column, (const char *)id.b, sizeof(id.b));
        return;
    }
    mu_id_format(id, text);
    put(r, column, text, MU_ID_MAX - 1);
}

void reply_bytes(struct reply *r, int column, struct mu_span bytes)
{
    if (r->binary) {
        put(r, column, bytes.at, bytes.len);
        return;
    }
    MU_AUTO(mu_text_free) struct mu_text t = {0};
    mu_text_puts(&t, "\\x");
    mu_text_add_hex(&t, bytes.at, bytes.len);
    put(r, column, t.at, t.len);
}

/* ---- parameters ---- */

static const char *arg_at(const struct mu_args *a, int i)
{
    assert(i < a->count);
    return a->bytes.at + a->arg[i].at;
}

struct mu_span arg_text(const struct mu_args *a, int i)
{
    assert(i < a->count);
    if (a->arg[i].null)
        return mu_span(NULL, 0);
    return world_keep(mu_span(arg_at(a, i), a->arg[i].len));
}

int64_t arg_i64(const struct mu_args *a, int i)
{
    int64_t value = 0;
    if (!mu_parse_i64(arg_text(a, i), INT64_MIN, INT64_MAX, &value))
        abort();
    return value;
}

bool arg_bool(const struct mu_args *a, int i)
{
    return arg_at(a, i)[0] == 't';
}

struct mu_id arg_id(const struct mu_args *a, int i)
{
    struct mu_id id = {{0}};
    if (a->arg[i].binary) {
        assert(a->arg[i].len == sizeof(id.b));
        memcpy(id.b, arg_at(a, i), sizeof(id.b));
        return id;
    }
    struct mu_span text = arg_text(a, i);
    if (mu_span_is(text, "00000000-0000-0000-0000-000000000000"))
        return id;
    if (!mu_id_parse(text, &id))
        abort();
    return id;
}

static uint64_t big_endian(const char *at, size_t len)
{
    uint64_t bits = len && (unsigned char)at[0] & 0x80 ? UINT64_MAX : 0;
    for (size_t i = 0; i < len; i++)
        bits = bits << 8 | (unsigned char)at[i];
    return bits;
}

int64_t arg_time(const struct mu_args *a, int i)
{
    return (int64_t)big_endian(arg_at(a, i), 8) + EPOCH_2000_US;
}

struct column arg_array(const struct mu_args *a, int i)
{
    const char *at = arg_at(a, i);
    if (big_endian(at, 4) == 0) /* no dimension */
        return (struct column){NULL, 0};
    size_t count = (size_t)big_endian(at + 12, 4);
    struct mu_span *cells = world_alloc((count + 1) * sizeof(*cells));
    at += 20;
    for (size_t k = 0; k < count; k++) {
        int32_t len = (int32_t)big_endian(at, 4);
        at += 4;
        cells[k] = len < 0 ? mu_span(NULL, 0) : world_keep(mu_span(at, (size_t)len));
        at += len < 0 ? 0 : len;
    }
    return (struct column){cells, count};
}

struct mu_id cell_id(struct column c, size_t i)
{
    struct mu_id id;
    assert(c.at[i].len == sizeof(id.b));
    memcpy(id.b, c.at[i].at, sizeof(id.b));
    return id;
}

int64_t cell_i64(struct column c, size_t i)
{
    return c.at[i].at ? (int64_t)big_endian(c.at[i].at, c.at[i].len) : INT64_MIN;
}

int64_t cell_time(struct column c, size_t i)
{
    return (int64_t)big_endian(c.at[i].at, 8) + EPOCH_2000_US;
}

bool cell_bool(struct column c, size_t i)
{
    return c.at[i].at && c.at[i].at[0];
}
