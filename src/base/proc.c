#include "base/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"

struct stream {
    int fd;
    struct buf *to; /* NULL: discard */
};

static bool set_up(const struct proc_spec *s, int out, int err, posix_spawn_file_actions_t *fa)
{
    return posix_spawn_file_actions_addopen(fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0) == 0 &&
           posix_spawn_file_actions_adddup2(fa, out, STDOUT_FILENO) == 0 &&
           posix_spawn_file_actions_adddup2(fa, err, STDERR_FILENO) == 0 &&
           (!s->dir || posix_spawn_file_actions_addchdir_np(fa, s->dir) == 0);
}

static bool spawn(const struct proc_spec *s, int out, int err, pid_t *pid, struct err *e)
{
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t none;

    (void)posix_spawn_file_actions_init(&fa);
    (void)posix_spawnattr_init(&at);
    (void)sigemptyset(&none);
    (void)posix_spawnattr_setsigmask(&at, &none);
    (void)posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGMASK);
    char *const *env = s->env ? (char *const *)(uintptr_t)s->env : environ;
    int rc = set_up(s, out, err, &fa)
                 ? posix_spawnp(pid, s->argv[0], &fa, &at, (char *const *)(uintptr_t)s->argv, env)
                 : ENOMEM;

    (void)posix_spawnattr_destroy(&at);
    (void)posix_spawn_file_actions_destroy(&fa);
    errno = rc;
    return rc == 0 || err_sys(e, "start %s", s->argv[0]);
}

/* One read; false with *open cleared at the end of the stream, false with e set past the limit. */
static bool drain(struct stream *st, const char *name, struct err *e)
{
    char chunk[1 << 14];
    ssize_t k = read(st->fd, chunk, sizeof chunk);

    if (k < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (k <= 0) {
        fd_close(&st->fd);
        return true;
    }
    if (st->to && !buf_add(st->to, chunk, (size_t)k))
        return err_set(e, ERR_IO, "%s printed more than %zu bytes", name, st->to->limit);
    return true;
}

static bool too_long(const struct proc_spec *s, struct err *e)
{
    return err_set(e, ERR_IO, "%s ran for more than %g s", s->argv[0], s->timeout_ms / 1000.0);
}

static bool collect(const struct proc_spec *s, struct stream st[2], uint64_t end, struct err *e)
{
    while (st[0].fd >= 0 || st[1].fd >= 0) {
        struct pollfd p[2] = { { st[0].fd, POLLIN, 0 }, { st[1].fd, POLLIN, 0 } };
        uint64_t now = clock_ms();

        if (end && now >= end)
            return too_long(s, e);
        int n = poll(p, 2, end ? (int)(end - now) : -1);

        if (n < 0 && errno != EINTR)
            return err_sys(e, "wait for %s", s->argv[0]);
        for (int i = 0; n > 0 && i < 2; i++)
            if (p[i].revents && !drain(&st[i], s->argv[0], e))
                return false;
    }
    return true;
}

/* Both streams are at their end, which does not mean that the child is. */
static bool await_end(const struct proc_spec *s, pid_t pid, uint64_t end, struct err *e)
{
    AUTO_FD fd = end ? pidfd_open(pid, 0) : -1;
    struct pollfd p = { fd, POLLIN, 0 };

    for (uint64_t now; fd >= 0 && (now = clock_ms()) < end;) {
        int n = poll(&p, 1, (int)(end - now));

        if (n > 0)
            return true;
        if (n < 0 && errno != EINTR)
            return err_sys(e, "wait for %s", s->argv[0]);
    }
    return fd < 0 || too_long(s, e);
}

bool proc_run(const struct proc_spec *s, int *status, struct err *e)
{
    int po[2], pe[2];
    pid_t pid;
    int ws = 0;

    if (pipe2(po, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe for %s", s->argv[0]);
    AUTO_FD out_r = po[0], out_w = po[1];

    if (pipe2(pe, O_CLOEXEC) < 0)
        return err_sys(e, "make a pipe for %s", s->argv[0]);
    AUTO_FD err_r = pe[0], err_w = pe[1];

    if (!spawn(s, out_w, err_w, &pid, e))
        return false;
    fd_close(&out_w);
    fd_close(&err_w);
    struct stream st[2] = { { out_r, s->out }, { err_r, s->err } };
    uint64_t end = s->timeout_ms ? clock_ms() + s->timeout_ms : 0;
    bool ok = collect(s, st, end, e) && await_end(s, pid, end, e);

    out_r = st[0].fd;
    err_r = st[1].fd;
    if (!ok)
        (void)kill(pid, SIGKILL); /* ours and not reaped yet, so the number is still its own */
    while (waitpid(pid, &ws, 0) < 0 && errno == EINTR)
        ;
    *status = WIFEXITED(ws) ? WEXITSTATUS(ws) : 128 + WTERMSIG(ws);
    return ok;
}
