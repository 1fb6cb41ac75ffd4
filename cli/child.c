/* SPDX-License-Identifier: Apache-2.0 */
#include "child.h"
#include "base/clock.h"
#include "base/text.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static char *path_of(const char *dir, const char *folder, const char *name, const char *ending)
{
    struct mu_text path = {0};
    mu_text_addf(&path, "%s/%s/%s%s", dir, folder, name, ending);
    return path.failed ? NULL : path.at;
}

bool child_init(struct child *c, const char *name, const char *dir, const char *const *argv, struct mu_error *err)
{
    *c = (struct child){.notify_fd = -1, .stop_signal = SIGTERM};
    if (!mu_copy_text(c->name, sizeof(c->name), mu_span_of(name)))
        return mu_fail(err, MU_BROKEN, "the name %s is too long", name);
    c->log_path = path_of(dir, "log", name, ".log");
    c->notify_path = path_of(dir, "run", name, ".sock");
    bool complete = c->log_path && c->notify_path;
    for (size_t i = 0; argv[i] && complete; i++) {
        complete = i + 1 < CHILD_ARGS_MAX && (c->argv[i] = strdup(argv[i])) != NULL;
    }
    if (!complete) {
        child_fini(c);
        return mu_fail(err, MU_BROKEN, "out of memory for the process %s", name);
    }
    return true;
}

static bool open_notify(struct child *c, struct mu_error *err)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    if (!mu_copy_text(at.sun_path, sizeof(at.sun_path), mu_span_of(c->notify_path)))
        return mu_fail(err, MU_BROKEN, "the path %s is too long for a socket; use a shorter directory", c->notify_path);
    unlink(c->notify_path);
    if (c->notify_fd >= 0)
        close(c->notify_fd);
    c->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (c->notify_fd < 0 || bind(c->notify_fd, (const struct sockaddr *)&at, sizeof(at)) != 0)
        return mu_fail(err, MU_BROKEN, "could not make the socket %s: %s", c->notify_path, strerror(errno));
    return true;
}

/* In the new process, up to the exec; what fails here shows in the log and as exit status 127. */
static void become(char *const *argv, const char *log_path, const char *notify_path, uid_t uid, gid_t gid, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    setpgid(0, 0); /* Ctrl-C in the terminal goes to the parent, which ends its children in order */
    int log = open(log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (log < 0 || null < 0 || dup2(null, 0) < 0 || dup2(log, 1) < 0 || dup2(log, 2) < 0)
        _exit(127);
    if (notify_path)
        setenv("NOTIFY_SOCKET", notify_path, 1);
    if (uid && (setgroups(0, NULL) != 0 || setgid(gid) != 0 || setuid(uid) != 0)) {
        perror("setuid");
        _exit(127);
    }
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* after setuid, which clears it */
    if (getppid() != parent)
        _exit(127);
    execvp(argv[0], argv);
    fprintf(stderr, "could not start %s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

bool child_start(struct child *c, struct mu_error *err)
{
    if (c->pid)
        return true;
    if (!open_notify(c, err))
        return false;
    pid_t parent = getpid(), pid = fork();
    if (pid < 0)
        return mu_fail(err, MU_BROKEN, "could not fork for %s: %s", c->name, strerror(errno));
    if (pid == 0)
        become(c->argv, c->log_path, c->notify_path, c->uid, c->gid, parent);
    c->pid = pid;
    c->ready = false;
    c->wanted = true;
    c->started_ms = mu_clock_ms();
    c->starts++;
    return true;
}

bool child_heard_ready(struct child *c)
{
    char text[512];
    ssize_t got;
    bool was = c->ready;
    while (c->notify_fd >= 0 && (got = recv(c->notify_fd, text, sizeof(text) - 1, 0)) > 0) {
        text[got] = '\0';
        if (strstr(text, "READY=1"))
            c->ready = true;
    }
    return c->ready && !was;
}

bool child_reap(struct child *c, char how[80])
{
    int status;
    if (!c->pid || waitpid(c->pid, &status, WNOHANG) != c->pid)
        return false;
    if (WIFSIGNALED(status))
        snprintf(how, 80, "killed by signal %d", WTERMSIG(status));
    else
        snprintf(how, 80, "ended with status %d", WEXITSTATUS(status));
    c->pid = 0;
    c->ready = false;
    return true;
}

void child_signal(const struct child *c, int number)
{
    if (c->pid)
        kill(c->pid, number);
}

/* Waits on a pidfd: no polling, no race with a reused pid. */
static bool wait_for_end(pid_t pid, int64_t wait_ms)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    if (fd < 0)
        return true;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int got = poll(&p, 1, (int)wait_ms);
    close(fd);
    return got > 0;
}

void child_stop(struct child *c, int64_t wait_ms)
{
    c->wanted = false;
    if (!c->pid)
        return;
    kill(c->pid, SIGCONT);
    kill(c->pid, c->stop_signal);
    if (!wait_for_end(c->pid, wait_ms))
        kill(c->pid, SIGKILL);
    waitpid(c->pid, NULL, 0);
    c->pid = 0;
    c->ready = false;
}

void child_fini(struct child *c)
{
    for (size_t i = 0; i < CHILD_ARGS_MAX; i++)
        free(c->argv[i]);
    free(c->log_path);
    free(c->notify_path);
    if (c->notify_fd >= 0)
        close(c->notify_fd);
    *c = (struct child){.notify_fd = -1};
}

bool child_run(const char *name, const char *dir, const char *const *argv, uid_t uid, gid_t gid, struct mu_error *err)
{
    struct child c;
    if (!child_init(&c, name, dir, argv, err))
        return false;
    pid_t parent = getpid(), pid = fork();
    if (pid == 0)
        become(c.argv, c.log_path, NULL, uid, gid, parent);
    int status = -1;
    bool done = pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!done)
        mu_fail(err, MU_BROKEN, "%s failed; its log is %s", name, c.log_path);
    child_fini(&c);
    return done;
}
