/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed data as a source of its content. What comes out is what tasks are about: size, digest, offsets
 * and checkpoints speak of the unpacked bytes, so that a finding names the same place in trades.csv.gz as in
 * trades.csv and a pin can be compared across agents and versions of the compressor; whether the source has
 * changed is asked of what lies beneath. There is no way to any place but through all before it: such a
 * source is one task, and its end is known once it has been met. Memory does not depend on what is in the
 * data, but for the window that zstd asks for, which has a limit (source.window_bytes), as the whole has
 * (source.max_bytes). */
#ifndef MU_PACKED_H
#define MU_PACKED_H

#include "sources/source.h"

/* Takes `inner`, in any case. compression: "gzip" or "zstd". */
MU_MUST bool mu_packed_open(struct mu_source **out, struct mu_sources *all, struct mu_source *inner,
                            struct mu_span compression, struct mu_error *err);

#endif
