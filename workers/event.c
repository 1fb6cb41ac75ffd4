/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "worker.h"

void mu_worker_event(struct mu_worker *w, const char *what, const struct mu_task *task, const char *reason)
{
    MU_AUTO(mu_text_free) struct mu_text t = MU_TEXT(4096);
    char subject[MU_SUBJECT_MAX], id[MU_ID_MAX], now[MU_RFC3339_MAX], type[64], name[64];
    struct mu_error ignored = {0};
    snprintf(name, sizeof(name), "task.%s", what);
    snprintf(type, sizeof(type), MU_EVENT_TYPE "task_%s", what);
    mu_subject_event(subject, name);
    mu_id_format(mu_id_new(), id);
    mu_rfc3339_format(mu_wall_us(), now);
    mu_text_puts(&t, "{\"v\":1,\"events\":[{");
    mu_json_put_text(&t, "event_id", id);
    mu_json_put_text(&t, "type", type);
    mu_json_put_text(&t, "timestamp", now);
    mu_json_put_text(&t, "job_id", task->job_text);
    mu_json_put_text(&t, "task_id", task->id_text);
    mu_json_put_text(&t, "agent", w->agent.id);
    if (reason[0])
        mu_json_put_text(&t, "reason", reason);
    mu_text_puts(&t, "}]}");
    (void)!mu_bus_send(w->bus, subject, mu_text_span(&t), NULL, 0, NULL, &ignored);
}
