/* SPDX-License-Identifier: Apache-2.0 */
/* A NATS service (ADR-32) by hand: discovery under $SRV and endpoints in a queue group. Requests are taken by the
 * program's own loop, like everything else. */
#ifndef MU_SERVICE_H
#define MU_SERVICE_H

#include "outside/bus.h"

struct mu_service;
struct mu_endpoint {
    const char *name;    /* "submit": endpoint name and, behind the subject prefix, the verb */
    const char *subject; /* "muster.api.submit" */
};
MU_MUST bool mu_service_open(struct mu_service **out, struct mu_bus *bus, const char *name, const char *version,
                             const char *description, const struct mu_endpoint *endpoints, size_t count,
                             struct mu_error *err);
/* Answers discovery requests that have arrived; then the next request of any endpoint, or NULL. *endpoint is its
 * index. The message is the caller's; `reply` says where the answer goes. */
struct mu_message *mu_service_take(struct mu_service *s, size_t *endpoint);
/* Sends the answer and counts it; on an error (NULL if none) sets the Nats-Service-Error headers, number 400, 404,
 * 409, 413, 500 or 503 by the error's code. */
void mu_service_answer(struct mu_service *s, size_t endpoint, const char *reply, struct mu_span body,
                       const struct mu_error *error, int64_t processing_us);
/* What `data` of an endpoint says in STATS: free JSON, written when somebody asks, by the thread that takes requests. */
typedef void mu_service_data(void *ctx, struct mu_text *out);
void mu_service_on_stats(struct mu_service *s, size_t endpoint, mu_service_data *write, void *ctx);
void mu_service_free(struct mu_service *s);
MU_DEFINE_AUTO(struct mu_service, mu_service_free)

#endif
