#include "daemon/scheduler.h"

#include <limits.h>
#include <stdarg.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "daemon/scheduler_priv.h"

#define QUEUE_FILE "queue"
#define SEEN_FILE "seen"
#define TURN_CHANGES 64 /* projects' changes handled before the loop gets its turn */

static void turn(struct scheduler *s);

/* ------------------------------------------------------------ telling */

void scheduler_emit(struct scheduler *s, const struct daemon_event *event)
{
    if (!s->stopped && s->config.event)
        s->config.event(s->config.ctx, event);
}

void scheduler_log(struct scheduler *s, const char *project, const char *fmt, ...)
{
    char text[700];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args);
    va_end(args);
    scheduler_emit(s, &(struct daemon_event){ .kind = EVENT_LOG, .project = str_of(project), .text = str_of(text) });
}

void scheduler_project_changed(struct project *p)
{
    scheduler_emit(p->s, &(struct daemon_event){ .kind = EVENT_PROJECT, .project = str_of(p->path) });
}

static void say(void *user, const char *text)
{
    struct project *p = user;

    scheduler_emit(p->s, &(struct daemon_event){
                             .kind = EVENT_NOTICE, .project = str_of(p->path), .text = str_of(text) });
}

void scheduler_save(struct scheduler *s)
{
    struct err e = { 0 };
    const char *frame;
    unsigned n;

    if (queue_save(&s->queue, s->dir, QUEUE_FILE, &e) && seen_save(&s->seen, s->dir, SEEN_FILE, &e))
        return;
    for (unsigned i = 0; err_frame(&e, i, &frame, &n); i++)
        scheduler_log(s, NULL, "%.*s", (int)n, frame);
}

/* ------------------------------------------------------------ the loop */

static void timer_fired(uv_timer_t *t)
{
    turn(t->data);
}

static void events_came(uv_poll_t *h, int status, int events)
{
    struct scheduler *s = h->data;

    (void)status, (void)events;
    watch_read(s->watch, clock_ms());
    turn(s);
}

static uint64_t ms_until(int64_t at, int64_t now)
{
    return at <= now ? 0 : (uint64_t)(at - now) * 1000;
}

static void arm(struct scheduler *s)
{
    uint64_t now = clock_ms(), wait = WATCH_NEVER;
    int64_t wall = clock_now(), at;

    if (s->stopped)
        return;
    uint64_t watch = watch_deadline(s->watch, now);

    if (watch != WATCH_NEVER)
        wait = watch <= now ? 0 : watch - now;
    if (!s->draining && (at = jobs_due(s)))
        wait = MIN(wait, ms_until(at, wall));
    for (size_t i = 0; i < s->projects.n; i++)
        if ((at = project_deadline(s->projects.p[i])))
            wait = MIN(wait, ms_until(at, wall));
    if (s->kicked)
        wait = 0;
    if (wait == WATCH_NEVER) {
        (void)uv_timer_stop(&s->timer);
        return;
    }
    uv_update_time(s->loop);
    (void)uv_timer_start(&s->timer, timer_fired, wait, 0);
}

void scheduler_kick(struct scheduler *s)
{
    s->kicked = true;
    arm(s);
}

static void tell_drained(struct scheduler *s)
{
    void (*drained)(void *) = s->drained;

    if (!s->draining || !drained || s->running.n)
        return;
    s->drained = NULL;
    drained(s->drained_ctx);
}

/* Everything that is due, in the order of cause and effect. */
static void turn(struct scheduler *s)
{
    struct watch_change c;
    int64_t wall = clock_now();

    s->kicked = false;
    for (unsigned i = 0; i < TURN_CHANGES && watch_next(s->watch, clock_ms(), &c); i++)
        project_changed(c.user, &c);
    for (size_t i = 0; i < s->projects.n; i++)
        project_due(s->projects.p[i], wall);
    jobs_start(s);
    for (size_t i = 0; i < s->projects.n; i++) {
        struct project *p = s->projects.p[i];
        char text[WATCH_TEXT] = "off";

        if (p->root)
            watch_describe(p->root, text);
        if (strcmp(text, p->watch_text) != 0) {
            memcpy(p->watch_text, text, sizeof text);
            scheduler_project_changed(p);
        }
    }
    scheduler_save(s);
    tell_drained(s);
    arm(s);
}

/* ------------------------------------------------------------ life */

bool scheduler_start(struct uv_loop_s *loop, const struct scheduler_config *config, struct scheduler **out,
                     struct err *e)
{
    struct scheduler *s = mem_zero(1, sizeof *s);
    struct watch_options options = { .say = say };
    bool damaged[2] = { false, false };

