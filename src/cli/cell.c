#include "cli/cell.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
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
#include "cli/directive.h"
#include "cli/observe.h"
#include "cli/outside.h"
#include "cli/sockets.h"
#include "cli/ui.h"
#include "jail/policy.h"
#include "jail/run.h"
#include "sync/audit.h"

#define CELLS "cells"
#define NAME_ROOM 80
#define TRIES 5          /* a sandbox that ends while one comes to it is made anew */
#define SHELL_VARIABLE "BLAST_SHELL_PID"

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
static void name_of(const struct workspace *w, const struct jail_policy *p, char out[NAME_ROOM])
{
    char mark[SOCKETS_MARK], digest[JAIL_DIGEST], current[64] = "";
    AUTO_FD env = has_overlay(p) ? open(w->env_path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
    ssize_t n = env < 0 ? 0 : readlinkat(env, ".current", current, sizeof current - 1);
    const char *slash = n > 0 ? strrchr(current, '/') : NULL;

    sockets_mark(w, mark);
    jail_policy_digest(p, digest);
    (void)snprintf(out, NAME_ROOM, "%s-%.16s-%lx-%.12s", mark, digest, our_namespaces(), slash ? slash + 1 : "0");
}

/* -1: nobody serves it. */
static int connect_to(int dir, const char *name)
{
    struct sockaddr_un at;
    int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);

    if (fd >= 0 && (!sockets_address(dir, name, &at) || connect(fd, (struct sockaddr *)&at, sizeof at) < 0))
        fd_close(&fd);
    return fd;
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

/* Ours, without what makes a process one of the environment's: it is not run there. */
static char **outside_environment(struct arena *a)
{
    size_t n = 0;

    while (environ[n])
        n++;
    char **out = ARENA_ARRAY(a, char *, n + 1);

    n = 0;
    for (char **v = environ; *v; v++)
        if (!str_starts(str_of(*v), STR("VIRTUAL_ENV=")))
            out[n++] = *v;
    out[n] = NULL;
    return out;
}

/* In a session of its own, without our terminal or any descriptor of ours but the two. It must read the configuration
 * as we do, so it has our variables. */
static bool spawn_keeper(const struct workspace *w, const struct jail_policy *p, int order, int serve, struct err *e)
{
    char self[PATH_MAX], digest[JAIL_DIGEST], three[] = "3", four[] = "4";
    char *argv[] = { (char *)(uintptr_t) "blast", (char *)(uintptr_t) "--project", (char *)(uintptr_t)w->where.dir,
                     (char *)(uintptr_t) "sandbox", (char *)(uintptr_t) "keep", three, four, digest, NULL };
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t none, defaults;
    pid_t pid;
    AUTO_ARENA a = { 0 };
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n <= 0)
        return err_sys(e, "find the program blast");
    self[n] = '\0';
    jail_policy_digest(p, digest);
    arena_init(&a);
    AUTO_FD high = fcntl(order, F_DUPFD_CLOEXEC, 20), high_serve = fcntl(serve, F_DUPFD_CLOEXEC, 20);

    (void)posix_spawn_file_actions_init(&fa);
    (void)posix_spawnattr_init(&at);
    (void)sigemptyset(&none);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE);
    (void)posix_spawnattr_setsigmask(&at, &none);
    (void)posix_spawnattr_setsigdefault(&at, &defaults);
    (void)posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK);
    int rc = high < 0 || high_serve < 0 ? errno : 0;

    for (int fd = 0; fd < 3 && rc == 0; fd++)
        rc = posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
    rc = rc ? rc : posix_spawn_file_actions_adddup2(&fa, high, 3);
    rc = rc ? rc : posix_spawn_file_actions_adddup2(&fa, high_serve, 4);
    rc = rc ? rc : posix_spawn(&pid, self, &fa, &at, argv, outside_environment(&a));
    (void)posix_spawnattr_destroy(&at);
    (void)posix_spawn_file_actions_destroy(&fa);
    errno = rc;
    return rc == 0 || err_sys(e, "start %s", self);
}

/* Whoever comes meanwhile waits at the socket. */
static bool make(const struct workspace *w, const struct jail_policy *p, int dir, const char *name, int *socket,
                 struct err *e)
{
    AUTO_FD order = -1, serve = -1;

    if (!jail_order(p, &order, e) || !listen_at(dir, name, &serve, e))
        return false;
    *socket = connect_to(dir, name);
    return (*socket >= 0 || err_sys(e, "connect to the sandbox")) && spawn_keeper(w, p, order, serve, e);
}

static bool enter(struct workspace *w, const struct cell_job *job, int dir, int *socket, struct err *e)
{
    const struct jail_policy *p = job->policy;
    char name[NAME_ROOM], mark[SOCKETS_MARK];

    name_of(w, p, name);
    *socket = connect_to(dir, name);
    if (*socket >= 0)
        return true;
    /* The lock is the directory's; two that find nobody make one sandbox. */
    if (flock(dir, LOCK_EX) < 0)
        return err_sys(e, "lock %s/" CELLS, w->dirs.state);
    *socket = connect_to(dir, name);
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
    if (!jail_order(p, &order, e))
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to the sandbox");
    *socket = pair[0];
    serve = pair[1];
    return spawn_keeper(w, p, order, serve, e);
}

/* The shell that the environment is active in. */
static int session(void)
{
    const char *pid = getenv(SHELL_VARIABLE);
    uint64_t n;

    if (directive.pid > 0 && directive.pid <= INT_MAX)
        return (int)directive.pid;
    return pid && str_to_u64(str_of(pid), &n) && n <= INT_MAX ? (int)n : 0;
}

