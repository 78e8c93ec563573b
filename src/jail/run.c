#include "jail/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pass.h"
#include "codec/json.h"
#include "jail/cgroup.h"
#include "jail/launch.h"
#include "jail/visit.h"
#include "jail/visits.h"

#define STATUS_MAX (1u << 20)
#define ANSWER_MS 2000 /* to jail_look() */
#define GONE_MS 10000  /* to jail_stop() */

/* ------------------------------------------------------------ the order */

static bool make_order(const struct jail_policy *p, const char *name, bool only_try, int *out, struct err *e)
{
    AUTO_BUF policy = { .limit = JAIL_POLICY_MAX };

    if (!jail_policy_format(p, false, &policy))
        return err_set(e, ERR_CONFIG, "the policy is larger than %u bytes", JAIL_POLICY_MAX);
    struct launch_header h = {
        .magic = LAUNCH_MAGIC, .version = LAUNCH_VERSION, .policy_bytes = (uint32_t)policy.n, .only_try = only_try
    };

    if ((size_t)snprintf(h.uppers, sizeof h.uppers, "%s", name) >= sizeof h.uppers)
        return err_set(e, ERR_ENVIRONMENT, "the name of a sandbox is longer than %d bytes", UPPERS_NAME - 1);
    *out = memfd_create("blast-sandbox", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return (*out >= 0 || err_sys(e, "make the order of a sandbox")) && fd_write_all(*out, &h, sizeof h, "order", e) &&
           fd_write_all(*out, policy.p, policy.n, "order", e) &&
           ((fcntl(*out, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0 &&
             lseek(*out, 0, SEEK_SET) == 0) ||
            err_sys(e, "seal the order of a sandbox"));
}

bool jail_order(const struct jail_policy *p, const char *name, int *fd, struct err *e)
{
    return make_order(p, name, false, fd, e);
}

bool jail_order_read(int fd, struct arena *a, struct jail_policy *out, struct err *e)
{
    struct launch_header h;

    if (pread(fd, &h, sizeof h, 0) != (ssize_t)sizeof h || h.magic != LAUNCH_MAGIC || h.version != LAUNCH_VERSION ||
        h.policy_bytes > JAIL_POLICY_MAX)
        return err_set(e, ERR_ENVIRONMENT, "an order that is none");
    char *text = arena_alloc(a, h.policy_bytes);

    if (pread(fd, text, h.policy_bytes, sizeof h) != (ssize_t)h.policy_bytes)
        return err_set(e, ERR_ENVIRONMENT, "an order that is cut off");
    return jail_policy_parse((struct str){ text, h.policy_bytes }, a, out, e);
}

/* ------------------------------------------------------------ the program */

/* Beside this program, as in the build directory, or where it was installed. */
static bool find_program(char out[PATH_MAX], struct err *e)
{
    static const char *const places[] = { "blast-jail", "../libexec/blast/blast-jail", "../lib/blast/blast-jail" };
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    const char *named = getenv("BLAST_JAIL"); /* tests, whose programs lie elsewhere */
    size_t dir = n > 0 ? str_rfind((struct str){ self, (size_t)n }, '/') : 0;

    if (named && named[0] == '/' && (size_t)snprintf(out, PATH_MAX, "%s", named) < PATH_MAX)
        return true;
    for (size_t i = 0; n > 0 && i < COUNT(places); i++) {
        if ((size_t)snprintf(out, PATH_MAX, "%.*s/%s", (int)dir, self, places[i]) < PATH_MAX && access(out, X_OK) == 0)
            return true;
    }
    (void)err_set(e, ERR_ENVIRONMENT, "the program blast-jail is not beside blast");
    return err_hint(e, "install Blast as a whole, or run without sandbox");
}

/* Its descriptors are 3 and on: order, status, serve, control (-1: none). */
static bool spawn(const int give[4], pid_t *pid, struct err *e)
{
    char path[PATH_MAX];
    static char word[][2] = { "3", "4", "5", "6" };
    char *argv[] = { (char *)(uintptr_t) "blast-jail", word[0], word[1], word[2], give[3] >= 0 ? word[3] : NULL, NULL };
    char *env[] = { NULL };
    int high[4] = { -1, -1, -1, -1 };
    posix_spawn_file_actions_t fa;
    posix_spawnattr_t at;
    sigset_t defaults;
    int rc = 0;

    if (!find_program(path, e))
        return false;
    (void)posix_spawn_file_actions_init(&fa);
    (void)posix_spawnattr_init(&at);
    (void)sigemptyset(&defaults);
    (void)sigaddset(&defaults, SIGPIPE); /* ignored by us alone */
    (void)posix_spawnattr_setsigdefault(&at, &defaults);
    (void)posix_spawnattr_setflags(&at, POSIX_SPAWN_SETSIGDEF);
    for (int fd = 0; fd < 3 && rc == 0; fd++) /* a command's own come with it; a terminal is never handed in */
        rc = posix_spawn_file_actions_addopen(&fa, fd, "/dev/null", O_RDWR, 0);
    for (int i = 0; i < 4 && rc == 0; i++) {
        high[i] = give[i] < 0 ? -1 : fcntl(give[i], F_DUPFD_CLOEXEC, 20); /* out of the way of 3 to 6 */
        rc = give[i] < 0 ? 0 : high[i] < 0 ? errno : posix_spawn_file_actions_adddup2(&fa, high[i], 3 + i);
    }
    rc = rc ? rc : posix_spawn(pid, path, &fa, &at, argv, env);
    (void)posix_spawnattr_destroy(&at);
    (void)posix_spawn_file_actions_destroy(&fa);
    for (int i = 0; i < 4; i++)
        fd_close(&high[i]);
    errno = rc;
    return rc == 0 || err_sys(e, "start %s", path);
}

/* ------------------------------------------------------------ what it says */

struct status {
    int fd;
    struct buf said;
    void (*heard)(void *ctx, struct str key, struct str value);
    void *ctx;
};

/* One line is one object with one member. Done with "over", it gets its answer. */
static void take_line(const struct status *s, struct str line)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct str key, value;
    struct json j;

    arena_init(&a);
    json_init(&j, line, &a, &ignored);
    if (!json_object_begin(&j) || !json_object_next(&j, &key) || !json_raw(&j, &value))
        return; /* of another version, or cut off by its end: the end is seen */
    key = arena_str(&a, key);
    s->heard(s->ctx, key, value);
    if (str_eq(key, STR("over")))
        (void)!send(s->fd, "!", 1, MSG_NOSIGNAL);
}

/* False at the end. */
static bool take_status(struct status *s)
{
    char chunk[4096];
    ssize_t n = recv(s->fd, chunk, sizeof chunk, MSG_DONTWAIT);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    if (n <= 0 || !buf_add(&s->said, chunk, (size_t)n))
        return false;
    struct str rest = buf_done(&s->said);

    for (size_t end; (end = str_find(rest, '\n')) < rest.n; rest = str_sub(rest, end + 1, rest.n))
        take_line(s, str_sub(rest, 0, end));
    memmove(s->said.p, rest.p, rest.n);
    s->said.n = rest.n;
    return true;
}

static void await_exit(pid_t pid, int *ws)
{
    while (waitpid(pid, ws, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(*ws))
        cgroup_remove_of(pid); /* killed: what it would have removed is left to us */
}

static bool of_its_end(int ws, struct err *e)
{
    if (WIFSIGNALED(ws))
        (void)err_set(e, ERR_ENVIRONMENT, "blast-jail was ended by signal %d", WTERMSIG(ws));
    else
        (void)err_set(e, ERR_ENVIRONMENT, "blast-jail ended without a word, with exit code %d", WEXITSTATUS(ws));
    return err_exit(e, JAIL_NOT_RUN);
}

static bool make_status(int *ours, int *theirs, struct err *e)
{
    int pair[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to blast-jail");
    *ours = pair[0];
    *theirs = pair[1];
    return true;
}

/* ------------------------------------------------------------ kept for many */

struct keeper {
    const struct jail_keeping *k;
    int serve; /* until blast-jail says that it has ended: whoever comes then has another made */
};

static void pass_on(void *ctx, struct str key, struct str value)
{
    struct keeper *own = ctx;

    if (str_eq(key, STR("end")))
        fd_close(&own->serve);
    own->k->heard(own->k->ctx, key, value);
}

static void answer(int serve, const struct visit_message *why)
{
    static struct visits v;

    visits_open(&v, serve);
    visits_refuse(&v, STR(""), why);
}

/* It was killed: who comes to it is told why, and has another made. */
static void answer_for_it(int *serve, int ws)
{
    struct visit_message why;
    struct err e = { 0 };

    if (*serve < 0 || !WIFSIGNALED(ws))
        return;
    (void)of_its_end(ws, &e);
    why = visit_error(&e, JAIL_NOT_RUN);
    why.kind = VISIT_GONE;
    answer(*serve, &why);
    *serve = -1;
}

bool jail_begin(int order, int serve, int control, struct jail_begun *out, struct err *e)
{
    AUTO_FD theirs = -1;

    *out = (struct jail_begun){ .status = -1 };
    if (!make_status(&out->status, &theirs, e))
        return false;
    const int give[] = { order, theirs, serve, control };

    if (spawn(give, &out->pid, e))
        return true;
    fd_close(&out->status);
    return false;
}

void jail_refuse(int serve, const struct err *e)
{
    struct visit_message why = visit_error(e, JAIL_NOT_RUN);

    answer(serve, &why);
}

void jail_keep(const struct jail_keeping *k)
{
    struct keeper own = { k, k->serve };
    struct status s = { .fd = k->begun.status, .said = { .limit = STATUS_MAX }, .heard = pass_on, .ctx = &own };
    struct pollfd p = { s.fd, POLLIN, 0 };
    int ws = 0;

    while ((poll(&p, 1, -1) >= 0 || errno == EINTR) && take_status(&s))
        ;
    await_exit(k->begun.pid, &ws);
    answer_for_it(&own.serve, ws);
    fd_close(&own.serve);
    fd_close(&s.fd);
    buf_clear(&s.said);
}

/* ------------------------------------------------------------ joined */

bool jail_join(struct jail_entry *at, const struct jail_policy *p, const struct jail_command *c, struct arena *a,
               struct jail_result *out, struct err *e)
{
    struct visit v = { .socket = at->socket, .home = p->home.p, .session = at->session };
    uint64_t begun = clock_us();
    bool ok = visit_run(&v, c, a, out, &at->gone, e);

    out->wall_us = clock_us() - begun;
    if (out->end != JAIL_REFUSED || !out->reported)
        return ok;
    (void)jail_report_refusal(&out->report, p, e);
    return err_exit(e, JAIL_NOT_RUN);
}

bool jail_look(int socket, struct arena *a, struct str *out)
{
    static const struct visit_message ask = { .kind = VISIT_LOOK };
    static struct visit_text answer;
    struct pollfd p = { socket, POLLIN, 0 };
    struct str whole;
    int got;

    if (!visit_send(socket, &ask, -1) || poll(&p, 1, ANSWER_MS) <= 0 ||
        !pass_receive(socket, &answer, sizeof answer, &whole, &got))
        return false;
    fd_close(&got);
    if (whole.n <= sizeof answer.kind || answer.kind != VISIT_USE)
        return false;
    *out = arena_str(a, str_sub(whole, sizeof answer.kind, whole.n));
    return true;
}

void jail_stop(int socket)
{
    static const struct visit_message stop = { .kind = VISIT_STOP };
    struct pollfd p = { socket, POLLIN, 0 };

    if (visit_send(socket, &stop, -1))
        (void)poll(&p, 1, GONE_MS); /* nothing comes but the end */
}

/* ------------------------------------------------------------ made for one */

struct own {
    struct status status;
    struct arena *a;
    struct jail_report *report; /* where "report" goes, or NULL: it comes over the connection, too */
    bool reported;
    struct err failure; /* what "end" says */
    int fd; /* the status, -1 at its end */
};

static void hear_end(struct own *o, struct json *j)
{
    struct str key, v;

    if (!json_object_begin(j))
        return;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("text")) && json_string(j, &v))
            (void)err_set(&o->failure, ERR_ENVIRONMENT, STR_FMT, STR_ARG(v));
        else if (str_eq(key, STR("hint")) && json_string(j, &v) && v.n)
            (void)err_hint(&o->failure, STR_FMT, STR_ARG(v));
        else
            (void)json_skip(j);
    }
}

