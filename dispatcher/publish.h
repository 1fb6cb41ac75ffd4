/* SPDX-License-Identifier: Apache-2.0 */
/* From the outbox into the streams: exact bytes, a message id per publish, PubAcks noted in the outbox. Whatever is
 * not noted is sent again with the same id, by this dispatcher or by the leader. */
#ifndef MU_PUBLISH_H
#define MU_PUBLISH_H

#include "dispatcher.h"

struct publisher;

MU_MUST bool publisher_new(struct publisher **out, struct dispatcher *d, struct mu_error *err);
void publisher_free(struct publisher *p);
/* Sends one row of the outbox if there is room; if not it stays there for publisher_sweep. Copies. */
void publisher_send(struct publisher *p, bool is_event, struct mu_id ride, int64_t n, const char *subject,
                    struct mu_span body, const char *trace_id);
/* Takes PubAcks that have come and notes them in PostgreSQL when that is worth a statement. */
MU_MUST bool publisher_note(struct publisher *p, struct mu_error *err);
/* Sends rows of the outbox that are older than older_ms and not under way; how many. */
MU_MUST bool publisher_sweep(struct publisher *p, int64_t older_ms, size_t *sent, struct mu_error *err);
size_t publisher_under_way(const struct publisher *p);
/* Identity of MUSTER_TASKS; asked again after a reconnect. */
const char *publisher_stream_created(const struct publisher *p);
MU_MUST bool publisher_learn_stream(struct publisher *p, struct mu_error *err);

#endif
