/* What the server tells without being asked: the events of the scheduler and of sessions, to
 * those who subscribed or wait. */
#include <stddef.h>
#include "base/str.h"
#include "codec/json_write.h"
#include "daemon/scheduler.h"
#include "daemon/server_priv.h"

static void write_optional(struct json_write *w, const char *name, struct str text)
{
    if (text.n)
        json_write_member(w, name, text);
}

static void write_job_event(struct json_write *w, const struct daemon_event *ev)
{
    json_write_member_u64(w, "job", ev->job);
    json_write_member_cstr(w, "verb", job_verb_word(ev->verb));
    json_write_member_cstr(w, "state", job_state_word(ev->state));
    write_optional(w, "phase", ev->phase);
    if (ev->total || ev->done) {
        json_write_member_u64(w, "done", ev->done);
        json_write_member_u64(w, "total", ev->total);
    }
    write_optional(w, "message", ev->text);
    if (ev->json.n) {
        json_write_key(w, STR("output"));
        json_write_raw(w, ev->json);
    }
}

static void write_import_event(struct json_write *w, const struct daemon_event *ev)
{
    json_write_member(w, "name", ev->name);
    write_optional(w, "file", ev->file);
    if (ev->line)
        json_write_member_u64(w, "line", ev->line);
    write_optional(w, "distribution", ev->distribution);
    json_write_member_bool(w, "verified", ev->verified);
}

static void send_event(struct peer *p, uint64_t id, const struct daemon_event *ev)
{
    static const enum wire_event words[] = {
        [EVENT_JOB] = WIRE_EVENT_JOB,         [EVENT_PROJECT] = WIRE_EVENT_PROJECT, [EVENT_CHANGED] =
            WIRE_EVENT_CHANGED,
        [EVENT_DRIFT] = WIRE_EVENT_DRIFT,     [EVENT_IMPORT] = WIRE_EVENT_IMPORT,   [EVENT_NOTICE] = WIRE_EVENT_NOTICE,
        [EVENT_LOG] = WIRE_EVENT_NOTICE,
    };
    struct json_write w;

    wire_write_event(peer_begin(p), id, words[ev->kind], &w);
    write_optional(&w, "project", ev->project);
    if (ev->kind == EVENT_JOB)
        write_job_event(&w, ev);
    else if (ev->kind == EVENT_IMPORT)
        write_import_event(&w, ev);
    else if (ev->kind == EVENT_CHANGED || ev->kind == EVENT_DRIFT)
        json_write_member(&w, "what", ev->text);
    else if (ev->kind == EVENT_NOTICE)
        json_write_member(&w, "text", ev->text);
    wire_write_end(&w);
    peer_commit_event(p);
}

static bool wants(const struct peer *p, struct str project)
{
    return p->subscribed && (!p->only || str_eq(str_of(p->only), project));
}

/* Sending may close the connection, and with it all that waits there: begin again after each. */
static void tell_waiters(struct server *s, const struct daemon_event *ev)
{
    uint64_t turn = ++s->turn;

    for (struct waiter *w = s->waiters; w;) {
        if (w->method != WIRE_JOB_SUBMIT || w->job != ev->job || w->told == turn) {
            w = w->next;
            continue;
        }
        w->told = turn;
        send_event(w->peer, w->id, ev);
        w = s->waiters;
    }
}

void tell_event(void *server, const struct daemon_event *ev)
{
    struct server *s = server;
    struct peer *next;

    if (ev->kind == EVENT_LOG || ev->kind == EVENT_NOTICE)
        log_write(&s->log, LOG_INFO, STR_FMT "%s" STR_FMT, STR_ARG(ev->project), ev->project.n ? ": " : "",
                  STR_ARG(ev->text));
    if (ev->kind == EVENT_JOB && ev->phase.n == 0 && ev->state != JOB_WAITING)
        log_write(&s->log, ev->state == JOB_FAILED ? LOG_WARNING : LOG_INFO, "%s of " STR_FMT ": %s" "%s" STR_FMT,
                  job_verb_word(ev->verb), STR_ARG(ev->project), job_state_word(ev->state), ev->text.n ? ": " : "",
                  STR_ARG(ev->text));
    server_consider(s);
    if (ev->kind == EVENT_LOG)
        return;
    if (ev->kind == EVENT_JOB && (ev->state == JOB_WAITING || ev->state == JOB_RUNNING))
        tell_waiters(s, ev);
    for (struct peer *p = peers_next(s->peers, NULL); p; p = next) {
        next = peers_next(s->peers, p);
        if (wants(p, ev->project))
            send_event(p, p->subscription, ev);
    }
}

void tell_session_event(struct server *s, struct str path, uint64_t pid, bool begun)
{
    struct peer *next;

    for (struct peer *p = peers_next(s->peers, NULL); p; p = next) {
        struct json_write w;

        next = peers_next(s->peers, p);
        if (!wants(p, path))
            continue;
        wire_write_event(peer_begin(p), p->subscription, WIRE_EVENT_SESSION, &w);
        json_write_member(&w, "project", path);
        json_write_member_u64(&w, "pid", pid);
        json_write_member_cstr(&w, "state", begun ? "begun" : "ended");
        wire_write_end(&w);
        peer_commit_event(p);
    }
}

void tell_goodbye(struct server *s)
{
    struct peer *next;

    for (struct peer *p = peers_next(s->peers, NULL); p; p = next) {
        struct json_write w;

        next = peers_next(s->peers, p);
        if (!p->subscribed)
            continue;
        wire_write_event(peer_begin(p), p->subscription, WIRE_EVENT_GOODBYE, &w);
        json_write_member_cstr(&w, "reason", s->end == END_UPGRADE ? "upgrade" : "stop");
        wire_write_end(&w);
        peer_commit_event(p);
    }
}
