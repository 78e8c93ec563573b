#include "jail/visits.h"

#include <errno.h>
#include <stdio.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pass.h"
#include "jail/link.h"

#define ASK_MS 2000 /* how long somebody who came may take to say what for, when the answer is no */

static void add(struct visits *v, int client)
{
    if (v->n == INIT_VISITS_MAX) { /* the listener is not waited for meanwhile */
        (void)close(client);
        return;
    }
    v->served = true;
    v->one[v->n++] = (struct visits_one){ .id = v->next++, .client = client, .begun_us = clock_us() };
}

void visits_open(struct visits *v, int serve)
{
    int listens = 0;
    socklen_t size = sizeof listens;

    v->listener = -1;
    if (getsockopt(serve, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) == 0 && listens)
        v->listener = serve;
    else
        add(v, serve);
}

static void drop(struct visits *v, size_t i)
{
    fd_close(&v->one[i].client);
    v->one[i] = v->one[--v->n];
}

/* ------------------------------------------------------------ what they say */

static void send_text(int client, enum visit_kind kind, struct str json)
{
    static struct visit_text m; /* one thread, and the stack need not hold it */

    if (json.n > sizeof m.json)
        return;
    m.kind = kind;
    memcpy(m.json, json.p, json.n);
    (void)!pass_send(client, (struct str){ (const char *)&m, offsetof(struct visit_text, json) + json.n }, -1);
}

static void add_session(struct visits *v, int32_t pid, int *fd)
{
    for (size_t i = 0; i < v->sessions; i++)
        if (v->session_pid[i] == pid)
            return;
    if (v->sessions == VISITS_SESSIONS)
        return; /* the sandbox lives as long as one of the others does */
    v->session[v->sessions] = *fd;
    v->session_pid[v->sessions++] = pid;
    *fd = -1;
}

/* True when the command is with pid 1. got[0] is its order, the rest its descriptors. */
static bool hand_over(struct visits *v, struct visits_one *one, const struct visit_message *m, int *got, size_t n)
{
    struct link_message to = { .kind = LINK_VISIT, .visit = one->id };
    int pass[PASS_MAX] = { one->client };
    size_t k = 1, wants = 1;

    for (int i = 0; i < 3; i++)
        wants += !(to.use_terminal[i] = m->use_terminal[i]);
    if (n != wants + (m->session > 0))
        return false;
    for (size_t i = 0; i < wants; i++)
        pass[k++] = got[i];
    if (m->session > 0)
        add_session(v, m->session, &got[wants]);
    (void)snprintf(one->name, sizeof one->name, "%.*s", VISIT_NAME - 1, m->text);
    send_text(one->client, VISIT_REPORT, v->report);
    return link_send(v->link, &to, pass, k);
}

static void answer_look(struct visits *v, int client)
{
    AUTO_BUF json = { .limit = VISIT_REPORT_MAX };

    v->look(v->ctx, &json);
    send_text(client, VISIT_USE, buf_done(&json));
}

/* The first message of a client. False: it is done with. */
static bool hear(struct visits *v, struct visits_one *one)
{
    static struct visit_message m;
    struct str whole;
    int got[PASS_MAX];
    size_t n;
    bool stays = false;
    bool ok = pass_receive_all(one->client, &m, sizeof m, &whole, got, &n) && whole.n == sizeof m;

    m.text[sizeof m.text - 1] = '\0';
    if (ok && m.kind == VISIT_RUN) {
        stays = hand_over(v, one, &m, got, n);
        one->state = VISITS_RUNNING;
    } else if (ok && m.kind == VISIT_STOP) {
        v->stop = true;
        stays = true; /* its end tells the client that all is over */
    } else if (ok && m.kind == VISIT_LOOK) {
        answer_look(v, one->client);
    }
    for (size_t i = 0; i < n; i++)
        if (got[i] >= 0)
            (void)close(got[i]);
    return stays;
}

/* ------------------------------------------------------------ waiting */

size_t visits_poll(const struct visits *v, struct pollfd *p)
{
    size_t n = 0;

    for (size_t i = 0; i < v->n; i++) /* of one that runs the leader sees the end */
        p[n++] = (struct pollfd){ v->one[i].state == VISITS_ASKING ? v->one[i].client : -1, POLLIN, 0 };
    for (size_t i = 0; i < v->sessions; i++)
        p[n++] = (struct pollfd){ v->session[i], POLLIN, 0 };
    p[n++] = (struct pollfd){ v->n < INIT_VISITS_MAX ? v->listener : -1, POLLIN, 0 };
    return n;
}

