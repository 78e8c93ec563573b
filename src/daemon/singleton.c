#include "daemon/singleton.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "wire/seat.h"

#define PATIENCE_MS 10000

static bool take_start_lock(const struct seat *seat, struct arena *a, int *fd, struct err *e)
{
    const char *path = arena_printf(a, "%s/" SEAT_START, seat->state).p;

    return *fd >= 0 || (fd_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600, fd, e) && fd_lock(*fd, true, path, e));
}

static bool await_end(int former, const struct seat *seat, pid_t pid, struct err *e)
{
    uint64_t end = clock_ms() + PATIENCE_MS;

    for (uint64_t now; (now = clock_ms()) < end;) {
        struct pollfd p = { former, POLLIN, 0 };

        if (poll(&p, 1, (int)(end - now)) > 0)
            return true;
    }
    (void)err_set(e, ERR_DAEMON, "the daemon with pid %d holds %s/" SEAT_LOCK " and does not listen", (int)pid,
                  seat->state);
    return err_hint(e, "kill %d", (int)pid);
}

/* Is there a daemon that can be reached? Else the one that holds the lock is ending, or has lost its socket and ends
 * when it is told to look (SIGHUP). `own` is the name that the service manager gave to our socket, if any: a daemon
 * that had this name before has lost it. */
static bool await_former(const struct seat *seat, const char *own, struct arena *a, bool *runs, struct err *e)
{
    struct seat_holder h;
    AUTO_FD fd = -1;

    *runs = true;
    if (!seat_holder(seat, a, &h, e))
        return false;
    AUTO_FD former = h.pid ? pidfd_open(h.pid, 0) : -1;
    bool lost = own && str_eq(h.socket, str_of(own));

    if (former >= 0)
        (void)pidfd_send_signal(former, SIGHUP, NULL, 0); /* gone already: waiting for its end says so */
    if (h.socket.n && !lost && !seat_connect(arena_cstr(a, h.socket), &fd, e))
        return false;
    if (fd >= 0)
        return true;
    *runs = false;
    if (former >= 0)
        return await_end(former, seat, h.pid, e);
    return !h.held || err_set(e, ERR_DAEMON, "a daemon holds %s/" SEAT_LOCK " and cannot be reached", seat->state);
}

static bool take_lock(const struct seat *seat, const char *own, struct arena *a, int *fd, bool *taken, struct err *e)
{
    const char *path = arena_printf(a, "%s/" SEAT_LOCK, seat->state).p;
    bool runs = false;

    *taken = true;
    if (*fd >= 0)
        return true;
    if (!fd_open(AT_FDCWD, path, O_RDWR | O_CREAT, 0600, fd, e) || !fd_try_lock(*fd, true, taken, path, e))
        return false;
    if (*taken)
        return true;
    if (!await_former(seat, own, a, &runs, e))
        return false;
    return runs || fd_try_lock(*fd, true, taken, path, e);
}

/* The lock is ours, so whatever has the socket's name is left over, unless somebody listens there. */
static bool clear_name(const char *socket, struct err *e)
{
    AUTO_FD fd = -1;

    if (!seat_connect(socket, &fd, e))
        return false;
    if (fd >= 0) {
        (void)err_set(e, ERR_DAEMON, "another program listens on %s", socket);
        return err_hint(e, "systemctl --user stop blast.socket");
    }
    return unlink(socket) == 0 || errno == ENOENT || err_sys(e, "remove the stale %s", socket);
}

static const char *name_of(int fd, struct arena *a)
{
    struct sockaddr_un address = { 0 };
    socklen_t n = sizeof address;

    if (getsockname(fd, (struct sockaddr *)&address, &n) < 0 || address.sun_path[0] != '/')
        return NULL;
    return arena_cstr(a, (struct str){ address.sun_path, strnlen(address.sun_path, sizeof address.sun_path) });
}

static bool listen_there(const struct seat *seat, struct arena *a, struct singleton *s, struct err *e)
{
    struct stat st;

    s->socket = seat->socket;
    if (s->activated) {
        const char *name = name_of(s->listen_fd, a);

        if (!name)
            return err_set(e, ERR_DAEMON, "the service manager's socket has no name in the file system");
        s->socket = name;
    } else if (s->listen_fd < 0 && (!clear_name(s->socket, e) || !seat_listen(s->socket, &s->listen_fd, e))) {
        return false;
    }
    if (lstat(s->socket, &st) < 0)
        return err_sys(e, "stat %s", s->socket);
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return true;
}

/* Written over, then cut: an upgraded daemon writes what stands there already but for its build, and is read the while
 * by those who want to connect. */
static bool write_lock_file(const struct singleton *s, struct arena *a, struct err *e)
{
    struct str text = seat_lock_text(s->socket, a);

    if (lseek(s->lock_fd, 0, SEEK_SET) < 0)
        return err_sys(e, "write " SEAT_LOCK);
    return fd_write_all(s->lock_fd, text.p, text.n, SEAT_LOCK, e) &&
           (ftruncate(s->lock_fd, (off_t)text.n) == 0 || err_sys(e, "cut " SEAT_LOCK));
}

bool singleton_take(const struct seat *seat, struct arena *a, struct singleton *s, bool *taken, struct err *e)
{
    const char *own = s->activated ? name_of(s->listen_fd, a) : NULL;

    *taken = false;
    if (!seat_prepare(seat, e) || !take_start_lock(seat, a, &s->start_fd, e) ||
        !take_lock(seat, own, a, &s->lock_fd, taken, e) ||
        (*taken && (!listen_there(seat, a, s, e) || !write_lock_file(s, a, e))))
        return err_as(e, ERR_DAEMON, "be the one daemon");
    return true;
}

void singleton_ready(struct singleton *s)
{
    fd_close(&s->start_fd);
}

bool singleton_has_socket(const struct singleton *s)
{
    struct stat st;

    return lstat(s->socket, &st) == 0 && st.st_dev == s->device && st.st_ino == s->inode;
}

void singleton_leave(struct singleton *s)
{
    if (!s->activated && singleton_has_socket(s))
        (void)unlink(s->socket); /* a name that stays is found dead by the next one */
    fd_close(&s->listen_fd);
    singleton_ready(s);
}
