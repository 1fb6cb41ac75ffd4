/* SPDX-License-Identifier: Apache-2.0 */
/* Where the bytes of a task come from. A kind of source (`file:` now) is a constant table of functions in one
 * list, chosen by the scheme of the URI. Faults say what follows: MU_REJECTED with a reason of PROTOCOL §2 in
 * err->code
 * (`path_refused`, `source_missing`, `source_not_file`, `source_unreadable`, `source_changed`) is an outcome;
 * MU_UNAVAILABLE with code `source_down` means that the source cannot be had for now, and the task is
 * deferred. */
#ifndef MU_SOURCE_H
#define MU_SOURCE_H

#include "base/error.h"
#include "format/config.h"

struct mu_source;
struct mu_sources;

struct mu_source_kind {
    const char *scheme; /* "file" */
    bool (*open)(struct mu_source **out, struct mu_sources *all, struct mu_span path, struct mu_error *err);
    /* Up to `len` bytes at an offset; fewer only at the end. */
    bool (*read)(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got, struct mu_error *err);
    bool (*unchanged)(struct mu_source *s, struct mu_error *err);
    void (*close)(struct mu_source *s);
};
struct mu_source { /* first member of each kind's own struct */
    const struct mu_source_kind *kind;
    int64_t size; /* in bytes, as noted when it was opened */
};

/* Notes each data root (device, marker). A root that is not there is no failure: see mu_sources_ready. */
MU_MUST bool mu_sources_new(struct mu_sources **out, const struct mu_config *config, struct mu_error *err);
/* Are all roots there, as they were first seen? If not, err (may be NULL) says which one is missing: a task
 * would only be deferred, so none is pulled. */
bool mu_sources_ready(struct mu_sources *all, struct mu_error *err);
void mu_sources_free(struct mu_sources *all);
MU_DEFINE_AUTO(struct mu_sources, mu_sources_free)

MU_MUST bool mu_source_open(struct mu_source **out, struct mu_sources *all, struct mu_span uri,
                            struct mu_error *err);
/* Exactly `len` bytes at an offset; a source that has become shorter is `source_changed`. */
MU_MUST bool mu_source_read(struct mu_source *s, int64_t at, char *to, size_t len, struct mu_error *err);
/* `source_changed` if size, time of change or identity are not what they were when it was opened. */
MU_MUST bool mu_source_unchanged(struct mu_source *s, struct mu_error *err);
void mu_source_close(struct mu_source *s);
MU_DEFINE_AUTO(struct mu_source, mu_source_close)

extern const struct mu_source_kind mu_source_file;

/* The data roots, in the order of the configuration. */
struct mu_root {
    char *path;
    bool seen; /* it has been there once: then its device is known */
    uint64_t device;
};
struct mu_sources {
    struct mu_root roots[MU_QUEUES_MAX];
    size_t count;
    const char *marker; /* borrowed from the configuration; "": none */
};
/* Is the root there, on the device where it was first seen, with its marker? */
bool mu_root_ready(const struct mu_sources *all, struct mu_root *root, struct mu_error *err);

#endif
