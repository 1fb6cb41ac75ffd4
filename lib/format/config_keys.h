/* SPDX-License-Identifier: Apache-2.0 */
/* The form of the table of settings; the table itself is config_keys.c. */
#ifndef MU_CONFIG_KEYS_H
#define MU_CONFIG_KEYS_H

#include "format/config.h"

enum mu_key_type {
    MU_KEY_BOOL,
    MU_KEY_DURATION, /* 500ms, 10s, 5m, 1h, 90d, 4w, 7y (of 366 days); kept in milliseconds */
    MU_KEY_INT,
    MU_KEY_LIST,     /* of texts; limits are lengths of an element */
    MU_KEY_SECRET,   /* a text that is never shown */
    MU_KEY_SIZE,     /* 64KiB, 8MiB, 4GiB, plain bytes */
    MU_KEY_TEXT,     /* limits are lengths */
};
const char *mu_key_type_name(enum mu_key_type type);

struct mu_key {
    const char *name;      /* "task.shard_bytes": section and key; MUSTER_TASK_SHARD_BYTES in the environment */
    enum mu_key_type type;
    size_t offset;         /* in struct mu_config */
    const char *otherwise; /* the default, as it would be written */
    int64_t least, most;
    const char *sentence;
};
extern const struct mu_key mu_config_keys[];
extern const size_t mu_config_key_count;

#endif