    s->config = *config;
    s->config.max_jobs = config->max_jobs ? config->max_jobs : 2;
    s->loop = loop;
    s->dir = -1;
    queue_init(&s->queue);
    if (!fd_open_dir(AT_FDCWD, config->state, &s->dir, e) ||
        !queue_load(&s->queue, s->dir, QUEUE_FILE, &damaged[0], e) ||
        !seen_load(&s->seen, s->dir, SEEN_FILE, &damaged[1], e)) {
        queue_clear(&s->queue);
        seen_clear(&s->seen);
        fd_close(&s->dir);
        free(s);
        return err_as(e, ERR_DAEMON, "start the scheduler");
    }
    s->watch = watch_open(&options);
    s->timer.data = s->poll.data = s;
    (void)uv_timer_init(loop, &s->timer);
    s->handles = 1;
    if (watch_fd(s->watch) >= 0 && uv_poll_init(loop, &s->poll, watch_fd(s->watch)) == 0) {
        s->polling = true;
        s->handles++;
        (void)uv_poll_start(&s->poll, UV_READABLE, events_came);
    }
    if (damaged[0] || damaged[1])
        scheduler_log(s, NULL, "'%s' in %s is damaged and begins anew", damaged[0] ? QUEUE_FILE : SEEN_FILE,
                      config->state);
    *out = s;
    return true;
}

void scheduler_ready(struct scheduler *s)
{
    s->ready = true;
    for (size_t i = s->queue.jobs.n; i > 0; i--)
        if (!scheduler_find(s, s->queue.jobs.p[i - 1]->path))
            queue_remove(&s->queue, s->queue.jobs.p[i - 1]);
    scheduler_kick(s);
}

static void free_project(struct project *p)
{
    project_deactivate(p);
    project_clear_rules(p);
    closure_clear(&p->closure);
    VEC_CLEAR(&p->sessions);
    free(p->message);
    free(p->path);
    free(p);
}

static void handle_closed(uv_handle_t *h)
{
    struct scheduler *s = h->data;

    if (--s->handles == 0)
        free(s);
}

void scheduler_stop(struct scheduler *s)
{
    s->stopped = true;
    jobs_abandon(s);
    scheduler_save(s);
    for (size_t i = 0; i < s->projects.n; i++)
        free_project(s->projects.p[i]);
    VEC_CLEAR(&s->projects);
    queue_clear(&s->queue);
    seen_clear(&s->seen);
    fd_close(&s->dir);
    if (s->polling) {
        (void)uv_poll_stop(&s->poll);
        uv_close((uv_handle_t *)&s->poll, handle_closed);
    }
    watch_close(s->watch);
    uv_close((uv_handle_t *)&s->timer, handle_closed);
}

void scheduler_drain(struct scheduler *s, void (*drained)(void *ctx), void *ctx)
{
    s->draining = true;
    s->drained = drained;
    s->drained_ctx = ctx;
    scheduler_kick(s);
}

bool scheduler_is_idle(const struct scheduler *s)
{
    for (size_t i = 0; i < s->projects.n; i++)
        if (project_is_active(s->projects.p[i]) || s->projects.p[i]->foreground)
            return false;
    return s->queue.jobs.n == 0;
}

/* ------------------------------------------------------------ projects */

struct project *scheduler_find(const struct scheduler *s, const char *path)
{
    for (size_t i = 0; i < s->projects.n; i++)
        if (strcmp(s->projects.p[i]->path, path) == 0)
            return s->projects.p[i];
    return NULL;
}

bool project_is_active(const struct project *p)
{
    return p->always || p->sessions.n > 0;
}

/* After `always` or the sessions changed. */
static void attend(struct project *p)
{
    bool active = project_is_active(p);

    if (active && !p->root)
        project_activate(p);
    else if (!active)
        project_deactivate(p);
    if (p->root)
        watch_attend(p->root, p->sessions.n > 0, clock_ms());
    scheduler_project_changed(p);
    scheduler_kick(p->s);
}

static bool add_project(struct scheduler *s, const char *path, struct project **out, struct err *e)
{
    size_t n = strlen(path);

    if (path[0] != '/' || n >= PATH_MAX || (n > 1 && path[n - 1] == '/'))
        return err_set(e, ERR_DAEMON, "'%s' is not an absolute path", path);
    if (s->projects.n >= PROJECTS_MAX)
        return err_set(e, ERR_DAEMON, "%zu projects are looked after, the limit is %d", s->projects.n, PROJECTS_MAX);
    struct project *p = mem_zero(1, sizeof *p);

    p->s = s;
    p->path = mem_dup(path, n);
    p->first_seen = clock_now();
    p->seen = seen_get(&s->seen, path, p->first_seen);
    (void)snprintf(p->watch_text, sizeof p->watch_text, "off");
    VEC_PUSH(&s->projects, p);
    *out = p;
    return true;
}

