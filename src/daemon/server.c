#include "daemon/server.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "build_config.h"
#include "config/dirs.h"
#include "daemon/crash.h"
#include "daemon/notify.h"
#include "daemon/scheduler.h"
#include "daemon/server_priv.h"
#include "sync/audit.h"
#include "wire/launch.h"

#define DRAIN_MS 5000 /* for running jobs to end by themselves; ending one is safe, and it stays in the queue */

static const int signal_numbers[] = { SIGTERM, SIGINT, SIGHUP };

void server_remove_waiter(struct server *s, struct waiter *w)
{
    for (struct waiter **at = &s->waiters; *at; at = &(*at)->next)
        if (*at == w) {
            *at = w->next;
            break;
        }
    w->peer->waiting--;
    free(w);
}

static void stop_loop(uv_timer_t *timer)
{
    uv_stop(timer->loop);
}

/* Called from inside the scheduler, which may not be stopped there: the loop goes on for one turn. */
static void drained(void *ctx)
{
    struct server *s = ctx;

    (void)uv_timer_start(&s->drain, stop_loop, 0, 0); /* fails only for a closed handle */
}

void server_end(struct server *s, enum server_end how, const char *why)
{
    if (s->end != END_NONE) {
        s->end = how == END_STOP ? END_STOP : s->end; /* being asked to stop beats an upgrade */
        return;
    }
    log_write(&s->log, LOG_INFO, "%s: %s", how == END_STOP ? "ends" : "becomes the new program", why);
    notify_send(how == END_STOP ? "STOPPING=1" : "RELOADING=1");
    s->end = how;
    s->since = clock_now();
    peers_stop_accepting(s->peers);
    (void)uv_timer_stop(&s->idle); /* never fails */
    (void)uv_timer_start(&s->drain, stop_loop, DRAIN_MS, 0); /* fails only for a closed handle */
    scheduler_drain(s->scheduler, drained, s);
}

static bool holds_foreground(const struct server *s)
{
    for (const struct peer *p = peers_next(s->peers, NULL); p; p = peers_next(s->peers, p))
        if (p->foreground)
            return true;
    return false;
}

static bool is_missed(const struct server *s)
{
    return peers_figures(s->peers)->open > 0 || !scheduler_is_idle(s->scheduler);
}

/* One who came since and only looks on has changed nothing; when it goes, considered() comes again. */
static void idled(uv_timer_t *timer)
{
    struct server *s = timer->data;

    if (!is_missed(s))
        server_end(s, END_STOP, "nobody has needed it for a while");
}

/* After each change: is it time for the new program, and would anybody miss the daemon? */
static void considered(uv_timer_t *timer)
{
    struct server *s = timer->data;
    struct scheduler_metrics m;

    if (s->end != END_NONE)
        return;
    scheduler_metrics(s->scheduler, &m);
    if (s->upgrade_found && m.jobs_running == 0 && !s->waiters && !holds_foreground(s)) {
        server_end(s, END_UPGRADE, "the program was replaced");
        return;
    }
    if (s->config.idle_ms == 0 || is_missed(s))
        (void)uv_timer_stop(&s->idle); /* never fails */
    else if (!uv_is_active((const uv_handle_t *)&s->idle))
        (void)uv_timer_start(&s->idle, idled, s->config.idle_ms, 0); /* fails only for a closed handle */
}

void server_consider(struct server *s)
{
    if (s->end == END_NONE && !uv_is_active((const uv_handle_t *)&s->consider))
        (void)uv_timer_start(&s->consider, considered, 0, 0); /* fails only for a closed handle */
}

static void upgrade_found(void *ctx)
{
    struct server *s = ctx;

    s->upgrade_found = true;
    log_write(&s->log, LOG_INFO, "%s was replaced", s->upgrade.program);
    server_consider(s);
}

static void session_died(void *ctx, const char *path, uint64_t pid)
{
    struct server *s = ctx;

    (void)scheduler_session_end(s->scheduler, path, (int64_t)pid); /* it knew of it as we did */
    tell_session_event(s, str_of(path), pid, false);
    server_consider(s);
}

