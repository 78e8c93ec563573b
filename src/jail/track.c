#include "jail/track.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/filter.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "base/sysarch.h"

/* Newer than the headers of the oldest distribution we build on. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5) /* Linux 5.19 */
#endif
#ifndef SECCOMP_IOCTL_NOTIF_SET_FLAGS
#define SECCOMP_IOCTL_NOTIF_SET_FLAGS SECCOMP_IOW(4, __u64) /* Linux 6.6 */
#endif
#define FD_SYNC_WAKE_UP 1UL

#define NO (-1)         /* no such argument */
#define MIN_PAGE 4096u  /* a read that ends at a multiple of it crosses into no page that may not be there */

/* ------------------------------------------------------------ the calls */

enum look {
    LOOK_AS,      /* at a path, used as `how` says */
    LOOK_FLAGS,   /* at a path, used as the flags of open() say */
    LOOK_HOW,     /* ... as those in openat2()'s struct say */
    LOOK_ADDRESS  /* at a socket address */
};

/* Which arguments hold the path and the directory it starts from. */
struct call {
    int nr;
    enum look look;
    enum asked_how how;
    signed char dir, path, flags;
    signed char dir2, path2; /* of a rename or link */
};

#define ONE(name, dir, path) { SYS_##name, LOOK_AS, ASKED_WRITE, dir, path, NO, NO, NO }
#define TWO(name, dir, path, dir2, path2) { SYS_##name, LOOK_AS, ASKED_WRITE, dir, path, NO, dir2, path2 }

/* The most frequent first: the filter tests them in this order. */
static const struct call calls[] = {
    { SYS_openat, LOOK_FLAGS, ASKED_READ, 0, 1, 2, NO, NO },
#ifdef SYS_open
    { SYS_open, LOOK_FLAGS, ASKED_READ, NO, 0, 1, NO, NO },
#endif
    { SYS_connect, LOOK_ADDRESS, ASKED_CONNECT, NO, 1, 2, NO, NO },
    { SYS_bind, LOOK_ADDRESS, ASKED_LISTEN, NO, 1, 2, NO, NO },
    { SYS_execve, LOOK_AS, ASKED_EXEC, NO, 0, NO, NO, NO },
    { SYS_execveat, LOOK_AS, ASKED_EXEC, 0, 1, NO, NO, NO },
    { SYS_openat2, LOOK_HOW, ASKED_READ, 0, 1, 2, NO, NO },
    ONE(unlinkat, 0, 1),
    TWO(renameat2, 0, 1, 2, 3),
    ONE(mkdirat, 0, 1),
    ONE(symlinkat, 1, 2),
    { SYS_linkat, LOOK_AS, ASKED_WRITE, 2, 3, NO, NO, NO },
    ONE(mknodat, 0, 1),
    ONE(truncate, NO, 0),
    ONE(fchmodat, 0, 1),
    ONE(fchownat, 0, 1),
#ifdef SYS_renameat
    TWO(renameat, 0, 1, 2, 3),
#endif
#ifdef SYS_unlink
    ONE(unlink, NO, 0),
    TWO(rename, NO, 0, NO, 1),
    ONE(mkdir, NO, 0),
    ONE(rmdir, NO, 0),
    ONE(creat, NO, 0),
    ONE(symlink, NO, 1),
    { SYS_link, LOOK_AS, ASKED_WRITE, NO, 1, NO, NO, NO },
    ONE(mknod, NO, 0),
    ONE(chmod, NO, 0),
    ONE(chown, NO, 0),
    ONE(lchown, NO, 0),
#endif
};

_Static_assert(COUNT(calls) + 5 <= TRACK_PROGRAM_MAX, "the filter fits");

static const struct call *find_call(int nr)
{
    for (size_t i = 0; i < COUNT(calls); i++)
        if (calls[i].nr == nr)
            return &calls[i];
    return NULL;
}

/* ------------------------------------------------------------ the filter */

/* Calls of another architecture pass: their numbers mean other calls, and jail/seccomp.h ends who makes them. */
size_t track_program(struct sock_filter *out)
{
    size_t n = 0, yes = COUNT(calls) + 4;

    out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch));
    out[n++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYSARCH, 0, (unsigned char)(yes - 1 - 2));
    out[n++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
    for (size_t i = 0; i < COUNT(calls); i++, n++)
        out[n] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)calls[i].nr,
                                              (unsigned char)(yes - n - 1), 0);
    out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    out[n++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF);
    return n;
}

bool track_is_there(void)
{
    unsigned action = SECCOMP_RET_USER_NOTIF;
    struct seccomp_notif_sizes sizes;

    return SYSARCH != 0 && syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action) == 0 &&
           syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) == 0;
}

bool track_filter(int *listener, struct err *e)
{
    struct sock_filter program[TRACK_PROGRAM_MAX];
    struct sock_fprog p = { .len = (unsigned short)track_program(program), .filter = program };
    unsigned long flags = SECCOMP_FILTER_FLAG_NEW_LISTENER;

    /* A signal that comes while a call waits would end it with EINTR, which programs do not expect of an open. */
    int fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags | SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV, &p);

    if (fd < 0 && errno == EINVAL)
        fd = (int)syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &p);
    if (fd < 0)
        return err_sys(e, "load the filter that tracks system calls");
    *listener = fd;
    return true;
}

