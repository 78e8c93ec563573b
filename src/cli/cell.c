#include "cli/cell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "codec/json.h"
#include "cli/cell_journal.h"
#include "cli/common.h"
#include "cli/keeper.h"
#include "cli/shell_pid.h"
#include "cli/sockets.h"
#include "cli/ui.h"
#include "jail/policy.h"
#include "jail/run.h"
#include "jail/uppers.h"

#define TRIES 5          /* a sandbox that ends while one comes to it is made anew */

/* ------------------------------------------------------------ finding it */

static bool has_overlay(const struct jail_policy *p)
{
    for (size_t i = 0; i < p->n_paths; i++)
        if (p->path[i].access == JAIL_OVERLAY)
            return true;
    return false;
}

/* Of those who share our home directory only they can share a sandbox whose files, network and processes are ours. */
static unsigned long our_namespaces(void)
{
    static const char *const kind[] = { "/proc/self/ns/mnt", "/proc/self/ns/net", "/proc/self/ns/pid" };
    unsigned long sum = 0;
    struct stat st;

    for (size_t i = 0; i < COUNT(kind); i++)
        sum = sum * 31 + (stat(kind[i], &st) == 0 ? (unsigned long)st.st_ino : 0);
    return sum;
}

/* What lies below an overlay may not change under it: another generation, another sandbox. */
static void name_of(const struct workspace *w, const struct jail_policy *p, char out[SOCKETS_NAME])
{
    char mark[SOCKETS_MARK], digest[JAIL_DIGEST], current[64] = "";
    AUTO_FD env = has_overlay(p) ? open(w->env_path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    ssize_t n = env < 0 ? 0 : readlinkat(env, ".current", current, sizeof current - 1);
    const char *slash = n > 0 ? strrchr(current, '/') : NULL;

    sockets_mark(w, mark);
    jail_policy_digest(p, digest);
    (void)snprintf(out, SOCKETS_NAME, "%s-%.16s-%lx-%.12s", mark, digest, our_namespaces(), slash ? slash + 1 : "0");
}

/* ------------------------------------------------------------ having it made */

static bool listen_at(int dir, const char *name, int *fd, struct err *e)
{
    struct sockaddr_un at;

    (void)unlinkat(dir, name, 0); /* of a keeper that was killed: nobody answers there, and we hold the lock */
    *fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    if (*fd < 0 || !sockets_address(dir, name, &at) || bind(*fd, (struct sockaddr *)&at, sizeof at) < 0 ||
        fchmodat(dir, name, 0600, 0) < 0 || listen(*fd, 64) < 0)
        return err_sys(e, "make the socket of the sandbox");
    return true;
}

/* Whoever comes meanwhile waits at the socket. */
static bool make(const struct workspace *w, const struct jail_policy *p, int dir, const char *name, int *socket,
                 struct err *e)
{
    AUTO_FD order = -1, serve = -1;

    if (!jail_order(p, name, &order, e) || !listen_at(dir, name, &serve, e))
        return false;
    *socket = sockets_connect(dir, name);
    const struct keeper_job job = { p, dir, name, order, serve };

    return (*socket >= 0 || err_sys(e, "connect to the sandbox")) && keeper_start(w, &job, e);
}

static bool enter(struct workspace *w, const struct cell_job *job, int dir, int *socket, struct err *e)
{
    const struct jail_policy *p = job->policy;
    char name[SOCKETS_NAME], mark[SOCKETS_MARK];

    name_of(w, p, name);
    *socket = sockets_connect(dir, name);
    if (*socket >= 0)
        return true;
    /* The lock is the directory's; two that find nobody make one sandbox. */
    if (flock(dir, LOCK_EX) < 0)
        return err_sys(e, "lock %s/" CELL_DIR, w->dirs.state);
    *socket = sockets_connect(dir, name);
    *job->made = *socket < 0;
    sockets_mark(w, mark);
    if (*job->made)
        cell_journal_recover(w, dir, mark);
    return !*job->made || make(w, p, dir, name, socket, e);
}

/* One without a name, which nobody else comes to. */
static bool make_alone(const struct workspace *w, const struct jail_policy *p, int *socket, struct err *e)
{
    AUTO_FD order = -1, serve = -1;
    int pair[2];

    fd_close(socket);
    if (p->keep.n) {
        (void)err_set(e, ERR_ENVIRONMENT, "recovery = \"keep\" needs a shared sandbox, which %s cannot hold",
                      w->dirs.state);
        return uppers_hint(e);
    }
    if (!jail_order(p, "", &order, e))
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to the sandbox");
    *socket = pair[0];
    serve = pair[1];
    const struct keeper_job job = { p, -1, "", order, serve };

    return keeper_start(w, &job, e);
}

bool cell_run(struct cmd *c, struct workspace *w, const struct cell_job *job, struct jail_result *out,
              struct err *e)
{
    struct err end = { 0 }; /* of one that was gone: the last that is known */

    for (unsigned i = 0; i < TRIES; i++) {
        struct err why = { 0 };
        AUTO_FD dir = -1; /* its lock is let go of with it */
        AUTO_FD socket = -1;

        *job->made = false;
        if (!sockets_open_dir(w, CELL_DIR, true, &dir) || !enter(w, job, dir, &socket, &why)) {
            /* A home that cannot be written to, a file system without locks or sockets: as strong, but not shared. */
            ui_detail("%s can hold no shared sandbox, this command has one for itself: %s", w->dirs.state,
                      why.kind == ERR_NONE ? "it cannot be made" : why.text);
            *job->made = true;
            if (!make_alone(w, job->policy, &socket, e))
                return err_as(e, ERR_ENVIRONMENT, "make a sandbox") || err_exit(e, 125);
        }
        fd_close(&dir);
        struct jail_entry at = { .socket = socket, .session = shell_pid() };
        bool ok = jail_join(&at, job->policy, job->command, c->a, out, e);

        if (ok || !at.gone)
            return ok;
        if (e->kind != ERR_NONE)
            end = *e;
        *e = (struct err){ 0 };
    }
    if (end.kind != ERR_NONE) {
        *e = end;
        return false;
    }
    (void)err_set(e, ERR_ENVIRONMENT, "the sandbox of %s ends whenever a command comes to it", w->where.dir);
    (void)err_hint(e, "blast sandbox check");
    return err_exit(e, 125);
}

/* ------------------------------------------------------------ from outside */

struct cells {
    int dir;
    VEC(int) socket;
};

static void find_all(const struct workspace *w, bool all, struct arena *a, struct cells *out)
{
    char mark[SOCKETS_MARK] = "";
    DIR *list = NULL;
    int copy;

    *out = (struct cells){ .dir = -1 };
    if (!sockets_open_dir(w, CELL_DIR, false, &out->dir))
        return;
    if (!all)
        sockets_mark(w, mark);
    if ((copy = fcntl(out->dir, F_DUPFD_CLOEXEC, 3)) >= 0 && !(list = fdopendir(copy)))
        (void)close(copy);
    for (const struct dirent *d; list && (d = readdir(list)) != NULL;) {
        int fd = str_starts(str_of(d->d_name), str_of(mark)) ? sockets_connect(out->dir, d->d_name) : -1;

        if (fd >= 0)
            VEC_PUSH_IN(a, &out->socket, fd);
    }
    if (list)
        (void)closedir(list);
    fd_close(&out->dir);
}

static struct str printable(struct arena *a, struct str s)
{
    char *copy = arena_cstr(a, s);

    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)copy[i] < ' ' || copy[i] == 0x7f)
            copy[i] = '?';
    return (struct str){ copy, s.n };
}