static void hear(void *ctx, struct str key, struct str value)
{
    struct own *o = ctx;
    struct err ignored = { 0 };
    struct json j;

    json_init(&j, arena_str(o->a, value), o->a, &ignored);
    if (str_eq(key, STR("end")))
        hear_end(o, &j);
    else if (o->report && str_eq(key, STR("report")))
        o->reported = jail_report_read(&j, o->a, o->report);
}

static void hear_status(void *ctx)
{
    struct own *o = ctx;

    if (!take_status(&o->status))
        fd_close(&o->fd);
}

/* `c` NULL: nothing runs, it is only tried. */
static bool run_own(const struct jail_policy *p, const struct jail_command *c, struct own *o, struct jail_result *out,
                    struct err *e)
{
    AUTO_FD order = -1, serve = -1, client = -1;
    int pair[2], ws = 0;
    bool gone = false;
    struct jail_begun begun;

    if (!make_order(p, c ? "" : UPPERS_TRY, !c, &order, e))
        return false;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return err_sys(e, "make a link to blast-jail");
    client = pair[0];
    serve = pair[1];
    bool ok = jail_begin(order, serve, -1, &begun, e);

    fd_close(&serve);
    if (!ok)
        return false;
    o->fd = begun.status;
    o->status = (struct status){ .fd = o->fd, .said = { .limit = STATUS_MAX }, .heard = hear, .ctx = o };
    if (c) {
        struct visit v = { .socket = client, .home = p->home.p, .other = &o->fd, .heard = hear_status, .ctx = o };

        ok = visit_run(&v, c, o->a, out, &gone, e);
    }
    fd_close(&client);
    for (struct pollfd rest = { o->fd, POLLIN, 0 }; o->fd >= 0 && (poll(&rest, 1, -1) >= 0 || errno == EINTR);)
        hear_status(o);
    await_exit(begun.pid, &ws);
    return gone || (WIFSIGNALED(ws) && out->end == JAIL_NOT_STARTED && e->kind == ERR_NONE) ? of_its_end(ws, e) : ok;
}