static void signalled(uv_signal_t *handle, int number)
{
    struct server *s = handle->data;

    if (number == SIGHUP) {
        if (!singleton_has_socket(&s->single))
            server_end(s, END_STOP, "its socket was taken away");
        return;
    }
    if (s->end == END_STOP)
        uv_stop(&s->loop); /* the second time: without waiting for jobs */
    else
        server_end(s, END_STOP, number == SIGTERM ? "SIGTERM" : "SIGINT");
}

static void resume_project(void *ctx, const struct roster_entry *entry)
{
    struct server *s = ctx;
    struct err e = { 0 };

    if (!entry->always && access(entry->path.p, F_OK) < 0)
        roster_drop_project(&s->roster, entry->path);
    else if (!scheduler_project_add(s->scheduler, entry->path.p, entry->always, &e))
        log_write(&s->log, LOG_WARNING, "project " STR_FMT ": %s", STR_ARG(entry->path), e.text);
}

static void resume_session(void *ctx, const struct roster_entry *entry)
{
    struct server *s = ctx;
    struct err e = { 0 };

    if (sessions_resume(s->sessions, entry) &&
        !scheduler_session_begin(s->scheduler, entry->path.p, (int64_t)entry->pid, &e))
        log_write(&s->log, LOG_WARNING, "session " STR_FMT ": %s", STR_ARG(entry->path), e.text);
}

static bool open_scheduler(struct server *s, struct err *e)
{
    struct scheduler_config config = { .state = s->seat.own, .dirs = s->config.dirs, .event = tell_event, .ctx = s };
    const struct sessions_config sessions = { &s->loop, &s->roster, s, session_died };
    AUTO_ARENA a = { 0 };

    if (!launch_beside("blast", &s->a, &config.blast, e) || !roster_open(s->seat.own, &s->roster, e) ||
        !scheduler_start(&s->loop, &config, &s->scheduler, e))
        return false;
    s->sessions = sessions_new(&sessions);
    if (!roster_projects(&s->roster, &a, resume_project, s, e) ||
        !roster_sessions(&s->roster, &a, resume_session, s, e))
        return false;
    scheduler_ready(s->scheduler);
    return true;
}

static bool open_handles(struct server *s, struct err *e)
{
    uv_timer_t *const timers[] = { &s->idle, &s->consider, &s->drain };

    if (uv_loop_init(&s->loop) < 0)
        return err_set(e, ERR_DAEMON, "make the event loop");
    for (size_t i = 0; i < COUNT(timers); i++) {
        (void)uv_timer_init(&s->loop, timers[i]); /* never fails */
        timers[i]->data = s;
    }
    for (size_t i = 0; i < COUNT(signal_numbers); i++) {
        s->signals[i].data = s;
        if (uv_signal_init(&s->loop, &s->signals[i]) < 0 ||
            uv_signal_start(&s->signals[i], signalled, signal_numbers[i]) < 0)
            return err_set(e, ERR_DAEMON, "handle signal %d", signal_numbers[i]);
    }
    return upgrade_watch(&s->loop, upgrade_found, s, &s->upgrade, e);
}

static bool open_server(struct server *s, struct err *e)
{
    if (!open_handles(s, e))
        return false;
    const struct peers_config peers = { &s->loop, s->single.listen_fd, s, answer_line, answer_gone };

    return peers_open(&peers, &s->peers, e) && open_scheduler(s, e);
}

/* A line of the audit log; without it the daemon still works. */
static void audit(struct server *s, enum audit_event event)
{
    struct err e = { 0 };
    char data[64];

    (void)snprintf(data, sizeof data, "{\"pid\":%ld}", (long)getpid());
    const struct audit_entry entry = { .event = event, .actor = STR("daemon"), .data = str_of(data) };

    if (!audit_append(s->config.dirs, &entry, &e))
        log_write(&s->log, LOG_WARNING, "audit log: %s", e.text);
}

/* Connections are accepted, by us or by another one. */
static void tell_starter(struct server *s)
{
    static const char ready[] = "ready\n";

    if (s->config.ready_fd >= 0) {
        ssize_t ignored = write(s->config.ready_fd, ready, sizeof ready - 1);

        (void)ignored; /* a starter that has gone does not need to know */
        fd_close(&s->config.ready_fd);
    }
    singleton_ready(&s->single);
}

