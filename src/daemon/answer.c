/* What the server answers: one function a request. */
#include <stdarg.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/mem.h"
#include "build_config.h"
#include "codec/json_write.h"
#include "daemon/scheduler.h"
#include "daemon/server_priv.h"

struct call {
    struct server *s;
    struct peer *peer;
    const struct wire_request *r;
};

static void fault(const struct call *c, enum wire_fault code, const char *fmt, ...) PRINTF(3, 4);

static void fault(const struct call *c, enum wire_fault code, const char *fmt, ...)
{
    char text[1024];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(text, sizeof text, fmt, args); /* a longer one is cut: it is for reading */
    va_end(args);
    c->s->faults[code]++;
    wire_write_error(peer_begin(c->peer), c->r->id, code, str_of(text));
    (void)!peer_commit(c->peer); /* an error is never too long */
}

/* The frames of an error in one line, the innermost last, and what the user can do. */
static void failed(const struct call *c, enum wire_fault code, const struct err *e)
{
    AUTO_BUF b = { .limit = 4096 };
    const char *frame;
    unsigned n;

    for (unsigned i = 0; err_frame(e, i, &frame, &n); i++)
        (void)buf_printf(&b, "%s%.*s", i ? ": " : "", (int)n, frame);
    if (e->hint[0])
        (void)buf_printf(&b, " (%s)", e->hint);
    fault(c, code, STR_FMT, STR_ARG(buf_done(&b)));
}

static void begin(const struct call *c, struct json_write *w)
{
    wire_write_result(peer_begin(c->peer), c->r->id, w);
}

static void finish(const struct call *c, struct json_write *w)
{
    wire_write_end(w);
    if (!peer_commit(c->peer))
        fault(c, WIRE_FAULT_FAILED, "the answer has more than %u bytes", WIRE_LINE_MAX);
}

static void finish_flag(const struct call *c, const char *name, bool value)
{
    struct json_write w;

    begin(c, &w);
    json_write_member_bool(&w, name, value);
    finish(c, &w);
}

static struct str text_of(const struct call *c, const char *name)
{
    return wire_value_get(c->r, name)->text;
}

static uint64_t count_of(const struct call *c, const char *name)
{
    return wire_value_get(c->r, name)->count;
}

/* Requests are in an arena: the view has a NUL behind it only as a copy. */
static const char *path_of(const struct call *c, struct arena *a)
{
    return arena_cstr(a, text_of(c, "path"));
}

static void write_moment(struct json_write *w, const char *name, int64_t seconds)
{
    json_write_member_u64(w, name, seconds > 0 ? (uint64_t)seconds : 0);
}

static void write_optional(struct json_write *w, const char *name, struct str text)
{
    if (text.n)
        json_write_member(w, name, text);
}

static void write_project(struct json_write *w, const struct scheduler_project *p)
{
    json_write_object_begin(w);
    json_write_member(w, "path", p->path);
    json_write_member_bool(w, "always", p->always);
    json_write_member_bool(w, "gone", p->gone);
    json_write_member_u64(w, "sessions", p->sessions);
    json_write_member_cstr(w, "state", p->state);
    json_write_member(w, "watch", p->watch);
    write_optional(w, "message", p->message);
    write_moment(w, "last_sync", p->last_sync);
    write_moment(w, "last_check", p->last_check);
    write_moment(w, "last_change", p->last_change);
    if (p->job) {
        json_write_member_u64(w, "job", p->job);
        json_write_member_cstr(w, "verb", job_verb_word(p->verb));
        write_moment(w, "since", p->since);
    }
    json_write_member_u64(w, "waiting", p->waiting);
    json_write_object_end(w);
}

