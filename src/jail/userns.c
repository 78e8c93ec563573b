#include "jail/userns.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"

/* Above what systemd and subuid files hand out (1879048191 is the last of its containers), below 2^31. */
#define SPARE_BASE 1879113728u
#define HOLD_STACK 16384

uid_t userns_spare_id(pid_t pid)
{
    return SPARE_BASE + (uid_t)pid; /* pid_max is at most 2^22 */
}

static bool write_proc(pid_t pid, const char *name, const char *text, struct err *e)
{
    char path[64];
    AUTO_FD fd = -1;

    (void)snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fd_open(AT_FDCWD, path, O_WRONLY, 0, &fd, e) && fd_write_all(fd, text, strlen(text), path, e);
}

bool userns_write_maps(pid_t pid, const struct userns_map *m, struct err *e)
{
    char users[64], groups[64];

    (void)snprintf(users, sizeof users, "%u %u 1\n", m->inside, m->outside);
    (void)snprintf(groups, sizeof groups, "%u %u 1\n", m->gid_inside, m->gid_outside);
    /* As an ordinary user the kernel wants it so: else a group could be left that something is denied to. */
    if (!m->keep_groups && !write_proc(pid, "setgroups", "deny", e))
        return false;
    return write_proc(pid, "uid_map", users, e) && write_proc(pid, "gid_map", groups, e);
}

/* Whoever made it may be killed at any moment, and nobody else knows of it. */
static int hold(void *maker)
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0 || getppid() != *(const pid_t *)maker)
        return 1;
    while (pause() < 0)
        ;
    return 0;
}

/* A namespace is made with a process. This one shares our memory, which nothing then copies; it only waits. */
bool userns_for_owner(uid_t uid, gid_t gid, uid_t to, int *fd, struct err *e)
{
    static _Alignas(16) char stack[HOLD_STACK];
    pid_t maker = getpid(), pid = clone(hold, stack + sizeof stack, CLONE_VM | CLONE_NEWUSER | SIGCHLD, &maker);
    char path[64];

    if (pid < 0)
        return err_sys(e, "make a user namespace for a mount");
    struct userns_map m = { .inside = uid, .outside = to, .gid_inside = gid, .gid_outside = to, .keep_groups = true };
    (void)snprintf(path, sizeof path, "/proc/%d/ns/user", (int)pid);
    bool ok = userns_write_maps(pid, &m, e) && fd_open(AT_FDCWD, path, O_RDONLY, 0, fd, e);

    (void)kill(pid, SIGKILL);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        ;
    return ok;
}
