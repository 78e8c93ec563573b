#include "jail/trackers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pass.h"
#include "codec/json_write.h"
#include "jail/track.h"

#define LAST_MS 2000 /* for what a tracker has still to say when nobody is left whom it follows */

void trackers_init(struct trackers *t, void (*tell)(void *ctx, struct str json), void *ctx)
{
    *t = (struct trackers){ .fan = FAN_NONE, .tell = tell, .ctx = ctx };
}

static bool format(const struct asked_item *item, struct buf *b)
{
    struct json_write w;

    json_write_init(&w, b, false);
    asked_write(item, &w);
    return json_write_end(&w);
}

/* ------------------------------------------------------------ the process of one command */

/* Waits for room: better a command that waits than a log that does not know. */
static void send_item(void *ctx, const struct asked_item *item)
{
    AUTO_BUF b = { .limit = ASKED_LINE_MAX };

    if (format(item, &b) && !pass_send(*(const int *)ctx, buf_done(&b), -1))
        _exit(0); /* blast-jail is gone, and with it the sandbox */
}

NORETURN static void be_tracker(int listener, int events)
{
    AUTO_TRACK t = TRACK_NONE;
    struct err ignored = { 0 };
    int keep[2] = { MIN(listener, events), MAX(listener, events) };

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
    (void)prctl(PR_SET_NAME, "blast-track", 0, 0, 0);
    /* Else it would hold open what others wait for the end of. */
    (void)close_range(0, (unsigned)keep[0] - 1, 0);
    if (keep[1] > keep[0] + 1)
        (void)close_range((unsigned)keep[0] + 1, (unsigned)keep[1] - 1, 0);
    (void)close_range((unsigned)keep[1] + 1, ~0u, 0);
    if (track_open(&t, listener, &ignored))
        track_serve(&t, send_item, &events);
    _exit(0);
}

void trackers_follow(struct trackers *t, uint32_t visit, int listener)
{
    int pair[2];
    pid_t pid = -1;

    if (t->n < INIT_VISITS_MAX && socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) == 0) {
        pid = fork();
        if (pid == 0)
            be_tracker(listener, pair[1]);
        (void)close(pair[1]);
        if (pid > 0)
            t->one[t->n++] = (struct trackers_one){ pid, visit, pair[0] };
        else
            (void)close(pair[0]);
    }
    (void)close(listener);
}

/* ------------------------------------------------------------ blast-jail */

bool trackers_watch(struct trackers *t, pid_t init, const struct jail_policy *p, struct err *e)
{
    return fan_open(&t->fan, init, p, e);
}

static void tell_item(void *ctx, const struct asked_item *item)
{
    const struct trackers *t = ctx;
    AUTO_BUF b = { .limit = ASKED_LINE_MAX };

    if (format(item, &b))
        t->tell(t->ctx, buf_done(&b));
}

static void drop(struct trackers *t, size_t i)
{
    (void)close(t->one[i].events);
    (void)kill(t->one[i].pid, SIGKILL); /* it has ended, or is of no use any more */
    while (waitpid(t->one[i].pid, NULL, 0) < 0 && errno == EINTR)
        ;
    t->one[i] = t->one[--t->n];
}

/* False at its end. */
static bool hear(struct trackers *t, const struct trackers_one *one)
{
    char room[ASKED_LINE_MAX];
    struct str json;
    AUTO_FD got = -1;

    if (!pass_receive(one->events, room, sizeof room, &json, &got))
        return false;
    t->tell(t->ctx, json);
    return true;
}

size_t trackers_poll(const struct trackers *t, struct pollfd *p)
{
    size_t n = 0;

    p[n++] = (struct pollfd){ t->fan.fd, POLLIN, 0 };
    for (size_t i = 0; i < t->n; i++)
        p[n++] = (struct pollfd){ t->one[i].events, POLLIN, 0 };
    return n;
}

void trackers_take(struct trackers *t, const struct pollfd *p, size_t n)
{
    if (p[0].revents && !fan_step(&t->fan, tell_item, t))
        fan_close(&t->fan);
    for (size_t i = MIN(n - 1, t->n); i-- > 0;) /* from the end: dropping moves the last one here */
        if (p[i + 1].revents && p[i + 1].fd == t->one[i].events && !hear(t, &t->one[i]))
            drop(t, i);
}

void trackers_over(struct trackers *t, uint32_t visit)
{
    if (t->fan.fd >= 0 && !fan_step(&t->fan, tell_item, t))
        fan_close(&t->fan);
    for (size_t i = t->n; i-- > 0;) {
        struct pollfd p = { t->one[i].events, POLLIN, 0 };

        if (t->one[i].visit != visit)
            continue;
        while (poll(&p, 1, LAST_MS) > 0 && hear(t, &t->one[i]))
            ;
        drop(t, i);
    }
}

void trackers_close(struct trackers *t)
{
    while (t->n)
        trackers_over(t, t->one[t->n - 1].visit);
    fan_close(&t->fan);
}