static void say_ready(struct server *s)
{
    log_write(&s->log, LOG_INFO, "blast " BLAST_VERSION " listens on %s", s->single.socket);
    tell_starter(s);
    notify_send("READY=1");
    audit(s, AUDIT_DAEMON_START);
}

/* Everything but the connections: those who asked for the end hear of it when it has come. */
static void put_away(struct server *s)
{
    tell_goodbye(s);
    scheduler_stop(s->scheduler);
    s->scheduler = NULL;
    sessions_close(s->sessions);
    upgrade_close(&s->upgrade);
    uv_close((uv_handle_t *)&s->idle, NULL);
    uv_close((uv_handle_t *)&s->consider, NULL);
    uv_close((uv_handle_t *)&s->drain, NULL);
    for (size_t i = 0; i < COUNT(signal_numbers); i++)
        uv_close((uv_handle_t *)&s->signals[i], NULL);
    (void)uv_run(&s->loop, UV_RUN_NOWAIT); /* close callbacks; the connections are still open */
    sessions_free(s->sessions);
    roster_close(&s->roster);
    if (s->end == END_STOP)
        singleton_leave(&s->single);
}

static bool become_new(struct server *s, struct err *e)
{
    const int fds[] = { s->single.lock_fd, s->single.listen_fd };
    char lock[32], listen[32], idle[40];
    const char *argv[8] = { s->upgrade.program, lock, listen, idle };
    size_t n = 4;

    (void)snprintf(lock, sizeof lock, "--lock-fd=%d", fds[0]);
    (void)snprintf(listen, sizeof listen, "--listen-fd=%d", fds[1]);
    (void)snprintf(idle, sizeof idle, "--idle-ms=%llu", (unsigned long long)s->config.idle_ms);
    if (s->single.activated)
        argv[n++] = "--activated";
    if (s->config.verbose)
        argv[n++] = "--verbose";
    argv[n] = NULL;
    return upgrade_become(&s->upgrade, argv, fds, COUNT(fds), e);
}

static bool close_server(struct server *s, struct err *e)
{
    bool ok = true;

    put_away(s);
    audit(s, AUDIT_DAEMON_STOP); /* also before an upgrade: the new program says that it began */
    answer_ended(s, true);
    peers_close(s->peers);
    (void)uv_run(&s->loop, UV_RUN_DEFAULT); /* what is left of the connections */
    peers_free(s->peers);
    (void)uv_loop_close(&s->loop); /* nothing is left in it */
    if (s->end == END_UPGRADE) {
        ok = become_new(s, e); /* returns only when it did not work */
        log_write(&s->log, LOG_ERROR, "%s", e->text);
        singleton_leave(&s->single);
    }
    upgrade_clear(&s->upgrade);
    log_write(&s->log, LOG_INFO, "ended");
    return ok;
}

static bool take_place(struct server *s, bool *taken, struct err *e)
{
    s->single = (struct singleton){
        .lock_fd = s->config.lock_fd,
        .start_fd = s->config.start_fd,
        .listen_fd = s->config.listen_fd,
        .activated = s->config.activated,
    };
    return seat_find(s->config.dirs, &s->a, &s->seat, e) && singleton_take(&s->seat, &s->a, &s->single, taken, e);
}

bool server_run(const struct server_config *config, bool *ran, struct err *e)
{
    static struct server s; /* one a process: its log is what a crash report is made from */

    s = (struct server){ .config = *config, .started = clock_now() };
    if (!take_place(&s, ran, e))
        return false;
    if (!*ran) {
        tell_starter(&s);
        return true;
    }
    if (!log_open(s.seat.log, config->verbose, &s.log, e) || !crash_install(s.seat.crash, &s.log, e) ||
        !open_server(&s, e)) {
        singleton_leave(&s.single); /* the process ends now, and the kernel takes the rest */
        return false;
    }
    say_ready(&s);
    server_consider(&s);
    (void)uv_run(&s.loop, UV_RUN_DEFAULT); /* until uv_stop() */
    bool ok = close_server(&s, e);

    log_close(&s.log);
    arena_clear(&s.a);
    return ok;
}
