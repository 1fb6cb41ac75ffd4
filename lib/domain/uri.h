/* SPDX-License-Identifier: Apache-2.0 */
/* The URI of a source: file:<path>, object:<bucket>/<name>, http://<host>/<path>, https:…; and what its
 * spelling says of the content. Whoever takes a job, reads a source or checks a file by hand asks here, so
 * that all mean the same by a name. Nothing is opened and nothing is decoded: paths and names are the bytes
 * that stand there. */
#ifndef MU_URI_H
#define MU_URI_H

#include "base/error.h"
#include "base/text.h"

#define MU_URI_MAX 2049 /* with NUL */

struct mu_uri { /* borrowed from the text */
    struct mu_span scheme;
    struct mu_span rest; /* behind the colon */
    struct mu_span file; /* last part of the path; of http: and https: without the query */
    struct mu_span stem; /* of it, without the endings of compression and format: what a source is called */
    /* as the endings say it (trades.csv.gz), whatever their case; NULL: they do not */
    const char *compression; /* "gzip", "zstd" */
    const char *format;      /* "csv", "jsonl", "json", "xml" */
};

/* MU_REJECTED `path_refused` at /source/uri: no scheme of ours, a control character, a user or password, a
 * fragment. */
MU_MUST bool mu_uri_parse(struct mu_uri *out, struct mu_span text, struct mu_error *err);

/* Appends any text (a submission as it came) with the user and password of each URI in it replaced by asterisks: what
 * is refused for its login is kept for people to see, but not the login. */
void mu_uri_hide_logins(struct mu_text *out, struct mu_span text);

#endif
