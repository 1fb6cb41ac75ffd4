/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/unpack.h"

#include <limits.h>
#include <zlib.h>

#define GZIP_ONLY (16 + MAX_WBITS) /* no bare deflate, no zlib header */

struct mu_unpacker {
    z_stream z;
};

static bool open_gzip(struct mu_unpacker **out, int64_t window_bytes, struct mu_error *err)
{
    (void)window_bytes; /* it is 32 KiB */
    struct mu_unpacker *u = calloc(1, sizeof(*u));
    if (!u || inflateInit2(&u->z, GZIP_ONLY) != Z_OK) {
        free(u);
        return mu_fail(err, MU_BROKEN, "could not begin to unpack gzip data: out of memory");
    }
    *out = u;
    return true;
}

static uInt at_most(size_t len)
{
    return len > UINT_MAX ? UINT_MAX : (uInt)len;
}

static bool step_gzip(struct mu_unpacker *u, struct mu_unpack *io, struct mu_error *err)
{
    z_stream *z = &u->z;
    const uInt in = at_most(io->in.len), room = at_most(io->room);
    z->next_in = (z_const Bytef *)(uintptr_t)io->in.at;
    z->avail_in = in;
    z->next_out = (Bytef *)io->out;
    z->avail_out = room;
    int code = inflate(z, Z_NO_FLUSH);
    io->used = in - z->avail_in;
    io->made = room - z->avail_out;
    io->ended = code == Z_STREAM_END;
    switch (code) {
    case Z_STREAM_END:
        return inflateReset(z) == Z_OK ||
               mu_fail(err, MU_BROKEN, "could not go on with the next gzip member");
    case Z_OK:
    case Z_BUF_ERROR: /* nothing to do without more */
        return true;
    case Z_MEM_ERROR:
        return mu_fail(err, MU_BROKEN, "could not unpack gzip data: out of memory");
    default:
        return mu_reject(err, "source_unreadable", "", "the gzip data is damaged, or none (%s)",
                         z->msg ? z->msg : "it asks for a dictionary");
    }
}

static void free_gzip(struct mu_unpacker *u)
{
    if (u)
        inflateEnd(&u->z);
    free(u);
}

const struct mu_unpacker_kind mu_unpack_gzip = {"gzip", true, open_gzip, step_gzip, free_gzip};