bool cell_run(struct cmd *c, struct workspace *w, const struct cell_job *job, struct jail_result *out,
              struct err *e)
{
    for (unsigned i = 0; i < TRIES; i++) {
        struct err why = { 0 };
        AUTO_FD dir = -1; /* its lock is let go of with it */
        AUTO_FD socket = -1;

        *e = (struct err){ 0 }; /* of the one that was gone */
        *job->made = false;
        if (!sockets_open_dir(w, CELLS, true, &dir) || !enter(w, job, dir, &socket, &why)) {
            /* A home that cannot be written to, a file system without locks or sockets: as strong, but not shared. */
            ui_detail("%s can hold no shared sandbox: this command has one for itself", w->dirs.state);
            *job->made = true;
            if (!make_alone(w, job->policy, &socket, e))
                return err_as(e, ERR_ENVIRONMENT, "make a sandbox") || err_exit(e, 125);
        }
        fd_close(&dir);
        struct jail_entry at = { .socket = socket, .session = session() };
        bool ok = jail_join(&at, job->policy, job->command, c->a, out, e);

        if (ok || !at.gone)
            return ok;
    }
    if (e->kind != ERR_NONE)
        return false;
    (void)err_set(e, ERR_ENVIRONMENT, "the sandbox of %s ends whenever a command comes to it", w->where.dir);
    (void)err_hint(e, "blast sandbox check");
    return err_exit(e, 125);
}

/* ------------------------------------------------------------ keeping it */

struct keeping {
    struct workspace *w;
    struct observe *observe;
    const char *digest; /* of the policy */
};

/* "made" with the enforcement report, "run" for each command that is over, "ended". */
static void record(struct keeping *k, const char *what, const char *member, struct str value)
{
    AUTO_BUF b = { .limit = AUDIT_LINE_MAX };

    (void)buf_printf(&b, "{\"sandbox\":\"%s\",", what);
    if (member)
        (void)buf_printf(&b, "\"policy\":\"%s\",\"%s\":" STR_FMT "}", k->digest, member, STR_ARG(value));
    else /* its members beside ours */
        (void)buf_printf(&b, STR_FMT, STR_ARG(str_sub(value, 1, value.n)));
    audit_record(k->w, AUDIT_SANDBOX, 0, buf_done(&b));
}

static void hear(void *ctx, struct str key, struct str value)
{
    struct keeping *k = ctx;

    observe_hear(k->observe, key, value);
    if (str_eq(key, STR("connection")))
        outside_record(k->w, value);
    else if (str_eq(key, STR("report")))
        record(k, "made", "enforcement", value);
    else if (str_eq(key, STR("over")))
        record(k, "run", NULL, value);
    else if (str_eq(key, STR("limit")))
        record(k, "limit", NULL, value);
    else if (str_eq(key, STR("end")))
        record(k, "ended", NULL, value);
}

/* The socket is bound by way of a directory's descriptor; the last part is its name. */
static void learn_name(int serve, char out[NAME_ROOM])
{
    struct sockaddr_un at = { .sun_family = AF_UNIX };
    socklen_t size = sizeof at;

    out[0] = '\0';
    if (getsockname(serve, (struct sockaddr *)&at, &size) < 0)
        return;
    const char *slash = strrchr(at.sun_path, '/');

    if (slash)
        (void)snprintf(out, NAME_ROOM, "%.*s", NAME_ROOM - 1, slash + 1);
}

/* Not one that another keeper has made there since. */
static void remove_name(int dir, const char *name)
{
    if (dir < 0 || !*name || flock(dir, LOCK_EX) < 0)
        return;
    AUTO_FD there = connect_to(dir, name);

    if (there < 0) {
        (void)unlinkat(dir, name, 0);
        cell_journal_remove(dir, name);
    }
    (void)flock(dir, LOCK_UN);
}

bool cell_keep(struct workspace *w, const struct cell_words *words, struct err *e)
{
    struct jail_policy p;
    AUTO_OBSERVE observe = { 0 };
    struct keeping k = { w, &observe, words->digest };
    struct outside outside = { .dir = -1 };
    AUTO_FD dir = -1, journal = -1;
    uint64_t order, serve;
    char name[NAME_ROOM];

    if (!str_to_u64(str_of(words->order), &order) || !str_to_u64(str_of(words->serve), &serve) || order > 1000 ||
        serve > 1000 || strlen(words->digest) != JAIL_DIGEST - 1) {
        (void)err_set(e, ERR_CONFIG, "blast sandbox keep is started by blast run, with its descriptors");
        return err_hint(e, "blast sandbox check");
    }
    struct jail_keeping keeping = { (int)order, (int)serve, -1, hear, &k };

    if (!jail_order_read(keeping.order, w->a, &p, e))
        return false;
    observe_init(&observe, w, w->a, &p);
    learn_name(keeping.serve, name);
    if (sockets_open_dir(w, CELLS, false, &dir) && name[0])
        journal = cell_journal_open(dir, name, words->digest);
    outside_open(w, &outside);
    keeping.control = outside.fd > 0 ? outside.fd : -1;
    bool ok = jail_keep(&keeping, e);

    outside_close(&outside);
    remove_name(dir, name);
    return ok;
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
    if (!sockets_open_dir(w, CELLS, false, &out->dir))
        return;
    if (!all)
        sockets_mark(w, mark);
    if ((copy = fcntl(out->dir, F_DUPFD_CLOEXEC, 3)) >= 0 && !(list = fdopendir(copy)))
        (void)close(copy);
    for (const struct dirent *d; list && (d = readdir(list)) != NULL;) {
        int fd = str_starts(str_of(d->d_name), str_of(mark)) ? connect_to(out->dir, d->d_name) : -1;

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
