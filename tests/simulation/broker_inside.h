/* SPDX-License-Identifier: Apache-2.0 */
/* What the two files of the broker share: connections and core subjects (broker.c), streams and consumers
 * (jetstream.c). */
#ifndef SIM_BROKER_INSIDE_H
#define SIM_BROKER_INSIDE_H

#include "broker.h"

bool subject_matches(const char *pattern, const char *subject);
/* From the broker to whoever listens to `subject`; `shown` is what the receiver sees, which for deliveries of a
 * consumer is the stored subject. How many got it. */
int broker_route(const char *subject, const struct wire *shown);
void broker_answer(const struct wire *request, const struct wire *answer); /* of JetStream; may get lost */
bool broker_listens(const char *subject); /* is anybody subscribed? */
/* The broker's own clock. */
int64_t broker_wall(void);

/* ---- jetstream.c ---- */
void jetstream_begin(void);
/* False: no stream takes this subject. */
bool jetstream_publish(const struct wire *w, bool silent);
bool jetstream_api(const struct wire *w);
void jetstream_ack(const struct wire *w);
void jetstream_forget_requests(void);
void jetstream_restarted(void);
void jetstream_restore(bool power_cut); /* false: to the moment that was remembered */
void jetstream_remember(void);
void jetstream_wipe(void);
void jetstream_sync(void);              /* all of it is on disk */

#endif
