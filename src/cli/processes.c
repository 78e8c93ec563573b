#include "cli/processes.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define ENVIRON_MAX ((size_t)2 << 20)
#define NAMED 5u /* processes that a question names */

static bool belongs(int proc, const char *pid, const struct str *env, size_t n)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct str text, one;
    char path[64];

    (void)snprintf(path, sizeof path, "%.20s/environ", pid);
    if (!fd_read_if_there(proc, path, ENVIRON_MAX, &a, &text, &ignored) || !text.p)
        return false;
    while (str_next(&text, '\0', &one)) {
        if (!str_cut_prefix(&one, STR("VIRTUAL_ENV=")))
            continue;
        for (size_t i = 0; i < n; i++)
            if (str_eq(one, env[i]))
                return true;
    }
    return false;
}

/* A command of Blast waits for what runs in a sandbox: that is what is asked about, and its end is the end of both. */
static bool is_blast(int proc, const char *pid)
{
    struct stat own, other;
    char path[64];

    (void)snprintf(path, sizeof path, "%.20s/exe", pid);
    return stat("/proc/self/exe", &own) == 0 && fstatat(proc, path, &other, 0) == 0 && own.st_dev == other.st_dev &&
           own.st_ino == other.st_ino;
}

static bool is_ancestor(long pid)
{
    long at = (long)getpid();

    for (unsigned depth = 0; at > 1 && depth < 256; depth++) {
        char path[64], text[512];
        AUTO_FD fd = -1;

        if (at == pid)
            return true;
        (void)snprintf(path, sizeof path, "/proc/%ld/stat", at);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

        if (n <= 0)
            return false;
        text[n] = '\0';
        const char *end = strrchr(text, ')');

        if (!end || sscanf(end + 1, " %*c %ld", &at) != 1) // NOLINT(cert-err34-c): checked
            return false;
    }
    return false;
}

static void name_of(int proc, const char *pid, char out[32])
{
    char path[64];
    AUTO_FD fd = -1;

    (void)snprintf(path, sizeof path, "%.20s/comm", pid);
    fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? 0 : read(fd, out, 31);

    n = MAX(n, 0);
    while (n && out[n - 1] == '\n')
        n--;
    out[n] = '\0';
    for (char *c = out; *c; c++)
        if ((unsigned char)*c < ' ' || *c == 0x7f)
            *c = '?';
}

bool processes_find(const struct str *env, size_t n, struct arena *a, struct processes *out, struct err *e)
{
    AUTO_FD proc = -1;
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (!out->p)
        out->p = ARENA_ARRAY(a, struct process, PROCESSES_MAX);
    if (!fd_open_dir(AT_FDCWD, "/proc", &proc, e) || !file_list_open(AT_FDCWD, "/proc", &list, e))
        return false;
    while (out->n < PROCESSES_MAX && file_list_next(&list, &d, e)) {
        uint64_t pid;
        struct stat st;

        if (!str_to_u64(str_of(d->d_name), &pid) || fstatat(proc, d->d_name, &st, 0) < 0 || st.st_uid != geteuid() ||
            is_ancestor((long)pid))
            continue;
        int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

        if (fd < 0 || !belongs(proc, d->d_name, env, n) || is_blast(proc, d->d_name)) {
            fd_close(&fd);
            continue;
        }
        struct process *p = &out->p[out->n++];

        *p = (struct process){ .fd = fd, .pid = (long)pid };
        name_of(proc, d->d_name, p->name);
    }
    return e->kind == ERR_NONE;
}

struct str processes_text(const struct processes *list, struct arena *a)
{
    struct str text = STR("");

    for (size_t i = 0; i < MIN(list->n, (size_t)NAMED); i++)
        text = arena_printf(a, STR_FMT "%s%s %ld", STR_ARG(text), i ? ", " : "", list->p[i].name, list->p[i].pid);
    return list->n > NAMED ? arena_printf(a, STR_FMT " and %zu more", STR_ARG(text), list->n - NAMED) : text;
}

static void send_all(const struct processes *list, int sig)
{
    for (size_t i = 0; i < list->n; i++)
        (void)syscall(SYS_pidfd_send_signal, list->p[i].fd, sig, NULL, 0); /* gone already is fine */
}

/* A pidfd is readable once its process has ended. */
static void await(const struct processes *list)
{
    uint64_t end = clock_ms() + PROCESSES_GRACE_MS;

    for (size_t i = 0; i < list->n; i++) {
        struct pollfd p = { .fd = list->p[i].fd, .events = POLLIN };
        uint64_t now = clock_ms();

        (void)poll(&p, 1, now < end ? (int)(end - now) : 0);
    }
}

void processes_end(struct processes *list)
{
    send_all(list, SIGTERM);
    await(list);
    send_all(list, SIGKILL);
}

void processes_close(struct processes *list)
{
    for (size_t i = 0; i < list->n; i++)
        fd_close(&list->p[i].fd);
    list->n = 0;
}
