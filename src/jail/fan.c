#include "jail/fan.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "jail/policy.h"

#define WATCHED (FAN_OPEN | FAN_OPEN_EXEC | FAN_CLOSE_WRITE | FAN_ONDIR)
#define ROOM 16384 /* bytes of events at a time */

static int make_group(void)
{
    return fanotify_init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK, O_RDONLY | O_CLOEXEC);
}

bool fan_is_there(void)
{
    AUTO_FD fd = make_group(); /* marks on mounts need the same right */

    return fd >= 0;
}

/* A mount inside is found as a program inside would: an absolute link starts from the sandbox's root. */
static bool mark(struct fan *f, int root, const char *path, bool *there, struct err *e)
{
    struct open_how how = { .flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
    AUTO_FD fd = (int)syscall(SYS_openat2, root, path, &how, sizeof how);
    char name[64];

    *there = fd >= 0;
    if (!*there)
        return true; /* may_lack, or covered */
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    return fanotify_mark(f->fd, FAN_MARK_ADD | FAN_MARK_MOUNT, WATCHED, AT_FDCWD, name) == 0 ||
           err_sys(e, "watch the mount at '%s' of the sandbox", path);
}

static bool is_mount(const struct jail_path *x)
{
    return x->access == JAIL_READ || x->access == JAIL_WRITE || x->access == JAIL_OVERLAY || x->access == JAIL_PRIVATE;
}

static bool open_of(pid_t pid, const char *what, int flags, int *out, struct err *e)
{
    char path[64];

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, what);
    return fd_open(AT_FDCWD, path, flags, 0, out, e);
}

bool fan_open(struct fan *f, pid_t pid, const struct jail_policy *p, struct err *e)
{
    bool there, any = false;
    AUTO_FD root = -1;

    *f = (struct fan){ .fd = make_group(), .mounts = -1 };
    asked_init(&f->asked);
    bool ok = (f->fd >= 0 || err_sys(e, "make a group of fanotify")) &&
              open_of(pid, "ns/mnt", O_RDONLY, &f->mounts, e) && open_of(pid, "root", O_PATH | O_DIRECTORY, &root, e);

    for (size_t i = 0; i < p->n_paths && ok; i++) {
        if (!is_mount(&p->path[i]))
            continue;
        ok = mark(f, root, p->path[i].path.p, &there, e);
        any |= there;
    }
    if (ok && !any)
        ok = err_set(e, ERR_IO, "no mount of the sandbox was found");
    if (!ok)
        fan_close(f);
    return ok;
}

void fan_close(struct fan *f)
{
    fd_close(&f->fd);
    fd_close(&f->mounts);
    asked_clear(&f->asked);
}

static void tell_one(struct fan *f, const char *path, size_t n, enum asked_how how,
                     void (*tell)(void *ctx, const struct asked_item *item), void *ctx)
{
    struct asked_item item = { .how = how, .what = { path, n }, .count = 1 };

    if (asked_add(&f->asked, &item))
        tell(ctx, &item);
}

/* The path is the one inside: the root that it is reached from is not ours. */
static void take(struct fan *f, const struct fanotify_event_metadata *m,
                 void (*tell)(void *ctx, const struct asked_item *item), void *ctx)
{
    static const struct {
        uint64_t mask;
        enum asked_how how;
    } kinds[] = { { FAN_OPEN_EXEC, ASKED_EXEC }, { FAN_OPEN, ASKED_READ }, { FAN_CLOSE_WRITE, ASKED_WRITE } };
    char name[64], where[PATH_MAX];
    AUTO_FD fd = m->fd;

    if (m->fd < 0 || (m->mask & FAN_Q_OVERFLOW)) {
        f->lost++;
        return;
    }
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(name, where, sizeof where);

    if (n <= 0 || where[0] != '/') {
        f->lost++;
        return;
    }
    for (size_t i = 0; i < COUNT(kinds); i++)
        if (m->mask & kinds[i].mask)
            tell_one(f, where, (size_t)n, kinds[i].how, tell, ctx);
}

bool fan_step(struct fan *f, void (*tell)(void *ctx, const struct asked_item *item), void *ctx)
{
    _Alignas(struct fanotify_event_metadata) char room[ROOM];
    ssize_t n;

    while ((n = read(f->fd, room, sizeof room)) > 0) {
        struct fanotify_event_metadata *m = (void *)room; /* the macros of the kernel know no const */

        for (; FAN_EVENT_OK(m, n); m = FAN_EVENT_NEXT(m, n)) {
            if (m->vers != FANOTIFY_METADATA_VERSION)
                return false;
            take(f, m, tell, ctx);
        }
    }
    if (n < 0 && errno != EAGAIN && errno != EINTR)
        f->lost++; /* such as a file that this process has no room to open */
    return n < 0 && (errno == EAGAIN || errno == EINTR || errno == EMFILE || errno == ENFILE);
}

void fan_serve(struct fan *f, int stop, void (*tell)(void *ctx, const struct asked_item *item), void *ctx)
{
    for (bool on = true; on;) {
        struct pollfd p[2] = { { f->fd, POLLIN, 0 }, { stop, POLLIN, 0 } };

        if (poll(p, 2, -1) < 0)
            continue;
        on = !p[1].revents;
        if (!fan_step(f, tell, ctx))
            return;
    }
}