bool jail_run(const struct jail_policy *p, const struct jail_command *c, struct arena *a, struct jail_result *out,
              struct err *e)
{
    struct own o = { .a = a, .fd = -1 };
    uint64_t begun = clock_us();

    *out = (struct jail_result){ .code = JAIL_NOT_RUN };
    bool ok = run_own(p, c, &o, out, e);

    fd_close(&o.fd);
    buf_clear(&o.status.said);
    out->wall_us = clock_us() - begun;
    if (out->end == JAIL_REFUSED && out->reported)
        (void)jail_report_refusal(&out->report, p, e);
    return ok || err_exit(e, e->exit_code ? e->exit_code : JAIL_NOT_RUN);
}

bool jail_try(const struct jail_policy *p, struct arena *a, struct jail_report *out, struct err *e)
{
    struct own o = { .a = a, .fd = -1, .report = out };
    struct jail_result result = { .code = JAIL_NOT_RUN };
    bool ok = run_own(p, NULL, &o, &result, e);

    fd_close(&o.fd);
    buf_clear(&o.status.said);
    if (ok && o.reported) /* that it would be refused is in the report */
        return true;
    if (e->kind == ERR_NONE && o.failure.kind == ERR_NONE)
        return err_set(e, ERR_ENVIRONMENT, "blast-jail ended without a report");
    if (e->kind == ERR_NONE)
        *e = o.failure;
    return false;
}
