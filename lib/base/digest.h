/* SPDX-License-Identifier: Apache-2.0 */
/* SHA-256 whose state can be saved and taken up again: a checkpoint carries the hash of the bytes read so far, so
 * that a resumed task still proves that the whole input is the pinned one. libcrypto's EVP interface cannot save
 * its state, hence the older one here, and only here. */
#ifndef MU_DIGEST_H
#define MU_DIGEST_H

#include "base/base.h"
#include "base/error.h"

#define MU_DIGEST_HEX 65 /* hex form and NUL */
#define MU_SHA_STATE_MAX 225

struct mu_digest {
    uint8_t b[32];
};

struct mu_sha {
    uint64_t opaque[14]; /* SHA256_CTX; its size is asserted in digest.c */
};

void mu_sha_init(struct mu_sha *sha);
void mu_sha_add(struct mu_sha *sha, struct mu_span bytes);
/* One member of a digest over several: "<length>:<bytes>", so that members cannot run into each other. */
void mu_sha_member(struct mu_sha *sha, struct mu_span bytes);
/* The "<length>:" of a member, written at the end of `room`. */
struct mu_span mu_member_length(char room[24], size_t len);
struct mu_digest mu_sha_end(const struct mu_sha *sha); /* sha can be added to afterwards */

/* Printable, at most MU_SHA_STATE_MAX with NUL; equal states give equal text on every machine. */
void mu_sha_save(const struct mu_sha *sha, char out[MU_SHA_STATE_MAX]);
MU_MUST bool mu_sha_restore(struct mu_sha *sha, struct mu_span saved);

struct mu_digest mu_digest_of(struct mu_span bytes);
void mu_digest_format(const struct mu_digest *d, char out[MU_DIGEST_HEX]);
MU_MUST bool mu_digest_parse(struct mu_span hex, struct mu_digest *out);
bool mu_digest_equal(const struct mu_digest *a, const struct mu_digest *b);

#endif
