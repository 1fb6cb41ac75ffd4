/* SPDX-License-Identifier: Apache-2.0 */
/* A way of compressing: a constant table of functions, one file for each library. */
#ifndef MU_UNPACK_H
#define MU_UNPACK_H

#include "base/error.h"

struct mu_unpacker;

/* One step: what there is to read and to write, and how far it went. */
struct mu_unpack {
    struct mu_span in;
    size_t used; /* of it */
    char *out;
    size_t room, made;
    bool ended; /* a whole member (of gzip) or frame (of zstd) ends behind what was used: what follows begins
                   another */
};

struct mu_unpacker_kind {
    const char *name; /* "gzip" */
    bool
        zeros_may_follow; /* behind the last member: what pads files to the blocks of a tape or a mainframe */
    bool (*open)(struct mu_unpacker **out, int64_t window_bytes, struct mu_error *err);
    /* Goes on until it needs more of one or the other. MU_REJECTED: the data is not what it should be; the
     * caller knows where. */
    bool (*step)(struct mu_unpacker *u, struct mu_unpack *io, struct mu_error *err);
    void (*free)(struct mu_unpacker *u); /* NULL is fine */
};

extern const struct mu_unpacker_kind mu_unpack_gzip, mu_unpack_zstd;

#endif