/* ------------------------------------------------------------ paths */

bool track_path(struct str dir, struct str path, char out[ASKED_WHAT_MAX], size_t *n)
{
    struct str part, from[2] = { path.n && path.p[0] == '/' ? STR("") : dir, path };

    if (from[0].n ? from[0].p[0] != '/' : !path.n || path.p[0] != '/')
        return false;
    *n = 0;
    for (size_t i = 0; i < COUNT(from); i++) {
        for (struct str rest = from[i]; str_next(&rest, '/', &part);) {
            if (part.n == 0 || str_eq(part, STR(".")))
                continue;
            if (str_eq(part, STR(".."))) {
                *n = str_rfind((struct str){ out, *n }, '/');
                continue;
            }
            if (part.n + 1 > ASKED_WHAT_MAX - *n)
                return false;
            out[(*n)++] = '/';
            memcpy(out + *n, part.p, part.n);
            *n += part.n;
        }
    }
    if (*n == 0)
        out[(*n)++] = '/';
    return true;
}

/* ------------------------------------------------------------ the caller */

static ssize_t read_memory(pid_t pid, uint64_t at, void *to, size_t n)
{
    struct iovec here = { to, n }, there = { (void *)(uintptr_t)at, n };

    return process_vm_readv(pid, &here, 1, &there, 1, 0);
}

/* A text up to its NUL; page by page, because what lies behind it need not be mapped. */
static bool read_text(pid_t pid, uint64_t at, char out[PATH_MAX], struct str *text)
{
    for (size_t n = 0; n < PATH_MAX;) {
        size_t ask = MIN(MIN_PAGE - (size_t)(at + n) % MIN_PAGE, PATH_MAX - n);
        ssize_t got = read_memory(pid, at + n, out + n, ask);

        if (got <= 0)
            return false;
        const char *end = memchr(out + n, '\0', (size_t)got);

        n += (size_t)got;
        if (end) {
            *text = (struct str){ out, (size_t)(end - out) };
            return true;
        }
    }
    return false;
}

/* Where a relative path starts. What has no path, such as a pipe, is not absolute. */
static bool read_dir(pid_t pid, int fd, char out[PATH_MAX], struct str *dir)
{
    char link[64];

    if (fd == AT_FDCWD)
        (void)snprintf(link, sizeof link, "/proc/%d/cwd", (int)pid);
    else
        (void)snprintf(link, sizeof link, "/proc/%d/fd/%d", (int)pid, fd);
    ssize_t n = readlink(link, out, PATH_MAX);

    *dir = (struct str){ out, n > 0 ? (size_t)n : 0 };
    return n > 0 && out[0] == '/';
}

struct found {
    struct asked_item item[2];
    char name[2][ASKED_WHAT_MAX];
    size_t n;
};

/* False when the caller cannot be looked at. */
static bool find_path(pid_t pid, int dirfd, uint64_t at, enum asked_how how, struct found *out)
{
    char text[PATH_MAX], dir[PATH_MAX];
    struct str path, from = STR("");
    size_t n;

    if (!read_text(pid, at, text, &path))
        return false;
    if (path.n && path.p[0] != '/' && !read_dir(pid, dirfd, dir, &from))
        return false;
    if (path.n && track_path(from, path, out->name[out->n], &n)) { /* an empty one is of the descriptor itself */
        out->item[out->n] = (struct asked_item){ .how = how, .what = { out->name[out->n], n }, .count = 1 };
        out->n++;
    }
    return true;
}

static bool find_address(pid_t pid, const struct seccomp_data *d, enum asked_how how, struct found *out)
{
    union {
        struct sockaddr any;
        struct sockaddr_in v4;
        struct sockaddr_in6 v6;
        struct sockaddr_un un;
    } a = { 0 };
    size_t length = MIN((size_t)d->args[2], sizeof a.un - 1); /* with a NUL behind a path that has none */
    char text[INET6_ADDRSTRLEN];
    bool six;

    if (length < sizeof a.any.sa_family || read_memory(pid, d->args[1], &a, length) != (ssize_t)length)
        return false;
    six = a.any.sa_family == AF_INET6;
    if (a.any.sa_family == AF_UNIX && a.un.sun_path[0]) {
        char dir[PATH_MAX];
        struct str from = STR(""), path = str_of(a.un.sun_path);
        size_t n;

        if (path.p[0] != '/' && !read_dir(pid, AT_FDCWD, dir, &from))
            return false;
        if (track_path(from, path, out->name[0], &n))
            out->item[out->n++] = (struct asked_item){
                .how = how == ASKED_LISTEN ? ASKED_WRITE : ASKED_SOCKET, .what = { out->name[0], n }, .count = 1
            };
    } else if (six || a.any.sa_family == AF_INET) {
        (void)inet_ntop(a.any.sa_family, six ? (const void *)&a.v6.sin6_addr : &a.v4.sin_addr, text, sizeof text);
        int n = snprintf(out->name[0], sizeof out->name[0], six ? "[%s]:%u" : "%s:%u", text,
                         ntohs(six ? a.v6.sin6_port : a.v4.sin_port));

        out->item[out->n++] = (struct asked_item){ .how = how, .what = { out->name[0], (size_t)n }, .count = 1 };
    }
    return true;
}

