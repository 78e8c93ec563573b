#include "jail/trackers.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/pass.h"
#include "codec/json_write.h"
#include "jail/track.h"

#define DEATH_MS 100 /* for what was killed to be dead; else it is looked after later */

#define NO_END "calls of a command whose tracker did not come to its end"
#define NOT_SEEN "calls whose program could not be looked at"
#define TOO_MUCH "things that came when all that is kept was full"
#define LOST "openings that came too fast, or of files that could not be looked at"

void trackers_init(struct trackers *t, void (*tell)(void *ctx, struct str json), void *ctx)
{
    *t = (struct trackers){ .fan = FAN_NONE, .last_ms = TRACKERS_LAST_MS, .tell = tell, .ctx = ctx };
}

static bool format(const struct asked_item *item, struct buf *b)
{
    struct json_write w;

    json_write_init(&w, b, false);
    asked_write(item, &w);
    return json_write_end(&w);
}

/* `count` things that cannot be told, if there are any. */
static void tell_unread(void (*tell)(void *ctx, const struct asked_item *item), void *ctx, const char *what,
                        uint64_t count)
{
    struct asked_item item = {
        .how = ASKED_UNREAD, .what = str_of(what), .count = (uint32_t)MIN(count, (uint64_t)UINT32_MAX)
    };

    if (count)
        tell(ctx, &item);
}

/* ------------------------------------------------------------ the process of one command */

/* Waits for room: better a command that waits than a log that does not know. */
static void send_item(void *ctx, const struct asked_item *item)
{
    AUTO_BUF b = { .limit = ASKED_LINE_MAX };

    if (format(item, &b) && !pass_send(*(const int *)ctx, buf_done(&b), -1))
        _exit(1); /* blast-jail is gone, and with it the sandbox, or waits no longer and says so */
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
    if (!track_open(&t, listener, &ignored))
        _exit(1);
    track_serve(&t, send_item, &events);
    tell_unread(send_item, &events, NOT_SEEN, t.unread);
    tell_unread(send_item, &events, TOO_MUCH, t.asked.left_out);
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

static int left_ms(uint64_t until)
{
    uint64_t now = clock_ms();

    return now < until ? (int)(until - now) : 0;
}

/* True when there is something to read, or the end, in time. */
static bool wait_for(int fd, uint64_t until)
{
    struct pollfd p = { fd, POLLIN, 0 };
    int n;

    while ((n = poll(&p, 1, left_ms(until))) < 0 && errno == EINTR)
        ;
    return n > 0;
}

/* False when it has not ended by then. *well: it came to its end by itself, and so has told everything. */
static bool reap(pid_t pid, uint64_t until, bool *well)
{
    AUTO_FD end = (int)syscall(SYS_pidfd_open, pid, 0);
    int status = 0;
    bool ended = end >= 0 && wait_for(end, until) && waitpid(pid, &status, WNOHANG) == pid;

    *well = ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
    return ended;
}

static void bury(struct trackers *t)
{
    for (size_t i = t->n_dying; i-- > 0;)
        if (waitpid(t->dying[i], NULL, WNOHANG) != 0)
            t->dying[i] = t->dying[--t->n_dying];
}

static void drop(struct trackers *t, size_t i, uint64_t until)
{
    struct trackers_one one = t->one[i];

    t->one[i] = t->one[--t->n];
    (void)close(one.events);
    bool well, ended = reap(one.pid, until, &well);

    tell_unread(tell_item, t, NO_END, !well);
    if (ended)
        return;
    (void)kill(one.pid, SIGKILL);
    bury(t);
    if (reap(one.pid, clock_ms() + DEATH_MS, &well))
        return;
    if (t->n_dying < COUNT(t->dying)) /* else it is reaped when blast-jail has ended */
        t->dying[t->n_dying++] = one.pid;
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

/* What fanotify lost since the last time, and `more`. */
static void tell_lost(struct trackers *t, uint64_t more)
{
    uint64_t lost = t->fan.lost + t->fan.asked.left_out;

    tell_unread(tell_item, t, LOST, lost - t->fan_lost + more);
    t->fan_lost = lost;
}

static void hear_fan(struct trackers *t)
{
    if (t->fan.fd < 0 || fan_step(&t->fan, tell_item, t))
        return;
    tell_lost(t, 1); /* the one at which it ended, at least */
    fan_close(&t->fan);
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
    if (p[0].revents)
        hear_fan(t);
    for (size_t i = MIN(n - 1, t->n); i-- > 0;) /* from the end: dropping moves the last one here */
        if (p[i + 1].revents && p[i + 1].fd == t->one[i].events && !hear(t, &t->one[i]))
            drop(t, i, clock_ms() + t->last_ms);
}

/* All that it has by now, and how much it could not tell. */
static void hear_fan_out(struct trackers *t)
{
    hear_fan(t);
    if (t->fan.fd >= 0)
        tell_lost(t, 0);
}

static void over(struct trackers *t, size_t i, uint64_t until)
{
    while (wait_for(t->one[i].events, until) && hear(t, &t->one[i]) && left_ms(until))
        ;
    drop(t, i, until);
}

void trackers_over(struct trackers *t, uint32_t visit)
{
    uint64_t until = clock_ms() + t->last_ms;

    hear_fan_out(t);
    for (size_t i = t->n; i-- > 0;)
        if (t->one[i].visit == visit)
            over(t, i, until);
}

void trackers_close(struct trackers *t)
{
    uint64_t until = clock_ms() + t->last_ms;

    while (t->n)
        over(t, t->n - 1, until);
    hear_fan_out(t);
    fan_close(&t->fan);
}
