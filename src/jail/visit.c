#include "jail/visit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pass.h"
#include "codec/json.h"
#include "jail/pty.h"
#include "jail/run.h"

#define TICK_MS 200 /* between two looks at what runs */

static const int passed_on[] = { SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2,
                                 SIGALRM, SIGTSTP, SIGCONT, SIGWINCH };

/* ------------------------------------------------------------ messages */

bool visit_send(int socket, const struct visit_message *m, int pass)
{
    return pass_send(socket, (struct str){ (const char *)m, sizeof *m }, pass);
}

struct visit_message visit_error(const struct err *e, int exit_code)
{
    struct visit_message m = { .kind = VISIT_ERROR, .value = exit_code, .sys = e->sys };

    (void)snprintf(m.text, sizeof m.text, "%s", e->text);
    (void)snprintf(m.hint, sizeof m.hint, "%s", e->hint);
    return m;
}

bool visit_receive(int socket, struct visit_message *m, int *got)
{
    struct str whole;

    if (!pass_receive(socket, m, sizeof *m, &whole, got))
        return false;
    if (whole.n != sizeof *m) {
        fd_close(got);
        return false;
    }
    m->text[sizeof m->text - 1] = m->hint[sizeof m->hint - 1] = '\0';
    return true;
}

/* ------------------------------------------------------------ the order */

struct order_header {
    uint32_t magic, words, variables;
};

static size_t count(const char *const *list)
{
    size_t n = 0;

    while (list && list[n])
        n++;
    return n;
}

static void put_texts(struct buf *b, const char *const *list)
{
    for (; list && *list; list++)
        (void)buf_add(b, *list, strlen(*list) + 1);
}

