/* SPDX-License-Identifier: Apache-2.0 */
#include "heads.h"
#include "base/log.h"
#include "format/json.h"
#include "statements.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

/* One line, on disk when this returns true. Half a line (a full disk) is taken back: nobody could read what follows it. */
static bool append(const char *path, struct mu_span line, struct mu_error *err)
{
    int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    const off_t end = fd >= 0 ? lseek(fd, 0, SEEK_END) : -1;
    const ssize_t written = fd >= 0 ? write(fd, line.at, line.len) : -1;
    bool fine = written == (ssize_t)line.len && fdatasync(fd) == 0;
    if (!fine)
        mu_fail(err, MU_UNAVAILABLE, "%s: %s", path, written >= 0 && written < (ssize_t)line.len ? "no room" : strerror(errno));
    if (written > 0 && !fine && end >= 0)
        (void)!ftruncate(fd, end);
    if (fd >= 0)
        close(fd);
    return fine;
}

bool heads_note(struct heads *h, struct mu_error *err)
{
    MU_AUTO(mu_rows_free) struct mu_rows *rows = NULL;
    MU_AUTO(mu_text_free) struct mu_text line = {0};
    struct mu_error why = {0};
    mu_args_reset(h->d->args);
    mu_arg_i64(h->d->args, h->told_seq);
    if (!mu_store_run(h->d->store, SQL_AUDIT_HEAD, h->d->args, &rows, err))
        return false;
    if (!mu_rows_count(rows))
        return true;
    mu_text_putc(&line, '{');
    mu_json_put_int(&line, "seq", mu_row_i64(rows, 0, 0));
    mu_json_put_text(&line, "hash", mu_row_text(rows, 0, 1));
    mu_json_put_text(&line, "at", mu_row_text(rows, 0, 2));
    mu_text_puts(&line, "}\n");
    if (!mu_text_ok(&line, err))
        return false;
    const char *path = h->d->config->audit_head_file;
    if (path[0] && !append(path, mu_text_span(&line), &why)) {
        mu_log(MU_LOG_ERROR, "could not note the head of the audit trail, trying again", MU_F("reason", why.text),
               MU_F("hint", "audit.head_file must be a file that the dispatcher may append to"));
        return true;
    }
    h->told_seq = mu_row_i64(rows, 0, 0);
    return true;
}
