/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/failpoint.h"

#ifdef MUSTER_FAILPOINTS

#include "base/text.h"

#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#define POINTS_MAX 8

/* One entry of MUSTER_FAIL. */
struct order {
    struct mu_span point;
    int64_t nth;          /* acts at this passage; 0: at every one */
    int64_t passed;
    enum { CRASH, STOP, HANG, DELAY } what;
    int64_t delay_ms;
};

static struct order orders[POINTS_MAX];
static size_t order_count;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* A mistake in a test's order must not let the test pass: it ends the process. */
static void refuse(struct mu_span entry)
{
    fprintf(stderr, "MUSTER_FAIL: cannot read \"%.*s\"; want <point>[:n]=crash|stop|hang|delay:<ms>\n", (int)entry.len,
            entry.at);
    _exit(2);
}

static void add_order(struct mu_span entry)
{
    const char *equals = memchr(entry.at, '=', entry.len);
    if (!equals || order_count == POINTS_MAX)
        refuse(entry);
    struct order o = {.nth = 1, .point = mu_span(entry.at, (size_t)(equals - entry.at))};
    struct mu_span what = mu_span(equals + 1, entry.len - o.point.len - 1);
    const char *colon = memchr(o.point.at, ':', o.point.len);
    bool counted = colon != NULL;
    if (colon) {
        struct mu_span number = mu_span(colon + 1, o.point.len - (size_t)(colon - o.point.at) - 1);
        if (!mu_parse_i64(number, 1, INT32_MAX, &o.nth))
            refuse(entry);
        o.point.len = (size_t)(colon - o.point.at);
    }
    if (mu_span_is(what, "crash")) {
        o.what = CRASH;
    } else if (mu_span_is(what, "stop")) {
        o.what = STOP;
    } else if (mu_span_is(what, "hang")) {
        o.what = HANG;
    } else if (what.len > 6 && memcmp(what.at, "delay:", 6) == 0 &&
               mu_parse_i64(mu_span(what.at + 6, what.len - 6), 0, 3600000, &o.delay_ms)) {
        o.what = DELAY;
        if (!counted)
            o.nth = 0;
    } else {
        refuse(entry);
    }
    orders[order_count++] = o;
}

static void read_orders(void)
{
    const char *at = getenv("MUSTER_FAIL");
    while (at && *at) {
        size_t len = strcspn(at, ",");
        add_order(mu_span(at, len));
        at += len + (at[len] == ',');
    }
}

static void act(const struct order *o)
{
    switch (o->what) {
    case CRASH:
        kill(getpid(), SIGKILL);
        break;
    case STOP:
        kill(getpid(), SIGSTOP);
        break;
    case HANG:
        for (;;)
            pause();
    case DELAY:
        usleep((useconds_t)o->delay_ms * 1000);
        break;
    }
}

void mu_failpoint(const char *point)
{
    pthread_once(&once, read_orders);
    for (size_t i = 0; i < order_count; i++) {
        if (!mu_span_is(orders[i].point, point))
            continue;
        pthread_mutex_lock(&lock);
        bool now = ++orders[i].passed == orders[i].nth || !orders[i].nth;
        pthread_mutex_unlock(&lock);
        if (now) {
            fprintf(stderr, "failpoint %s\n", point);
            act(&orders[i]);
        }
    }
}

#endif
