/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a task come from. A kind of source (`file:`, `object:`, `http:`) is a constant table of
 * functions in one list, chosen by the scheme of the URI; compressed data is a kind that reads from another
 * one (packed.h). Faults say what follows: MU_REJECTED with a reason of PROTOCOL §2 in err->code
 * (`path_refused`, `source_missing`, `source_not_file`, `source_unreadable`, `source_changed`,
 * `limit_source_bytes`, `limit_window_bytes`) is an outcome; MU_UNAVAILABLE with code `source_down` means
 * that the source cannot be had for now, and the task is deferred.
 *
 * A source is read at offsets, but not all kinds can be read anywhere at the same price: `seekable` says
 * which can, and only those are cut into shards. The others are read from the beginning to where somebody
 * wants to go on. */
#ifndef MU_SOURCE_H
#define MU_SOURCE_H

#include "base/digest.h"
#include "domain/uri.h"
#include "format/config.h"

struct mu_bus;
struct mu_source;
struct mu_sources;

struct mu_source_kind {
    const char *scheme; /* "file" */
    bool (*open)(struct mu_source **out, struct mu_sources *all, const struct mu_uri *uri,
                 struct mu_error *err);
    /* Up to `len` bytes at an offset; fewer only at the end. */
    bool (*read)(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got, struct mu_error *err);
    bool (*unchanged)(struct mu_source *s, struct mu_error *err);
    void (*close)(struct mu_source *s);
};
struct mu_source { /* first member of each kind's own struct */
    const struct mu_source_kind *kind;
    int64_t size;    /* in bytes, as noted when it was opened; -1: its end has not been met yet */
    bool seekable;   /* going on at any other place costs no more than reading on */
    bool has_digest; /* where it lies it is described by this SHA-256: reading it first is spared, and every
                        read from beginning to end has been compared with it */
    struct mu_digest digest;
};

/* Notes each data root (device, marker). A root that is not there is no failure: see mu_sources_ready. The
 * configuration is borrowed for life. */
MU_MUST bool mu_sources_new(struct mu_sources **out, const struct mu_config *config, struct mu_error *err);
/* What sources may use from now on, borrowed for life: a bus, without which objects cannot be had, and whom
 * to ask, several times a second, whether to go on while a source is waited for. False ends the wait as
 * `source_down`. */
void mu_sources_serve(struct mu_sources *all, struct mu_bus *bus, bool (*go_on)(void *ctx), void *ctx);
/* Are all roots there, as they were first seen? If not, err (may be NULL) says which one is missing: a task
 * would only be deferred, so none is pulled. */
bool mu_sources_ready(struct mu_sources *all, struct mu_error *err);
void mu_sources_free(struct mu_sources *all);
MU_DEFINE_AUTO(struct mu_sources, mu_sources_free)

/* compression: "none", "gzip", "zstd"; empty: as the URI ends. */
MU_MUST bool mu_source_open(struct mu_source **out, struct mu_sources *all, struct mu_span uri,
                            struct mu_span compression, struct mu_error *err);
/* Exactly `len` bytes at an offset; a source that has become shorter is `source_changed`. */
MU_MUST bool mu_source_read(struct mu_source *s, int64_t at, char *to, size_t len, struct mu_error *err);
/* Up to `len` bytes, fewer only at the end of a source whose size was not known: s->size says it then. */
MU_MUST bool mu_source_some(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got,
                            struct mu_error *err);
/* `source_changed` if size, time of change or identity are not what they were when it was opened. */
MU_MUST bool mu_source_unchanged(struct mu_source *s, struct mu_error *err);
void mu_source_close(struct mu_source *s);
MU_DEFINE_AUTO(struct mu_source, mu_source_close)

/* ---- between the files of this folder ---- */
extern const struct mu_source_kind mu_source_file, mu_source_object, mu_source_http, mu_source_https;

/* The data roots, in the order of the configuration. */
struct mu_root {
    char *path;
    bool seen; /* it has been there once: then its device is known */
    uint64_t device;
};
struct mu_sources {
    struct mu_root roots[MU_QUEUES_MAX];
    size_t count;
    const struct mu_config *config;
    struct mu_bus *bus; /* NULL: none */
    bool (*go_on)(void *ctx);
    void *ctx;
};
/* Is the root there, on the device where it was first seen, with its marker? */
bool mu_root_ready(const struct mu_sources *all, struct mu_root *root, struct mu_error *err);
/* Asked while something is waited for or skipped. */
MU_MUST bool mu_sources_go_on(const struct mu_sources *all, struct mu_error *err);

#endif