bool scheduler_project_add(struct scheduler *s, const char *path, bool always, struct err *e)
{
    struct project *p = scheduler_find(s, path);

    if (!p && !add_project(s, path, &p, e))
        return false;
    p->always = always;
    attend(p);
    return true;
}

bool scheduler_project_remove(struct scheduler *s, const char *path)
{
    struct project *p = scheduler_find(s, path);

    if (!p)
        return false;
    jobs_cancel_project(p);
    for (size_t i = 0; i < s->projects.n; i++)
        if (s->projects.p[i] == p) {
            s->projects.p[i] = s->projects.p[--s->projects.n];
            break;
        }
    scheduler_project_changed(p);
    free_project(p);
    scheduler_kick(s);
    return true;
}

static const char *project_state(const struct project *p, const struct queue_job *running, size_t waiting)
{
    if (running)
        return "running";
    if (p->root && watch_waits_for(p->root))
        return watch_waits_for(p->root)[0] == 'h' ? "waiting for hg" : "waiting for git";
    if (p->root && watch_is_settling(p->root))
        return "settling";
    if (waiting)
        return "waiting";
    if (!project_is_active(p) || !p->rules.monitor)
        return "paused";
    return p->failed ? "failed" : "idle";
}

static void describe(const struct project *p, struct scheduler_project *out)
{
    const struct scheduler *s = p->s;
    const struct queue_job *running = queue_running(&s->queue, p->path);
    size_t waiting = queue_count(&s->queue, p->path, JOB_WAITING);

    *out = (struct scheduler_project){
        .path = str_of(p->path),
        .always = p->always,
        .gone = p->gone,
        .sessions = p->sessions.n,
        .state = project_state(p, running, waiting),
        .watch = str_of(p->watch_text),
        .message = str_of(p->message),
        .last_sync = p->seen->sync,
        .last_check = p->seen->check,
        .last_change = p->seen->change,
        .waiting = waiting,
    };
    if (running) {
        out->job = running->id;
        out->verb = running->verb;
        out->since = running->started;
    }
}

bool scheduler_project_find(struct scheduler *s, const char *path, struct scheduler_project *out)
{
    const struct project *p = scheduler_find(s, path);

    if (!p)
        return false;
    describe(p, out);
    return true;
}

bool scheduler_project_each(struct scheduler *s, size_t *i, struct scheduler_project *out)
{
    if (*i >= s->projects.n)
        return false;
    describe(s->projects.p[(*i)++], out);
    return true;
}

/* ------------------------------------------------------------ sessions */

bool scheduler_session_begin(struct scheduler *s, const char *path, int64_t pid, struct err *e)
{
    struct project *p = scheduler_find(s, path);

    if (!p && !add_project(s, path, &p, e))
        return false;
    for (size_t i = 0; i < p->sessions.n; i++)
        if (p->sessions.p[i] == pid)
            return true;
    if (p->sessions.n >= SESSIONS_MAX)
        return err_set(e, ERR_DAEMON, "%zu shells work in '%s', the limit is %d", p->sessions.n, path, SESSIONS_MAX);
    VEC_PUSH(&p->sessions, pid);
    attend(p);
    return true;
}

bool scheduler_session_end(struct scheduler *s, const char *path, int64_t pid)
{
    struct project *p = scheduler_find(s, path);

    for (size_t i = 0; p && i < p->sessions.n; i++)
        if (p->sessions.p[i] == pid) {
            p->sessions.p[i] = p->sessions.p[--p->sessions.n];
            attend(p);
            return true;
        }
    return false;
}

void scheduler_foreground(struct scheduler *s, const char *path)
{
    struct project *p = scheduler_find(s, path);

    if (!p)
        return;
    if (p->foreground++ == 0)
        jobs_hold(p);
}

void scheduler_foreground_end(struct scheduler *s, const char *path)
{
    struct project *p = scheduler_find(s, path);

    if (!p || p->foreground == 0 || --p->foreground > 0)
        return;
    project_look_held(p);
    scheduler_kick(s);
}

void scheduler_import_missing(struct scheduler *s, const char *path, struct str name, struct str file, unsigned line)
{
    struct project *p = scheduler_find(s, path);

    if (p)
        project_import(p, name, file, line);
}

void scheduler_metrics(const struct scheduler *s, struct scheduler_metrics *out)
{
    struct watch_figures f;

    watch_figures(s->watch, &f);
    *out = s->metrics;
    out->file_events = f.events;
    out->overflows = f.overflows;
    out->rescans = f.scans;
    out->watches = f.watches;
    out->projects = s->projects.n;
    for (size_t i = 0; i < s->projects.n; i++)
        out->sessions += s->projects.p[i]->sessions.n;
    out->jobs_waiting = queue_count(&s->queue, NULL, JOB_WAITING);
    out->jobs_running = queue_count(&s->queue, NULL, JOB_RUNNING);
}