static void read_commands(struct json *j, struct arena *a, struct cell_use *u)
{
    struct str key, name = STR("");

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && json_object_begin(j)) {
        uint64_t seconds = 0;

        while (json_object_next(j, &key)) {
            if (str_eq(key, STR("command")))
                (void)json_string(j, &name);
            else if (str_eq(key, STR("seconds")))
                (void)json_u64(j, &seconds);
            else
                (void)json_skip(j);
        }
        u->commands = arena_printf(a, STR_FMT "%s" STR_FMT " %llu s", STR_ARG(u->commands), u->commands.n ? ", " : "",
                                   STR_ARG(printable(a, name)), (unsigned long long)seconds);
    }
}

static bool read_use(struct str json, struct arena *a, struct cell_use *u)
{
    struct err ignored = { 0 }; /* of another version of Blast: it is not shown */
    struct json j;
    struct str key;

    *u = (struct cell_use){ .json = json };
    json_init(&j, json, a, &ignored);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            uint64_t *to = str_eq(key, STR("memory"))      ? &u->memory
                           : str_eq(key, STR("cpu_us"))    ? &u->cpu_us
                           : str_eq(key, STR("processes")) ? &u->processes
                                                           : NULL;

            if (to)
                (void)json_u64(&j, to);
            else if (str_eq(key, STR("commands")))
                read_commands(&j, a, u);
            else
                (void)json_skip(&j);
        }
    }
    return json_end(&j);
}

struct cell_use *cell_look(const struct workspace *w, struct arena *a, size_t *n)
{
    struct cells all;

    find_all(w, false, a, &all);
    struct cell_use *out = ARENA_ARRAY(a, struct cell_use, all.socket.n + 1);

    *n = 0;
    for (size_t i = 0; i < all.socket.n; i++) {
        struct str json;

        if (jail_look(all.socket.p[i], a, &json) && read_use(json, a, &out[*n]))
            (*n)++;
        (void)close(all.socket.p[i]);
    }
    return out;
}

size_t cell_stop(const struct workspace *w, bool all)
{
    AUTO_ARENA a = { 0 };
    struct cells found;

    arena_init(&a);
    find_all(w, all, &a, &found);
    for (size_t i = 0; i < found.socket.n; i++) {
        jail_stop(found.socket.p[i]);
        (void)close(found.socket.p[i]);
    }
    return found.socket.n;
}