void visits_take(struct visits *v, const struct pollfd *p, size_t n)
{
    size_t sessions = v->sessions;

    if (p[n - 1].revents) {
        int client = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC);

        if (client >= 0)
            add(v, client);
    }
    for (size_t i = sessions; i-- > 0;) /* backwards, so that what moves up was looked at */
        if (p[n - 1 - sessions + i].revents) {
            (void)close(v->session[i]);
            v->session[i] = v->session[--v->sessions];
            v->session_pid[i] = v->session_pid[v->sessions];
        }
    for (size_t i = n - 1 - sessions; i-- > 0;)
        if (p[i].revents && !hear(v, &v->one[i]))
            drop(v, i);
}

/* ------------------------------------------------------------ the end */

static void done(struct visits_one *one, int status, const char *limit)
{
    one->state = VISITS_DONE;
    one->status = status;
    one->limit = limit;
}

struct visits_one *visits_over(struct visits *v, uint32_t id, int status, const char *limit)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->one[i].id == id && v->one[i].state == VISITS_RUNNING) {
            done(&v->one[i], status, limit);
            return &v->one[i];
        }
    return NULL;
}

void visits_over_all(struct visits *v, const char *limit)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->one[i].state == VISITS_RUNNING)
            done(&v->one[i], SIGKILL, limit);
}

void visits_tell(struct visits *v, void (*tell)(void *ctx, const struct visits_one *one), void *ctx)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->one[i].state == VISITS_DONE) {
            tell(ctx, &v->one[i]);
            v->one[i].state = VISITS_TOLD;
            v->one[i].told = v->tells++;
        }
}

static void tell_client(const struct visits_one *one)
{
    struct visit_message m = { .kind = VISIT_END, .value = one->status };

    (void)snprintf(m.text, sizeof m.text, "%s", one->limit ? one->limit : "");
    (void)visit_send(one->client, &m, -1);
}

void visits_noted(struct visits *v)
{
    size_t first = v->n;

    for (size_t i = 0; i < v->n; i++)
        if (v->one[i].state == VISITS_TOLD && (first == v->n || v->one[i].told < v->one[first].told))
            first = i;
    if (first == v->n)
        return;
    tell_client(&v->one[first]);
    drop(v, first);
}

bool visits_wait_for_note(const struct visits *v)
{
    for (size_t i = 0; i < v->n; i++)
        if (v->one[i].state == VISITS_TOLD)
            return true;
    return false;
}

bool visits_are_over(const struct visits *v)
{
    struct pollfd next = { v->listener, POLLIN, 0 };

    if (!v->served || v->sessions || poll(&next, 1, 0) > 0)
        return false;
    for (size_t i = 0; i < v->n; i++)
        if (v->one[i].state != VISITS_DONE)
            return false;
    return true;
}

/* Whoever came will ask, and a connection that is closed before its question was read takes the answer along. */
static void take_ask(int client)
{
    static struct visit_message m;
    struct pollfd p = { client, POLLIN, 0 };
    struct str whole;
    int got[PASS_MAX];
    size_t n = 0;

    if (poll(&p, 1, ASK_MS) > 0)
        (void)!pass_receive_all(client, &m, sizeof m, &whole, got, &n);
    for (size_t i = 0; i < n; i++)
        (void)close(got[i]);
}

void visits_refuse(struct visits *v, struct str report, const struct visit_message *why)
{
    struct pollfd next = { v->listener, POLLIN, 0 };
    int client;

    while (v->listener >= 0 && v->n < INIT_VISITS_MAX && poll(&next, 1, 0) > 0 &&
           (client = accept4(v->listener, NULL, NULL, SOCK_CLOEXEC)) >= 0)
        add(v, client);
    for (size_t i = 0; i < v->n; i++) {
        take_ask(v->one[i].client);
        struct visit_message end = { .kind = VISIT_END, .value = why->value << 8 };

        if (report.n)
            send_text(v->one[i].client, VISIT_REPORT, report);
        (void)visit_send(v->one[i].client, why, -1);
        (void)visit_send(v->one[i].client, &end, -1);
    }
    visits_close(v);
}

void visits_close(struct visits *v)
{
    fd_close(&v->listener);
    while (v->n) {
        if (v->one[v->n - 1].state == VISITS_TOLD)
            tell_client(&v->one[v->n - 1]);
        drop(v, v->n - 1);
    }
    while (v->sessions)
        (void)close(v->session[--v->sessions]);
}
