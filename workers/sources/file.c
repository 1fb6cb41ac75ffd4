/* SPDX-License-Identifier: Apache-2.0 */
/* `file:` below the data roots. A path is resolved by the kernel beneath its root (openat2, RESOLVE_BENEATH),
 * so that neither "..", nor a symbolic link, nor one that is changed meanwhile, leads out. Where the kernel
 * or a sandbox has no openat2 the path is walked name by name, and links and ".." are refused altogether. */
#include "sources/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct file {
    struct mu_source base;
    int fd;
    struct stat noted;
};

#define FLAGS (O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY) /* a FIFO must not hold us up */

/* Name by name, without following anything. */
static int walk_beneath(int root, const char *path)
{
    int at = dup(root);
    while (at >= 0) {
        char name[NAME_MAX + 1];
        path += strspn(path, "/");
        size_t len = strcspn(path, "/");
        bool last = path[len + strspn(path + len, "/")] == '\0';
        if (len > NAME_MAX || !mu_copy_text(name, sizeof(name), mu_span(path, len))) {
            close(at);
            errno = ENAMETOOLONG;
            return -1;
        }
        if (strcmp(name, "..") == 0) {
            close(at);
            errno = EXDEV;
            return -1;
        }
        int next = openat(at, len ? name : ".",
                          last ? FLAGS | O_NOFOLLOW : O_PATH | O_CLOEXEC | O_NOFOLLOW | O_DIRECTORY);
        int saved = errno == ELOOP ? EXDEV : errno;
        close(at);
        errno = saved;
        if (last || next < 0)
            return next;
        path += len;
        at = next;
    }
    return -1;
}

static int open_beneath(int root, const char *path)
{
    struct open_how how = {.flags = FLAGS, .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS};
    long fd = -1;
    for (int tries = 0; tries < 16; tries++) { /* EAGAIN: a rename was under way */
        fd = syscall(SYS_openat2, root, path, &how, sizeof(how));
        if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
            break;
    }
    if (fd < 0 && (errno == ENOSYS || errno == EPERM))
        return walk_beneath(root, path);
    return (int)fd;
}

/* What the failure of an open means; ENOENT is left to the caller, which has other roots to try. */
static bool refuse(struct mu_error *err, int number, struct mu_span path)
{
    int len = path.len > 200 ? 200 : (int)path.len;
    switch (number) {
    case EXDEV:
        return mu_reject(err, "path_refused", "/source/uri", "%.*s leads out of the data roots", len,
                         path.at);
    case EISDIR:
    case ENXIO: /* a socket, a FIFO without a writer */
        return mu_reject(err, "source_not_file", "", "%.*s is no regular file", len, path.at);
    case EIO:
    case ESTALE:
    case ETIMEDOUT:
    case EHOSTDOWN:
    case ENOTCONN:
    case EMFILE:
    case ENFILE:
    case ENOMEM:
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "could not open %.*s: %s", len, path.at,
                            strerror(number));
    default:
        return mu_reject(err, "source_unreadable", "", "could not open %.*s: %s", len, path.at,
                         strerror(number));
    }
}

