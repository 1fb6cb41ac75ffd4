/* SPDX-License-Identifier: Apache-2.0 */
/* Objects of the NATS object store (ADR-20), read by hand: a stream OBJ_<bucket> holds one message that describes the
 * object, on a subject made of its name, and its bytes in messages that share a subject made of its nuid. A new version
 * of an object has another nuid, and the chunks of the old one are purged. Reading takes direct gets, or, of a bucket
 * that was made without them and where a replica may lag behind, the word of the stream's leader. */
#ifndef MU_OBJECT_H
#define MU_OBJECT_H

#include "base/digest.h"
#include "outside/bus.h"

#define MU_NUID_MAX 64

struct mu_object {
    char bucket[MU_TOKEN_MAX], nuid[MU_NUID_MAX];
    int64_t size, chunks;    /* bytes; messages that hold them */
    int64_t chunk_bytes;     /* most bytes of a chunk, as its author said */
    struct mu_digest digest; /* of its bytes, as its author said: whoever reads has to compare */
};

enum mu_object_is {
    MU_OBJECT_THERE,
    MU_OBJECT_NO_BUCKET,
    MU_OBJECT_NONE,
    MU_OBJECT_DELETED,
    MU_OBJECT_LINK, /* to an object or a bucket */
};
/* *out is written only if it is there. MU_REJECTED `source_unreadable`: what describes it cannot be understood. */
MU_MUST bool mu_object_find(struct mu_bus *bus, const char *bucket, struct mu_span name, enum mu_object_is *is,
                            struct mu_object *out, struct mu_error *err);
/* The first of its chunks at or after a sequence of the stream, the caller's; NULL: there is none, it has been replaced,
 * deleted, or lost a part. */
MU_MUST bool mu_object_chunk(struct mu_bus *bus, const struct mu_object *o, uint64_t sequence,
                             struct mu_message **out, struct mu_error *err);
MU_MUST bool mu_object_last_chunk(struct mu_bus *bus, const struct mu_object *o, struct mu_message **out,
                                  struct mu_error *err);

#endif