/* O_PATH gives no access to what is in a file. */
static bool find_opened(pid_t pid, int dirfd, uint64_t at, uint64_t flags, struct found *out)
{
    bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & (O_CREAT | O_TRUNC));

    return (flags & O_PATH) || find_path(pid, dirfd, at, writes ? ASKED_WRITE : ASKED_READ, out);
}

static bool find(pid_t pid, const struct call *c, const struct seccomp_data *d, struct found *out)
{
    int dirfd = c->dir == NO ? AT_FDCWD : (int)d->args[c->dir];
    uint64_t path = d->args[c->path];
    struct open_how how;

    switch (c->look) {
    case LOOK_FLAGS:
        return find_opened(pid, dirfd, path, d->args[c->flags], out);
    case LOOK_HOW:
        return read_memory(pid, d->args[c->flags], &how, sizeof how) == (ssize_t)sizeof how &&
               find_opened(pid, dirfd, path, how.flags, out);
    case LOOK_ADDRESS:
        return find_address(pid, d, c->how, out);
    case LOOK_AS:
        break;
    }
    return find_path(pid, dirfd, path, c->how, out) &&
           (c->path2 == NO || find_path(pid, c->dir2 == NO ? AT_FDCWD : (int)d->args[c->dir2], d->args[c->path2],
                                        c->how, out));
}

/* ------------------------------------------------------------ serving */

bool track_open(struct track *t, int listener, struct err *e)
{
    struct seccomp_notif_sizes sizes;

    *t = (struct track){ .listener = listener };
    asked_init(&t->asked);
    if (syscall(SYS_seccomp, SECCOMP_GET_NOTIF_SIZES, 0, &sizes) < 0) {
        (void)err_sys(e, "ask how the kernel tells of system calls");
        track_close(t);
        return false;
    }
    t->call_size = MAX(sizes.seccomp_notif, sizeof(struct seccomp_notif));
    t->answer_size = MAX(sizes.seccomp_notif_resp, sizeof(struct seccomp_notif_resp));
    t->call = mem_alloc(t->call_size);
    t->answer = mem_alloc(t->answer_size);
    (void)ioctl(listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, FD_SYNC_WAKE_UP); /* saves 1 us where it is known */
    return true;
}

void track_close(struct track *t)
{
    fd_close(&t->listener);
    asked_clear(&t->asked);
    free(t->call);
    free(t->answer);
    t->call = t->answer = NULL;
}

static void let_go_on(struct track *t, uint64_t id)
{
    struct seccomp_notif_resp *answer = t->answer;

    memset(answer, 0, t->answer_size);
    answer->id = id;
    answer->flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE;
    (void)ioctl(t->listener, SECCOMP_IOCTL_NOTIF_SEND, answer); /* who was killed meanwhile needs no answer */
}

/* The exec of the command, tried in the folders of PATH, by a process that nobody may read yet. */
static bool is_start(struct track *t, const struct seccomp_notif *call, bool looked)
{
    bool exec = call->data.nr == SYS_execve || call->data.nr == SYS_execveat;

    if (t->starter == 0)
        t->starter = call->pid;
    t->runs |= looked || !exec || call->pid != t->starter;
    return !t->runs;
}

bool track_step(struct track *t, void (*tell)(void *ctx, const struct asked_item *item), void *ctx)
{
    struct pollfd p = { t->listener, POLLIN, 0 };
    struct seccomp_notif *call = t->call;
    struct found found;

    if (poll(&p, 1, 0) < 0)
        return errno == EINTR;
    if (!(p.revents & POLLIN))
        return p.revents == 0; /* POLLHUP: nobody has the filter any more */
    memset(call, 0, t->call_size);
    if (ioctl(t->listener, SECCOMP_IOCTL_NOTIF_RECV, call) < 0)
        return errno == EINTR || errno == ENOENT; /* killed between the two */
    const struct call *c = find_call(call->data.nr);

    found.n = 0;
    bool looked = c && call->pid && find((pid_t)call->pid, c, &call->data, &found);

    /* Else the number may be another process's by now, and what was read its secrets. */
    looked = looked && ioctl(t->listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &call->id) == 0;
    let_go_on(t, call->id);
    t->unread += !is_start(t, call, looked) && !looked;
    for (size_t i = 0; looked && i < found.n; i++)
        if (asked_add(&t->asked, &found.item[i]))
            tell(ctx, &found.item[i]);
    return true;
}

void track_serve(struct track *t, void (*tell)(void *ctx, const struct asked_item *item), void *ctx)
{
    do {
        struct pollfd p = { t->listener, POLLIN, 0 };

        (void)poll(&p, 1, -1);
    } while (track_step(t, tell, ctx));
}