static void write_jobs(struct json_write *w, struct scheduler *scheduler)
{
    struct scheduler_job_info j;

    json_write_key(w, STR("jobs"));
    json_write_array_begin(w);
    for (size_t i = 0; scheduler_job_each(scheduler, &i, &j);) {
        json_write_object_begin(w);
        json_write_member_u64(w, "job", j.job);
        json_write_member(w, "path", j.path);
        json_write_member_cstr(w, "verb", job_verb_word(j.verb));
        json_write_member_cstr(w, "priority", job_priority_word(j.priority));
        json_write_member_cstr(w, "state", job_state_word(j.state));
        json_write_member(w, "reason", j.reason);
        write_moment(w, "submitted", j.submitted);
        write_moment(w, "started", j.started);
        write_moment(w, "not_before", j.not_before);
        json_write_member_u64(w, "attempts", j.attempts);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

/* What is done now, in words, and since when: the job that runs longest, or the end that is being waited for. */
static struct str doing(struct server *s, struct arena *a, int64_t *since)
{
    struct scheduler_job_info j;
    struct str text = STR("nothing");

    *since = s->started;
    for (size_t i = 0; scheduler_job_each(s->scheduler, &i, &j);)
        if (j.state == JOB_RUNNING && (str_eq(text, STR("nothing")) || j.started < *since)) {
            *since = j.started;
            text = arena_printf(a, "%s of " STR_FMT, job_verb_word(j.verb), STR_ARG(j.path));
        }
    if (s->end != END_NONE) {
        text = arena_printf(a, "about to %s; waits for: " STR_FMT,
                            s->end == END_STOP ? "end" : "become the new program", STR_ARG(text));
        *since = s->since;
    }
    return text;
}

static void status(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    struct server *s = c->s;
    struct scheduler_metrics m;
    struct json_write w;
    int64_t since;
    struct str what = doing(s, &a, &since);

    scheduler_metrics(s->scheduler, &m);
    begin(c, &w);
    json_write_member_u64(&w, "pid", (uint64_t)getpid());
    json_write_member_cstr(&w, "build", BLAST_VERSION);
    json_write_member_u64(&w, "proto", WIRE_PROTO);
    write_moment(&w, "started", s->started);
    json_write_member_cstr(&w, "state", s->end == END_NONE ? "running" : "draining");
    json_write_member(&w, "doing", what);
    write_moment(&w, "since", since);
    json_write_member_cstr(&w, "socket", s->single.socket);
    json_write_member(&w, "log", arena_printf(&a, "%s/" LOG_FILE, s->seat.log));
    json_write_member_u64(&w, "projects", m.projects);
    json_write_member_u64(&w, "sessions", sessions_count(s->sessions));
    json_write_member_u64(&w, "connections", peers_figures(s->peers)->open);
    write_jobs(&w, s->scheduler);
    json_write_member_bool(&w, "upgrade", s->upgrade_found);
    json_write_member_bool(&w, "activated", s->single.activated);
    finish(c, &w);
}

static struct waiter *add_waiter(const struct call *c)
{
    struct waiter *w = mem_zero(1, sizeof *w);

    *w = (struct waiter){
        .server = c->s,
        .peer = c->peer,
        .id = c->r->id,
        .method = c->r->method,
        .next = c->s->waiters,
    };
    c->s->waiters = w;
    c->peer->waiting++;
    return w;
}

static void stop(const struct call *c)
{
    (void)add_waiter(c); /* in the list of waiters, which owns it */
    server_end(c->s, END_STOP, "asked to stop");
}

static void drain(const struct call *c)
{
    if (!upgrade_is_there(&c->s->upgrade)) {
        finish_flag(c, "reexec", false);
        return;
    }
    (void)add_waiter(c); /* in the list of waiters, which owns it */
    server_end(c->s, END_UPGRADE, "asked to become the new program");
}

static void metrics(const struct call *c)
{
    AUTO_BUF text = { .limit = WIRE_LINE_MAX / 2 };
    struct json_write w;

    figures_text(c->s, &text);
    begin(c, &w);
    json_write_member(&w, "text", buf_done(&text));
    finish(c, &w);
}

static void subscribe(const struct call *c)
{
    const struct wire_value *path = wire_value_get(c->r, "path");

    free(c->peer->only);
    c->peer->only = path->given ? mem_dup(path->text.p, path->text.n) : NULL;
    c->peer->subscription = c->r->id;
    c->peer->subscribed = true;
}

static void answer_project(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    struct scheduler_project p;
    struct json_write w;

    if (!scheduler_project_find(c->s->scheduler, path_of(c, &a), &p)) {
        fault(c, WIRE_FAULT_UNKNOWN, "'%s' is no project of the daemon", path_of(c, &a));
        return;
    }
    begin(c, &w);
    json_write_key(&w, STR("project"));
    write_project(&w, &p);
    finish(c, &w);
}

static void project_add(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    const char *path = path_of(c, &a);
    const struct wire_value *always = wire_value_get(c->r, "always");
    struct scheduler_project known;
    bool was = scheduler_project_find(c->s->scheduler, path, &known);
    bool keep = always->given ? always->count : was && known.always;

    if (!scheduler_project_add(c->s->scheduler, path, keep, &e) ||
        ((!was || known.always != keep) && !roster_put_project(&c->s->roster, str_of(path), keep, &e)))
        failed(c, WIRE_FAULT_FAILED, &e);
    else
        answer_project(c);
    server_consider(c->s);
}

static void project_remove(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    const char *path = path_of(c, &a);

    sessions_end_all(c->s->sessions, str_of(path));
    roster_drop_project(&c->s->roster, str_of(path));
    finish_flag(c, "removed", scheduler_project_remove(c->s->scheduler, path));
    server_consider(c->s);
}

static void project_list(const struct call *c)
{
    struct scheduler_project p;
    struct json_write w;

    begin(c, &w);
    json_write_key(&w, STR("projects"));
    json_write_array_begin(&w);
    for (size_t i = 0; scheduler_project_each(c->s->scheduler, &i, &p);)
        write_project(&w, &p);
    json_write_array_end(&w);
    finish(c, &w);
}

static void session_begin(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    const char *path = path_of(c, &a);
    uint64_t pid = count_of(c, "pid");
    struct scheduler_project known;
    bool was = scheduler_project_find(c->s->scheduler, path, &known);
    struct json_write w;

    if (!sessions_begin(c->s->sessions, str_of(path), pid, &e)) {
        failed(c, WIRE_FAULT_UNKNOWN, &e);
        return;
    }
    if (!scheduler_session_begin(c->s->scheduler, path, (int64_t)pid, &e) ||
        (!was && !roster_put_project(&c->s->roster, str_of(path), false, &e))) {
        (void)sessions_end(c->s->sessions, str_of(path), pid); /* it was just begun */
        failed(c, WIRE_FAULT_FAILED, &e);
        return;
    }
    tell_session_event(c->s, str_of(path), pid, true);
    begin(c, &w);
    json_write_member(&w, "session", arena_printf(&a, "%llu", (unsigned long long)pid));
    finish(c, &w);
    server_consider(c->s);
}

static void session_end(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    const char *path = path_of(c, &a);
    uint64_t pid = count_of(c, "pid");
    bool ended = sessions_end(c->s->sessions, str_of(path), pid);

    if (ended) {
        (void)scheduler_session_end(c->s->scheduler, path, (int64_t)pid); /* it knew of it as we did */
        tell_session_event(c->s, str_of(path), pid, false);
    }
    finish_flag(c, "ended", ended);
    server_consider(c->s);
}

static void write_result(struct json_write *w, const struct job_result *r)
{
    json_write_member_u64(w, "job", r->job);
    json_write_member_cstr(w, "state", job_state_word(r->state));
    write_optional(w, "word", r->word);
    write_optional(w, "message", r->message);
    if (r->generation)
        json_write_member_u64(w, "generation", r->generation);
    if (r->exit_code >= 0)
        json_write_member_u64(w, "exit", (uint64_t)r->exit_code);
    if (r->json.n) {
        json_write_key(w, STR("output"));
        json_write_raw(w, r->json);
    }
}

static void job_done(void *ctx, const struct job_result *result)
{
    struct waiter *waiter = ctx;
    struct server *s = waiter->server;
    const struct wire_request r = { .id = waiter->id, .method = waiter->method };
    struct call c = { s, waiter->peer, &r };
    struct json_write w;

    server_remove_waiter(s, waiter);
    begin(&c, &w);
    write_result(&w, result);
    finish(&c, &w);
    server_consider(s);
}

static void job_submit(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    const struct wire_value *priority = wire_value_get(c->r, "priority");
    bool wait = count_of(c, "wait");
    struct scheduler_job job = { .path = path_of(c, &a), .priority = PRIORITY_USER, .reason = text_of(c, "reason") };
    struct scheduler_project known;
    struct waiter *waiter = NULL;
    struct json_write w;
    uint64_t number;

    if (!job_verb_find(text_of(c, "verb"), &job.verb) ||
        (priority->given && !job_priority_find(priority->text, &job.priority))) {
        fault(c, WIRE_FAULT_PARAMS, "there is no such verb or priority");
        return;
    }
    if (!scheduler_project_find(c->s->scheduler, job.path, &known)) {
        fault(c, WIRE_FAULT_UNKNOWN, "'%s' is no project of the daemon", job.path);
        return;
    }
    if (wait && c->peer->waiting >= WAITERS_PER_PEER) {
        fault(c, WIRE_FAULT_BUSY, "%u requests of this connection wait already", c->peer->waiting);
        return;
    }
    if (wait) {
        job.done = job_done;
        job.ctx = waiter = add_waiter(c);
    }
    if (!scheduler_submit(c->s->scheduler, &job, &number, &e)) {
        if (waiter)
            server_remove_waiter(c->s, waiter);
        failed(c, WIRE_FAULT_BUSY, &e);
        return;
    }
    if (waiter) {
        waiter->job = number;
        return;
    }
    begin(c, &w);
    json_write_member_u64(&w, "job", number);
    json_write_member_cstr(&w, "state", job_state_word(JOB_WAITING));
    finish(c, &w);
    server_consider(c->s);
}

static void job_cancel(const struct call *c)
{
    finish_flag(c, "cancelled", scheduler_cancel(c->s->scheduler, count_of(c, "job")));
    server_consider(c->s);
}

static void job_list(const struct call *c)
{
    struct json_write w;

    begin(c, &w);
    write_jobs(&w, c->s->scheduler);
    finish(c, &w);
}

static void release_foreground(struct server *s, struct peer *p)
{
    if (!p->foreground)
        return;
    scheduler_foreground_end(s->scheduler, p->foreground);
    free(p->foreground);
    p->foreground = NULL;
}

static void foreground(const struct call *c)
{
    struct str path = text_of(c, "path");

    release_foreground(c->s, c->peer);
    c->peer->foreground = mem_dup(path.p, path.n);
    scheduler_foreground(c->s->scheduler, c->peer->foreground);
    finish_flag(c, "granted", true);
}

static void import_missing(const struct call *c)
{
    AUTO_ARENA a = { 0 };
    uint64_t line = count_of(c, "line");

    scheduler_import_missing(c->s->scheduler, path_of(c, &a), text_of(c, "name"), text_of(c, "file"),
                             line > UINT32_MAX ? 0 : (unsigned)line);
    finish_flag(c, "accepted", true);
}

static void hello(const struct call *c)
{
    c->peer->greeted = true;
    c->peer->proto = c->r->hello.proto;
}

static void (*const handlers[WIRE_METHODS])(const struct call *c) = {
    [WIRE_HELLO] = hello,
    [WIRE_STATUS] = status,
    [WIRE_STOP] = stop,
    [WIRE_DRAIN] = drain,
    [WIRE_METRICS] = metrics,
    [WIRE_SUBSCRIBE] = subscribe,
    [WIRE_PROJECT_ADD] = project_add,
    [WIRE_PROJECT_REMOVE] = project_remove,
    [WIRE_PROJECT_LIST] = project_list,
    [WIRE_PROJECT_STATUS] = answer_project,
    [WIRE_SESSION_BEGIN] = session_begin,
    [WIRE_SESSION_END] = session_end,
    [WIRE_JOB_SUBMIT] = job_submit,
    [WIRE_JOB_CANCEL] = job_cancel,
    [WIRE_JOB_LIST] = job_list,
    [WIRE_FOREGROUND] = foreground,
    [WIRE_IMPORT_MISSING] = import_missing,
};

/* Understood by daemons and programs of every protocol, so that one can replace the other. */
static bool is_eternal(enum wire_method m)
{
    return m == WIRE_HELLO || m == WIRE_STATUS || m == WIRE_STOP || m == WIRE_DRAIN;
}

void answer_line(void *server, struct peer *p, struct str line)
{
    AUTO_ARENA a = { 0 };
    struct server *s = server;
    struct wire_request r;
    struct call c = { s, p, &r };
    enum wire_fault code;
    struct err e = { 0 };

    if (!wire_request_parse(line, &a, &r, &code, &e)) {
        failed(&c, code, &e);
        if (code == WIRE_FAULT_PARSE)
            peer_close_when_written(p);
        return;
    }
    s->requests[r.method]++;
    if (!is_eternal(r.method) && (!p->greeted || p->proto != WIRE_PROTO))
        fault(&c, WIRE_FAULT_VERSION, p->greeted ? "this daemon (blast " BLAST_VERSION ") speaks protocol %d" :
              "say hello first; this daemon (blast " BLAST_VERSION ") speaks protocol %d", WIRE_PROTO);
    else if (s->end != END_NONE && (!s->scheduler || (!is_eternal(r.method) && r.method != WIRE_METRICS)))
        fault(&c, WIRE_FAULT_DRAINING, "the daemon is about to end; connect again");
    else
        handlers[r.method](&c);
}

void answer_gone(void *server, struct peer *p)
{
    struct server *s = server;

    for (struct waiter *w = s->waiters, *next; w; w = next) {
        next = w->next;
        if (w->peer != p)
            continue;
        if (w->method == WIRE_JOB_SUBMIT && s->scheduler)
            scheduler_forget(s->scheduler, w);
        server_remove_waiter(s, w);
    }
    if (s->scheduler)
        release_foreground(s, p);
    server_consider(s);
}

void answer_ended(struct server *s, bool done)
{
    while (s->waiters) {
        struct waiter *w = s->waiters;
        const struct wire_request r = { .id = w->id, .method = w->method };
        struct call c = { s, w->peer, &r };
        enum wire_method method = w->method;

        server_remove_waiter(s, w);
        if (method == WIRE_STOP && s->end == END_STOP)
            finish_flag(&c, "stopped", done);
        else if (method == WIRE_DRAIN)
            finish_flag(&c, "reexec", s->end == END_UPGRADE);
        else
            fault(&c, WIRE_FAULT_DRAINING, "the daemon ended before the job; it stays in the queue");
    }
}
