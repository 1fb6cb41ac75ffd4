/* SPDX-License-Identifier: Apache-2.0 */
/* One GET by HTTP at a time, whose answer is pulled: what is not asked for stays in the network. It follows
 * no redirect, decodes no Content-Encoding, keeps no cookie, looks into no .netrc and heeds no proxy of the
 * environment; certificates are always checked. Before a connection is made its address is looked at,
 * whatever a name resolved to a moment ago. The only user of curl.h.
 *
 * Faults: MU_UNAVAILABLE `source_down` for whatever the network or the server fails to do, `path_refused` for
 * an address that is not allowed. Texts name no URL: it may carry a signature. */
#ifndef MU_FETCH_H
#define MU_FETCH_H

#include "sources/source.h"

/* A URL of http: or https: as the library understands it, which is what counts. */
struct mu_url {
    char scheme[8], host[256]; /* "https", "data.example.com" in lower case, "[::1]" */
    int64_t port;
};
/* MU_REJECTED `path_refused` for any other, and for one with a user. */
MU_MUST bool mu_url_parse(struct mu_url *out, const char *url, struct mu_error *err);

/* What the head of an answer says. */
struct mu_answer {
    long status;
    int64_t length;                 /* Content-Length; -1: not said */
    int64_t range_from, range_size; /* Content-Range: of the first byte, and of the whole; -1: not said */
    bool ranges, chunked;           /* Accept-Ranges: bytes; Transfer-Encoding: chunked */
    char etag[256], modified[64];   /* "" : not said, or too long to be kept */
    char location[MU_URI_MAX];      /* where a redirect leads, absolute; "" : nowhere */
};

struct mu_fetch;
MU_MUST bool mu_fetch_new(struct mu_fetch **out, const struct mu_sources *all, struct mu_error *err);
/* Gives up what was under way, asks for the bytes from an offset on (0: all, without a word of ranges), and
 * waits for the head of the answer, whatever its status. if_range: a validator that has to hold for a part to
 * be sent; "": none. */
MU_MUST bool mu_fetch_begin(struct mu_fetch *f, const char *url, int64_t from, const char *if_range,
                            struct mu_error *err);
const struct mu_answer *mu_fetch_answer(const struct mu_fetch *f);
/* The next bytes of the body, 1 to `len` of them as they come; 0 at its end. */
MU_MUST bool mu_fetch_read(struct mu_fetch *f, char *to, size_t len, size_t *got, struct mu_error *err);
void mu_fetch_end(struct mu_fetch *f); /* gives up what is under way */
void mu_fetch_free(struct mu_fetch *f);
MU_DEFINE_AUTO(struct mu_fetch, mu_fetch_free)

#endif
