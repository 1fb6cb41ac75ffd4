/* SPDX-License-Identifier: Apache-2.0 */
#include "check_source.h"
#include "domain/names.h"
#include "domain/uri.h"
#include "engine/description.h"
#include "format/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10)

static bool failed(struct mu_error *err, const char *what)
{
    return mu_fail(err, MU_BROKEN, "could not %s: %s", what, strerror(errno));
}

/* A file that nobody else sees, and that is gone with its descriptor. */
static int open_nameless(struct mu_error *err)
{
    const char *folder = getenv("TMPDIR");
    char path[4096];
    int fd = open(folder && *folder ? folder : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (fd >= 0)
        return fd;
    (void)snprintf(path, sizeof(path), "%s/muster-XXXXXX", folder && *folder ? folder : "/tmp");
    fd = mkostemp(path, O_CLOEXEC);
    if (fd < 0)
        (void)failed(err, "make a temporary file");
    else
        (void)unlink(path);
    return fd;
}

static bool write_all(int fd, const char *at, size_t len, struct mu_error *err)
{
    while (len) {
        const ssize_t done = write(fd, at, len);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return failed(err, "write a temporary file (TMPDIR says where)");
        at += done;
        len -= (size_t)done;
    }
    return true;
}

/* Takes `from`. */
static bool spool(struct check_source *s, int from, struct mu_error *err)
{
    MU_AUTO(mu_free) char *piece = malloc(PIECE);
    ssize_t got = 1;
    s->fd = open_nameless(err);
    bool done = s->fd >= 0 && (piece || mu_fail(err, MU_BROKEN, "out of memory"));
    while (done && got) {
        got = read(from, piece, PIECE);
        if (got < 0 && errno == EINTR)
            got = 1;
        else if (got < 0)
            done = mu_reject(err, "source_unreadable", "", "could not read: %s", strerror(errno));
        else
            done = write_all(s->fd, piece, (size_t)got, err);
    }
    if (from != STDIN_FILENO)
        close(from);
    return done;
}

static bool hash(struct check_source *s, struct mu_error *err)
{
    MU_AUTO(mu_free) char *piece = malloc(PIECE);
    struct mu_sha sha;
    size_t got;
    if (!piece)
        return mu_fail(err, MU_BROKEN, "out of memory");
    mu_sha_init(&sha);
    for (int64_t at = 0; at < s->size; at += (int64_t)got) {
        if (!check_source_read(s, at, piece, PIECE, &got, err))
            return false;
        if (!got)
            return mu_reject(err, "source_changed", "", "it became shorter while it was read");
        mu_sha_add(&sha, mu_span(piece, got));
    }
    s->digest = mu_sha_end(&sha);
    return true;
}

bool check_source_open(struct check_source *s, const char *path, struct mu_error *err)
{
    const bool is_stdin = mu_span_is(mu_span_of(path), "-");
    struct stat st;
    s->fd = -1;
    const int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return mu_reject(err, errno == EACCES ? "permission" : "not_found", "", "could not open it: %s", strerror(errno));
    if (fstat(fd, &st) != 0 || S_ISDIR(st.st_mode)) {
        if (!is_stdin)
            close(fd);
        return mu_reject(err, "source_unreadable", "", "expected a file, found a directory");
    }
    if (!is_stdin && S_ISREG(st.st_mode))
        s->fd = fd;
    else if (!spool(s, fd, err))
        return false;
    if (fstat(s->fd, &s->noted) != 0)
        return failed(err, "look at the file");
    s->size = (int64_t)s->noted.st_size;
    return hash(s, err);
}

/* What the name says, as it would of a source that is submitted; standard input says nothing. */
struct spelling {
    char text[MU_URI_MAX];
    struct mu_uri uri;
};

static void spell(const char *path, struct spelling *out)
{
    struct mu_error ignored = {0};
    const bool is_stdin = mu_span_is(mu_span_of(path), "-");
    out->uri = (struct mu_uri){.stem = mu_span_of("stdin")};
    const int len = snprintf(out->text, sizeof(out->text), "file:%s", path);
    if (!is_stdin && len < (int)sizeof(out->text))
        (void)!mu_uri_parse(&out->uri, mu_span_of(out->text), &ignored);
}

static bool refuse_packed(const char *path, const struct mu_uri *uri, struct mu_error *err)
{
    if (!uri->compression)
        return true;
    (void)mu_reject(err, "invalid", "/source", "expected a file as it is, found one that is compressed");
    return mu_hint(err, "unpack it on the way: %s %.80s | muster check - --format csv …",
                   strcmp(uri->compression, "gzip") == 0 ? "zcat" : "zstdcat", path);
}

static bool no_format(struct mu_error *err)
{
    (void)mu_reject(err, "invalid", "/source/format", "the name does not say which format it has");
    return mu_hint(err, "add --format csv");
}

static bool check_form(const json_t *doc, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *job = json_pack("{s:s,s:O}", "pack", "check", "source", doc);
    if (!job)
        return mu_fail(err, MU_BROKEN, "out of memory");
    return mu_schema_check(mu_schema_builtin("job"), job, err);
}

bool check_source_describe(struct check_source *s, const char *path, const char *given, const char *format,
                           const struct mu_pack *pack, struct mu_error *err)
{
    MU_AUTO(mu_json_free) json_t *doc = NULL;
    char stem[256], name[MU_TOKEN_MAX];
    struct spelling spelling;
    spell(path, &spelling);
    if (!refuse_packed(path, &spelling.uri, err))
        return false;
    if (!given)
        doc = json_object();
    else if (!mu_json_parse(&doc, mu_span_of(given), (size_t)1 << 20, err))
        return mu_while(err, "--source");
    if (!json_is_object(doc))
        return mu_reject(err, "invalid", "/source", "expected an object in --source") ||
               mu_hint(err, "example: --source '{\"delimiter\": \";\", \"missing\": [\"NULL\"]}'");
    if (!format && !json_object_get(doc, "format") && !(format = spelling.uri.format))
        return no_format(err);
    if (format)
        json_object_set_new(doc, "format", json_string(format));
    (void)snprintf(stem, sizeof(stem), "%.*s", spelling.uri.stem.len < 200 ? (int)spelling.uri.stem.len : 200, spelling.uri.stem.at);
    mu_token_from(stem, name);
    if (!json_object_get(doc, "name"))
        json_object_set_new(doc, "name", json_string(name));
    if (!json_object_get(doc, "uri"))
        json_object_set_new(doc, "uri", json_string("file:here")); /* the form asks for one; nobody reads it */
    if (!check_form(doc, err))
        return false;
    if (!mu_description_check(doc, pack, err))
        return mu_under(err, strncmp(err->pointer, "/source", 7) == 0 ? "" : "/source");
    s->doc = MU_GIVE(doc);
    return true;
}

bool check_source_read(const struct check_source *s, int64_t at, char *to, size_t len, size_t *got, struct mu_error *err)
{
    size_t done = 0;
    while (done < len) {
        const ssize_t n = pread(s->fd, to + done, len - done, (off_t)(at + (int64_t)done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return mu_reject(err, "source_unreadable", "", "could not read at byte %lld: %s", (long long)at, strerror(errno));
        if (!n)
            break;
        done += (size_t)n;
    }
    *got = done;
    return true;
}

bool check_source_unchanged(const struct check_source *s, struct mu_error *err)
{
    struct stat now;
    if (fstat(s->fd, &now) != 0)
        return failed(err, "look at the file");
    if (now.st_size == s->noted.st_size && now.st_mtim.tv_sec == s->noted.st_mtim.tv_sec &&
        now.st_mtim.tv_nsec == s->noted.st_mtim.tv_nsec)
        return true;
    return mu_reject(err, "source_changed", "", "it changed while it was read") || mu_hint(err, "check a copy that nobody writes to");
}

void check_source_close(struct check_source *s)
{
    if (s->fd >= 0)
        close(s->fd);
    json_decref(s->doc);
    s->fd = -1;
    s->doc = NULL;
}