static bool give(struct mu_source **out, int fd, struct mu_span path, struct mu_error *err)
{
    struct file *f = calloc(1, sizeof(*f));
    if (!f || fstat(fd, &f->noted) != 0) {
        free(f);
        close(fd);
        return mu_fail(err, MU_BROKEN, "could not look at the source: %s", strerror(errno));
    }
    if (!S_ISREG(f->noted.st_mode)) {
        free(f);
        close(fd);
        return refuse(err, EISDIR, path);
    }
    f->base = (struct mu_source){.kind = &mu_source_file, .size = f->noted.st_size, .seekable = true};
    f->fd = fd;
    (void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
    *out = &f->base;
    return true;
}

/* The part of an absolute path below a root, or NULL. */
static const char *below(const struct mu_root *root, const char *path)
{
    size_t len = strlen(root->path);
    if (strncmp(path, root->path, len) != 0)
        return NULL;
    if (len == 1) /* "/" */
        return path + 1;
    return path[len] == '/' ? path + len + 1 : NULL;
}

/* Missing is an outcome only if all roots are there as they were: a missing mount would end the whole queue
 * in `source_missing`. */
static bool missing(struct mu_sources *all, struct mu_span path, struct mu_error *err)
{
    if (!mu_sources_ready(all, err))
        return false;
    return mu_reject(err, "source_missing", "", "%.*s is below none of the data roots",
                     path.len > 200 ? 200 : (int)path.len, path.at);
}

static bool open_file(struct mu_source **out, struct mu_sources *all, const struct mu_uri *uri,
                      struct mu_error *err)
{
    char text[PATH_MAX];
    struct mu_span path = uri->rest;
    if (path.len > 2 && path.at[0] == '/' && path.at[1] == '/') { /* file:///absolute */
        path.at += 2;
        path.len -= 2;
    }
    if (!path.len || !mu_copy_text(text, sizeof(text), path))
        return mu_reject(err, "path_refused", "/source/uri", "the path is empty, too long, or holds a NUL");
    bool inside = text[0] != '/';
    for (size_t i = 0; i < all->count; i++) {
        const char *rest = text[0] == '/' ? below(&all->roots[i], text) : text;
        if (!rest)
            continue;
        inside = true;
        int root = open(all->roots[i].path, O_PATH | O_DIRECTORY | O_CLOEXEC);
        if (root < 0)
            continue; /* `missing` sees that the root is not there */
        rest += strspn(rest, "/");
        int fd = open_beneath(root, rest[0] ? rest : ".");
        int number = errno;
        close(root);
        if (fd >= 0)
            return give(out, fd, path, err);
        if (number != ENOENT && number != ENOTDIR)
            return refuse(err, number, path);
    }
    if (!all->count) /* another agent may have some */
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "this agent has no data roots");
    if (!inside)
        return mu_reject(err, "path_refused", "/source/uri", "%.*s is not below a data root",
                         path.len > 200 ? 200 : (int)path.len, path.at);
    return missing(all, path, err);
}

static bool read_file(struct mu_source *s, int64_t at, char *to, size_t len, size_t *got,
                      struct mu_error *err)
{
    struct file *f = (struct file *)(void *)s;
    size_t done = 0;
    while (done < len) {
        ssize_t n = pread(f->fd, to + done, len - done, at + (int64_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EIO || errno == ESTALE || errno == ETIMEDOUT || errno == EHOSTDOWN))
            return mu_fail_code(err, MU_UNAVAILABLE, "source_down",
                                "could not read the source at byte %lld: %s", (long long)(at + (int64_t)done),
                                strerror(errno));
        if (n < 0)
            return mu_reject(err, "source_unreadable", "", "could not read the source at byte %lld: %s",
                             (long long)(at + (int64_t)done), strerror(errno));
        if (n == 0)
            break;
        done += (size_t)n;
    }
    /* the kernel fetches what comes next while we look at this */
    (void)posix_fadvise(f->fd, at + (int64_t)done, (off_t)len, POSIX_FADV_WILLNEED);
    *got = done;
    return true;
}

static bool unchanged(struct mu_source *s, struct mu_error *err)
{
    struct file *f = (struct file *)(void *)s;
    struct stat now;
    if (fstat(f->fd, &now) != 0)
        return mu_fail_code(err, MU_UNAVAILABLE, "source_down", "could not look at the source: %s",
                            strerror(errno));
    if (now.st_size == f->noted.st_size && now.st_ino == f->noted.st_ino && now.st_dev == f->noted.st_dev &&
        now.st_mtim.tv_sec == f->noted.st_mtim.tv_sec && now.st_mtim.tv_nsec == f->noted.st_mtim.tv_nsec)
        return true;
    return mu_reject(err, "source_changed", "", "the source was changed while it was read");
}

static void close_file(struct mu_source *s)
{
    struct file *f = (struct file *)(void *)s;
    close(f->fd);
    free(f);
}

const struct mu_source_kind mu_source_file = {"file", open_file, read_file, unchanged, close_file};
