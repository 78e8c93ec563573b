#include "daemon/session.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "daemon/roster.h"
#include "wire/seat.h"

struct session {
    struct sessions *sessions;
    struct session *next;
    uv_poll_t poll;
    int fd;
    uint64_t pid, start;
    char *path; /* owned */
};

struct sessions {
    struct sessions_config config;
    struct session *first;
    size_t n;
    char boot[64];
};

struct sessions *sessions_new(const struct sessions_config *config)
{
    AUTO_ARENA a = { 0 };
    struct sessions *s = mem_zero(1, sizeof *s);

    s->config = *config;
    (void)snprintf(s->boot, sizeof s->boot, STR_FMT, STR_ARG(roster_boot(&a)));
    return s;
}

static void freed(uv_handle_t *handle)
{
    struct session *one = handle->data;

    free(one->path);
    free(one);
}

static void close_session(struct session *one)
{
    struct sessions *s = one->sessions;

    for (struct session **at = &s->first; *at; at = &(*at)->next)
        if (*at == one) {
            *at = one->next;
            s->n--;
            break;
        }
    uv_close((uv_handle_t *)&one->poll, freed);
    fd_close(&one->fd);
}

void sessions_close(struct sessions *s)
{
    while (s->first)
        close_session(s->first);
}

void sessions_free(struct sessions *s)
{
    free(s);
}

size_t sessions_count(const struct sessions *s)
{
    return s->n;
}

static struct session *find(const struct sessions *s, struct str path, uint64_t pid)
{
    for (struct session *one = s->first; one; one = one->next)
        if (one->pid == pid && str_eq(str_of(one->path), path))
            return one;
    return NULL;
}

static void forget(struct session *one)
{
    roster_drop_session(one->sessions->config.roster, str_of(one->path), one->pid);
    close_session(one);
}

/* A descriptor of a process is readable when the process has ended (pidfd_open(2)). */
static void polled(uv_poll_t *handle, int status, int events)
{
    struct session *one = handle->data;
    struct sessions *s = one->sessions;

    (void)status;
    (void)events;
    forget(one);
    s->config.ended(s->config.ctx, one->path, one->pid); /* `one` lives until the loop closes its handle */
}

static bool is_ours(uint64_t pid)
{
    char path[64];
    struct stat st;

    (void)snprintf(path, sizeof path, "/proc/%llu", (unsigned long long)pid);
    return stat(path, &st) == 0 && st.st_uid == geteuid();
}

static bool watch(struct sessions *s, struct str path, uint64_t pid, struct err *e)
{
    AUTO_FD fd = pid <= INT_MAX ? pidfd_open((pid_t)pid, 0) : -1;

    if (fd < 0 || !is_ours(pid))
        return err_set(e, ERR_DAEMON, "there is no process %llu of yours", (unsigned long long)pid);
    struct session *one = mem_zero(1, sizeof *one);

    *one = (struct session){ .sessions = s, .fd = fd, .pid = pid, .start = seat_process_start((pid_t)pid) };
    if (uv_poll_init(s->config.loop, &one->poll, fd) < 0) {
        free(one);
        return err_set(e, ERR_DAEMON, "watch process %llu", (unsigned long long)pid);
    }
    fd = -1; /* the session's now */
    one->path = mem_dup(path.p, path.n);
    one->poll.data = one;
    one->next = s->first;
    s->first = one;
    s->n++;
    if (uv_poll_start(&one->poll, UV_READABLE, polled) < 0) {
        close_session(one);
        return err_set(e, ERR_DAEMON, "watch process %llu", (unsigned long long)pid);
    }
    return true;
}

bool sessions_begin(struct sessions *s, struct str path, uint64_t pid, struct err *e)
{
    if (find(s, path, pid))
        return true;
    if (s->n >= SESSIONS_MAX)
        return err_set(e, ERR_DAEMON, "there are %d sessions already", SESSIONS_MAX);
    if (!watch(s, path, pid, e))
        return false;
    struct roster_entry entry = { .path = path, .pid = pid, .start = s->first->start, .boot = str_of(s->boot) };

    if (roster_put_session(s->config.roster, &entry, e))
        return true;
    close_session(s->first);
    return false;
}

bool sessions_resume(struct sessions *s, const struct roster_entry *entry)
{
    struct err ignored = { 0 };
    bool lives = str_eq(entry->boot, str_of(s->boot)) && entry->pid && entry->pid <= INT_MAX && entry->start &&
                 seat_process_start((pid_t)entry->pid) == entry->start;

    if (lives && s->n < SESSIONS_MAX && watch(s, entry->path, entry->pid, &ignored))
        return true;
    roster_drop_session(s->config.roster, entry->path, entry->pid);
    return false;
}

bool sessions_end(struct sessions *s, struct str path, uint64_t pid)
{
    struct session *one = find(s, path, pid);

    if (one)
        forget(one);
    return one != NULL;
}

void sessions_end_all(struct sessions *s, struct str path)
{
    for (struct session *one = s->first, *next; one; one = next) {
        next = one->next;
        if (str_eq(str_of(one->path), path)) {
            forget(one);
            s->config.ended(s->config.ctx, one->path, one->pid);
        }
    }
}
