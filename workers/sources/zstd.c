/* SPDX-License-Identifier: Apache-2.0 */
#include "sources/unpack.h"

#include <zstd.h>
#include <zstd_errors.h>

struct mu_unpacker {
    ZSTD_DStream *z;
    int64_t window_bytes;
};

static void free_zstd(struct mu_unpacker *u)
{
    if (u)
        ZSTD_freeDStream(u->z);
    free(u);
}

/* The library wants the limit as a power of two: the largest that is within ours. */
static int window_log(int64_t bytes)
{
    const ZSTD_bounds bounds = ZSTD_dParam_getBounds(ZSTD_d_windowLogMax);
    int log = bounds.lowerBound;
    while (log < bounds.upperBound && INT64_C(1) << (log + 1) <= bytes)
        log++;
    return log;
}

static bool open_zstd(struct mu_unpacker **out, int64_t window_bytes, struct mu_error *err)
{
    struct mu_unpacker *u = calloc(1, sizeof(*u));
    if (u)
        u->z = ZSTD_createDStream();
    if (!u || !u->z ||
        ZSTD_isError(ZSTD_DCtx_setParameter(u->z, ZSTD_d_windowLogMax, window_log(window_bytes)))) {
        free_zstd(u);
        return mu_fail(err, MU_BROKEN, "could not begin to unpack zstd data: out of memory");
    }
    u->window_bytes = window_bytes;
    *out = u;
    return true;
}

static bool refuse(const struct mu_unpacker *u, size_t code, struct mu_error *err)
{
    const ZSTD_ErrorCode why = ZSTD_getErrorCode(code);
    if (why == ZSTD_error_memory_allocation)
        return mu_fail(err, MU_BROKEN, "could not unpack zstd data: out of memory");
    if (why != ZSTD_error_frameParameter_windowTooLarge)
        return mu_reject(err, "source_unreadable", "", "the zstd data is damaged, or none (%s)",
                         ZSTD_getErrorName(code));
    mu_reject(err, "limit_window_bytes", "", "zstd data with a window larger than %lld bytes",
              (long long)u->window_bytes);
    return mu_hint(err, "compress it without --long or --ultra, or raise source.window_bytes of the agents");
}

static bool step_zstd(struct mu_unpacker *u, struct mu_unpack *io, struct mu_error *err)
{
    ZSTD_inBuffer in = {.src = io->in.at, .size = io->in.len};
    ZSTD_outBuffer out = {.dst = io->out, .size = io->room};
    size_t left = ZSTD_decompressStream(u->z, &out, &in);
    io->used = in.pos;
    io->made = out.pos;
    io->ended = left == 0;
    return !ZSTD_isError(left) || refuse(u, left, err);
}

const struct mu_unpacker_kind mu_unpack_zstd = {"zstd", false, open_zstd, step_zstd, free_zstd};