/* Bytes, not JSON, because neither words nor variables need be UTF-8. */
bool visit_order_make(const struct jail_command *c, const char *cwd, int *out, struct err *e)
{
    AUTO_BUF all = { .limit = VISIT_ORDER_MAX };
    struct order_header h = { VISIT_MAGIC, (uint32_t)count(c->argv), (uint32_t)count(c->env) };
    const char *const where[] = { cwd, NULL };

    (void)buf_add(&all, &h, sizeof h);
    put_texts(&all, where);
    put_texts(&all, c->argv);
    put_texts(&all, c->env);
    if (all.full)
        return err_set(e, ERR_ENVIRONMENT, "the command and its environment are larger than %u bytes", VISIT_ORDER_MAX);
    *out = memfd_create("blast-order", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    return (*out >= 0 || err_sys(e, "make the order of a command")) && fd_write_all(*out, all.p, all.n, "order", e) &&
           ((fcntl(*out, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0 &&
             lseek(*out, 0, SEEK_SET) == 0) ||
            err_sys(e, "seal the order of a command"));
}

static bool take_texts(char **at, const char *end, uint32_t n, char **out)
{
    for (uint32_t i = 0; i < n; i++) {
        size_t left = (size_t)(end - *at), k = strnlen(*at, left);

        if (k == left)
            return false;
        out[i] = *at;
        *at += k + 1;
    }
    return true;
}

bool visit_order_read(int fd, struct arena *a, struct visit_order *out, struct err *e)
{
    AUTO_BUF b = { .limit = VISIT_ORDER_MAX };
    struct order_header h;

    if (!fd_read_all(fd, &b, "order", e))
        return false;
    if (b.n < sizeof h)
        return err_set(e, ERR_ENVIRONMENT, "an order of %zu bytes", b.n);
    memcpy(&h, b.p, sizeof h);
    if (h.magic != VISIT_MAGIC)
        return err_set(e, ERR_ENVIRONMENT, "an order of another version: this sandbox was made by another Blast");
    size_t rest = b.n - sizeof h;

    if (h.words == 0 || h.words > rest || h.variables > rest)
        return err_set(e, ERR_ENVIRONMENT, "an order that is cut off");
    char *at = arena_text(a, b.p + sizeof h, rest), *end = at + rest, *cwd = NULL;

    *out = (struct visit_order){
        .argv = ARENA_ARRAY(a, char *, (size_t)h.words + 1),
        .env = ARENA_ARRAY(a, char *, (size_t)h.variables + 1),
    };
    if (!take_texts(&at, end, 1, &cwd) || !take_texts(&at, end, h.words, out->argv) ||
        !take_texts(&at, end, h.variables, out->env))
        return err_set(e, ERR_ENVIRONMENT, "an order that is cut off");
    out->cwd = cwd;
    return true;
}

/* ------------------------------------------------------------ the client */

struct client {
    const struct visit *v;
    const struct jail_command *c;
    struct arena *a;
    struct jail_result *out;
    struct err failure; /* what the sandbox says of why it did not start */
    struct pty pty;
    bool terminal;      /* `pty` is there */
    bool waits;         /* visit_waits_for_terminal(), and it did not ask yet */
    int tty_in, tty_out;
    int signals;
    sigset_t before;
    bool taken;         /* the sandbox has answered */
    bool over;          /* VISIT_END came, or that there will be none */
};

bool visit_waits_for_terminal(bool input, bool output)
{
    return input && !output;
}

/* Terminals among the standard descriptors are never handed in; one of the sandbox's own takes their place. */
static void find_terminals(struct client *k, struct visit_message *m)
{
    k->tty_in = k->tty_out = -1;
    for (unsigned i = 0; i < 3; i++) {
        int fd = k->c->fd[i];

        if (!isatty(fd))
            continue;
        m->use_terminal[i] = 1;
        if (i == 0)
            k->tty_in = fd;
        else if (k->tty_out < 0)
            k->tty_out = fd;
    }
    if (k->tty_in >= 0 && k->tty_out < 0)
        k->tty_out = k->tty_in; /* the echo of what is typed */
    k->waits = visit_waits_for_terminal(m->use_terminal[0], m->use_terminal[1]);
}

static bool ask(struct client *k, struct err *e)
{
    struct visit_message m = { .kind = VISIT_RUN };
    int pass[PASS_MAX];
    size_t n = 1;
    AUTO_FD order = -1;
    AUTO_FD session = k->v->session ? (int)syscall(SYS_pidfd_open, k->v->session, 0) : -1;

    (void)snprintf(m.text, VISIT_NAME, "%s", k->c->argv[0]);
    find_terminals(k, &m);
    if (!visit_order_make(k->c, k->c->cwd ? k->c->cwd : k->v->home, &order, e))
        return false;
    pass[0] = order;
    for (int i = 0; i < 3; i++)
        if (!m.use_terminal[i])
            pass[n++] = k->c->fd[i];
    if (session >= 0) {
        m.session = k->v->session;
        pass[n++] = session;
    }
    k->over = !pass_send_all(k->v->socket, (struct str){ (const char *)&m, sizeof m }, pass, n); /* it is gone */
    return true;
}

static bool block_signals(struct client *k, struct err *e)
{
    sigset_t set;

    k->signals = -1;
    if (!k->c->foreground)
        return true;
    (void)sigemptyset(&set);
    for (size_t i = 0; i < COUNT(passed_on); i++)
        (void)sigaddset(&set, passed_on[i]);
    (void)sigprocmask(SIG_BLOCK, &set, &k->before);
    k->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return k->signals >= 0 || err_sys(e, "listen for signals");
}

static void pass_signal(const struct client *k, int sig, bool group)
{
    struct visit_message m = { .kind = VISIT_SIGNAL, .value = sig, .group = group };

    (void)visit_send(k->v->socket, &m, -1); /* if it is gone the next receive says so */
}

/* Ctrl-Z: we stop, which the shell knows, and leave the terminal to it. What continues us goes on inside. */
static void stop_too(struct client *k)
{
    if (!k->c->foreground)
        return;
    if (k->terminal)
        pty_detach(&k->pty);
    (void)kill(getpid(), SIGSTOP);
}

static void take_signal(struct client *k)
{
    struct signalfd_siginfo s;

    if (read(k->signals, &s, sizeof s) != sizeof s)
        return;
    int sig = (int)s.ssi_signo;

    if (sig == SIGWINCH) {
        if (k->terminal)
            pty_resize(&k->pty);
        return;
    }
    if (sig == SIGCONT && k->terminal && !k->waits)
        pty_attach(&k->pty);
    /* From the keyboard, and on going on, it is for all; from kill(2) for one. */
    pass_signal(k, sig, sig == SIGCONT || s.ssi_code > 0);
    if (sig == SIGTSTP)
        stop_too(k);
}

static void take_report(struct client *k, struct str json)
{
    struct err ignored = { 0 };
    struct json j;

    json_init(&j, arena_str(k->a, json), k->a, &ignored);
    k->out->reported = jail_report_read(&j, k->a, &k->out->report);
    if (k->out->reported && k->c->reported)
        k->c->reported(k->c->ctx, &k->out->report);
}

static void take_failure(struct client *k, const struct visit_message *m)
{
    size_t first = strcspn(m->text, "\n");

    (void)err_set(&k->failure, ERR_ENVIRONMENT, "%s", m->text);
    if (m->hint[0])
        (void)err_hint(&k->failure, "%s", m->hint);
    k->failure.sys = k->out->sys = m->sys;
    k->out->code = m->value;
    (void)snprintf(k->out->stage, sizeof k->out->stage, "%.*s", (int)first, m->text);
}

static void take_end(struct client *k, const struct visit_message *m)
{
    struct jail_result *r = k->out;

    k->over = true;
    if (k->failure.kind != ERR_NONE)
        return;
    r->end = WIFSIGNALED(m->value) ? JAIL_SIGNALLED : JAIL_EXITED;
    r->signal = WIFSIGNALED(m->value) ? WTERMSIG(m->value) : 0;
    r->code = WIFSIGNALED(m->value) ? 128 + WTERMSIG(m->value) : WEXITSTATUS(m->value);
    if (m->text[0])
        r->limit = arena_cstr(k->a, str_of(m->text));
}

static void take_terminal(struct client *k, int *master)
{
    if (*master < 0 || k->terminal)
        return;
    k->terminal = true;
    pty_init(&k->pty, *master, k->tty_in, k->tty_out);
    *master = -1;
    if (!k->waits)
        pty_attach(&k->pty);
}

static void take_stop(struct client *k, int sig)
{
    if (k->terminal && k->waits && (sig == SIGTTIN || sig == SIGTTOU)) {
        k->waits = false;
        pty_attach(&k->pty);
        if (k->pty.raw)
            pass_signal(k, SIGCONT, true);
        else if (k->c->foreground)
            (void)kill(0, sig); /* in the background of the user's terminal: as if it had been asked itself */
    } else if (k->terminal && k->pty.raw) {
        stop_too(k); /* Ctrl-Z in its terminal; a program that stops itself elsewhere must not stop its caller */
    }
}

static void take_message(struct client *k)
{
    static union {
        struct visit_message m;
        struct visit_text text;
    } room; /* one client a process; the stack of a command need not hold it */
    struct str whole;
    AUTO_FD got = -1;

    if (!pass_receive(k->v->socket, &room, sizeof room, &whole, &got)) {
        k->over = true; /* the sandbox was ended under it */
        return;
    }
    k->taken = true;
    if (whole.n > sizeof room.text.kind && room.text.kind == VISIT_REPORT) {
        take_report(k, str_sub(whole, sizeof room.text.kind, whole.n));
        return;
    }
    if (whole.n != sizeof room.m)
        return;
    room.m.text[sizeof room.m.text - 1] = room.m.hint[sizeof room.m.hint - 1] = '\0';
    switch (room.m.kind) {
    case VISIT_TERMINAL:
        take_terminal(k, &got);
        break;
    case VISIT_STOPPED:
        take_stop(k, room.m.value);
        break;
    case VISIT_ERROR:
        take_failure(k, &room.m);
        break;
    case VISIT_GONE:
        take_failure(k, &room.m);
        k->taken = false;
        k->over = true;
        break;
    case VISIT_REFUSED:
        k->out->end = JAIL_REFUSED;
        k->over = true;
        break;
    case VISIT_END:
        take_end(k, &room.m);
        break;
    default: /* nothing else is for us */
        break;
    }
}

/* Milliseconds to wait; 0: the wall clock's limit is passed. */
static int patience(const struct client *k, uint64_t begun)
{
    uint64_t gone = clock_ms() - begun, most = k->c->wall_ms;
    int left = !most ? -1 : gone >= most ? 0 : (int)MIN(most - gone, 1000000u);

    return k->c->tick && (left < 0 || left > TICK_MS) ? TICK_MS : left;
}

static void wait_for_end(struct client *k, const int *other)
{
    uint64_t begun = clock_ms();

    for (int left; !k->over && (left = patience(k, begun)) != 0;) {
        struct pollfd p[5] = { { k->v->socket, POLLIN, 0 }, { k->signals, POLLIN, 0 }, { *other, POLLIN, 0 },
                               { -1, 0, 0 },                { -1, 0, 0 } };

        if (k->terminal)
            pty_poll(&k->pty, p + 3);
        int ready = poll(p, COUNT(p), left);

        if (ready < 0 && errno != EINTR)
            return;
        if (ready == 0 && k->c->tick)
            k->c->tick(k->c->ctx);
        if (p[1].revents)
            take_signal(k);
        if (k->terminal)
            pty_relay(&k->pty, p + 3);
        if (p[2].revents)
            k->v->heard(k->v->ctx);
        if (p[0].revents)
            take_message(k);
    }
    if (!k->over) { /* out of time: the end of the connection ends it */
        k->out->end = JAIL_SIGNALLED;
        k->out->signal = SIGKILL;
        k->out->code = 128 + SIGKILL;
        k->out->limit = "wall clock";
    }
}

bool visit_run(const struct visit *v, const struct jail_command *c, struct arena *a, struct jail_result *out,
               bool *gone, struct err *e)
{
    struct client k = { .v = v, .c = c, .a = a, .out = out };
    int none = -1;

    *gone = false;
    *out = (struct jail_result){ .code = JAIL_NOT_RUN };
    if (!block_signals(&k, e) || !ask(&k, e))
        return err_exit(e, JAIL_NOT_RUN);
    wait_for_end(&k, v->other ? v->other : &none);
    if (k.terminal) {
        pty_drain(&k.pty);
        pty_detach(&k.pty);
        fd_close(&k.pty.master);
    }
    fd_close(&k.signals);
    if (c->foreground)
        (void)sigprocmask(SIG_SETMASK, &k.before, NULL);
    *gone = !k.taken;
    if (k.failure.kind != ERR_NONE) {
        *e = k.failure;
        return err_exit(e, out->code);
    }
    if (out->end == JAIL_NOT_STARTED && k.taken) {
        (void)err_set(e, ERR_ENVIRONMENT, "the sandbox was ended while '%s' ran in it", c->argv[0]);
        return err_exit(e, JAIL_NOT_RUN);
    }
    return k.taken && out->end != JAIL_REFUSED;
}
