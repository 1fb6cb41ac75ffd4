/* SPDX-License-Identifier: Apache-2.0 */
/* Orders to agents: `nats req muster.control.<agent> ping`, `drain`, `log debug`; or the same as JSON
 * {"command":"log","level":"debug"}. */
#include "base/log.h"
#include "daemon/daemon.h"
#include "format/json.h"
#include "worker.h"

#define WAITING_MOST 64
#define BODY_MAX 1024

bool mu_control_open(struct mu_worker *w, struct mu_error *err)
{
    return mu_sub_open(&w->control, w->bus, w->agent.endpoint, NULL, WAITING_MOST, err) &&
           mu_sub_open(&w->control_all, w->bus, MU_SUBJECT_CONTROL_ALL, NULL, WAITING_MOST, err);
}

struct order {
    char command[16], level[16];
};

static bool read_order(struct mu_span body, struct order *out)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    *out = (struct order){.level = ""};
    if (body.len && body.at[0] == '{') {
        return mu_json_parse(&doc, body, BODY_MAX, NULL) &&
               mu_copy_text(out->command, sizeof(out->command), mu_json_span(doc, "command")) &&
               mu_copy_text(out->level, sizeof(out->level), mu_json_span(doc, "level"));
    }
    while (body.len && (body.at[body.len - 1] == '\n' || body.at[body.len - 1] == ' '))
        body.len--;
    const char *blank = body.len ? memchr(body.at, ' ', body.len) : NULL;
    size_t first = blank ? (size_t)(blank - body.at) : body.len;
    return mu_copy_text(out->command, sizeof(out->command), mu_span(body.at, first)) &&
           (!blank || mu_copy_text(out->level, sizeof(out->level), mu_span(blank + 1, body.len - first - 1)));
}

static void answer(struct mu_worker *w, const struct mu_message *m, const char *refusal)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(4096);
    struct mu_error ignored = {0};
    if (!m->reply[0])
        return;
    mu_text_putc(&t, '{');
    mu_json_put_bool(&t, "ok", !refusal);
    if (refusal) {
        mu_json_key(&t, "error");
        mu_text_putc(&t, '{');
        mu_json_put_text(&t, "code", "invalid");
        mu_json_put_text(&t, "message", refusal);
        mu_text_putc(&t, '}');
    }
    mu_json_put_text(&t, "agent", w->agent.id);
    mu_json_put_text(&t, "incarnation", w->agent.incarnation);
    mu_json_put_text(&t, "version", MUSTER_VERSION);
    mu_json_put_bool(&t, "draining", w->draining);
    mu_text_putc(&t, '}');
    (void)!mu_bus_send(w->bus, m->reply, mu_text_span(&t), NULL, 0, NULL, &ignored);
}

static const char *obey(struct mu_worker *w, const struct order *o)
{
    enum mu_level level;
    if (strcmp(o->command, "ping") == 0)
        return NULL;
    if (strcmp(o->command, "drain") == 0) {
        mu_drain_begin(w, "asked by muster.control");
        mu_daemon_stop();
        return NULL;
    }
    if (strcmp(o->command, "log") != 0)
        return "the commands are: ping, drain, log <level>";
    if (!mu_log_parse_level(o->level, &level))
        return "the levels are: debug, info, warning, error";
    mu_log_level(level);
    return NULL;
}

static void take(struct mu_worker *w, struct mu_sub *sub)
{
    struct mu_message *m;
    struct order o;
    while (sub && (m = mu_sub_take(sub))) {
        answer(w, m, read_order(m->body, &o) ? obey(w, &o) : "the order cannot be read");
        mu_message_free(m);
    }
}

void mu_control_take(struct mu_worker *w)
{
    take(w, w->control);
    take(w, w->control_all);
}
