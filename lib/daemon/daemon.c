/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/daemon.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

static atomic_bool stop_asked;
static int wake_fd = -1;
static _Atomic(void (*)(void *)) wake_function;
static _Atomic(void *) wake_context;

static void wake(void)
{
    uint64_t one = 1;
    void (*function)(void *) = atomic_load(&wake_function);
    if (wake_fd >= 0)
        (void)!write(wake_fd, &one, sizeof(one));
    if (function)
        function(atomic_load(&wake_context));
}

static void on_signal(int number)
{
    (void)number;
    int saved = errno;
    atomic_store(&stop_asked, true);
    wake();
    errno = saved;
}

bool mu_daemon_init(struct mu_error *err)
{
    wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (wake_fd < 0)
        return mu_fail(err, MU_BROKEN, "could not make an eventfd: %s", strerror(errno));
    struct sigaction stop = {.sa_handler = on_signal, .sa_flags = SA_RESTART};
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigemptyset(&stop.sa_mask);
    if (sigaction(SIGTERM, &stop, NULL) != 0 || sigaction(SIGINT, &stop, NULL) != 0 ||
        sigaction(SIGPIPE, &ignore, NULL) != 0)
        return mu_fail(err, MU_BROKEN, "could not install signal handlers: %s", strerror(errno));
    return true;
}

bool mu_daemon_should_stop(void)
{
    return atomic_load(&stop_asked);
}

void mu_daemon_stop(void)
{
    atomic_store(&stop_asked, true);
    wake();
}

void mu_daemon_on_signal(void (*function)(void *), void *ctx)
{
    atomic_store(&wake_function, NULL);
    atomic_store(&wake_context, ctx);
    atomic_store(&wake_function, function);
}

bool mu_daemon_wait(int64_t wait_ms)
{
    int64_t until = mu_clock_ms() + wait_ms;
    while (!mu_daemon_should_stop()) {
        int64_t left = until - mu_clock_ms();
        if (left <= 0)
            return true;
        struct pollfd fd = {.fd = wake_fd, .events = POLLIN};
        if (poll(&fd, 1, left > INT32_MAX ? INT32_MAX : (int)left) > 0) {
            uint64_t count;
            (void)!read(wake_fd, &count, sizeof(count));
        }
    }
    return false;
}

/* One datagram to systemd's socket; without one there is nobody to tell. */
static void notify(const char *text)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    if (!path || (path[0] != '/' && path[0] != '@') || !mu_copy_text(to.sun_path, sizeof(to.sun_path), mu_span_of(path)))
        return;
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path));
    if (path[0] == '@')
        to.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    (void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&to, len);
    close(fd);
}

void mu_daemon_ready(void)
{
    notify("READY=1");
}

void mu_daemon_status(const char *text)
{
    char line[400];
    snprintf(line, sizeof(line), "STATUS=%s", text);
    notify(line);
}

void mu_daemon_alive(void)
{
    static int64_t last_ms;
    const char *text = getenv("WATCHDOG_USEC");
    int64_t usec;
    if (!text || !mu_parse_i64(mu_span_of(text), 1, INT64_MAX, &usec))
        return;
    int64_t now = mu_clock_ms();
    if (last_ms && now - last_ms < usec / 3000)
        return;
    last_ms = now;
    notify("WATCHDOG=1");
}

void mu_daemon_stopping(void)
{
    notify("STOPPING=1");
}

int mu_exit_status(const struct mu_error *err)
{
    if (err->fault == MU_OK)
        return MU_EXIT_OK;
    mu_log_failure(MU_LOG_ERROR, err, "stopping");
    return MU_EXIT_FAULT;
}

void mu_daemon_abort(void)
{
    _exit(MU_EXIT_FAULT);
}
