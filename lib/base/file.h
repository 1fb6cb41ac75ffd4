/* SPDX-License-Identifier: Apache-2.0 */
/* Small files of our own (packs, lists, migrations), read whole. Sources of data are not read this way. */
#ifndef MU_FILE_H
#define MU_FILE_H

#include "base/error.h"
#include "base/text.h"

/* Appends the file's bytes. MU_REJECTED (not_found) if it cannot be opened, MU_BROKEN if it cannot be read, MU_REJECTED
 * (too_large) beyond max_bytes. */
MU_MUST bool mu_file_read(const char *path, size_t max_bytes, struct mu_text *out, struct mu_error *err);

#endif
