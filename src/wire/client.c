#include "wire/client.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/json.h"
#include "config/dirs.h"
#include "wire/launch.h"
#include "wire/protocol.h"
#include "wire/seat.h"

#define HELLO_MS 10000 /* a daemon that is becoming a newer program takes some hundredths of a second */

static void set_timeout(int fd, int option, unsigned ms)
{
    const struct timeval t = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };

    (void)setsockopt(fd, SOL_SOCKET, option, &t, sizeof t); /* without it we wait longer */
}

static bool send_all(int fd, struct str data, struct err *e)
{
    while (data.n) {
        ssize_t k = send(fd, data.p, data.n, MSG_NOSIGNAL);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0) {
            (void)err_sys(e, "write to the daemon");
            return err_as(e, ERR_DAEMON, "speak to the daemon");
        }
        data = str_sub(data, (size_t)k, data.n);
    }
    return true;
}

/* False without an error at the end of the stream. */
static bool next_line(struct wire_client *c, struct str *line, struct err *e)
{
    for (;;) {
        switch (frame_next(&c->in, line)) {
        case FRAME_LINE:
            return true;
        case FRAME_TOO_LONG:
            return err_set(e, ERR_DAEMON, "the daemon's line has more than %u bytes", WIRE_LINE_MAX);
        case FRAME_MORE:
            break;
        }
        ssize_t k = recv(c->fd, frame_room(&c->in), FRAME_READ, 0);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno == ECONNRESET)
            return false;
        if (k < 0) {
            (void)err_sys(e, "read from the daemon");
            return err_as(e, ERR_DAEMON, "listen to the daemon");
        }
        if (k == 0)
            return false;
        frame_added(&c->in, (size_t)k);
    }
}

static bool closed(struct err *e)
{
    return e->kind != ERR_NONE ? false : err_set(e, ERR_DAEMON, "the daemon closed the connection");
}

/* The next line, taken apart; views into `a` and the line. */
static bool next_reply(struct wire_client *c, struct arena *a, struct wire_reply *out, struct err *e)
{
    struct str line;

    return next_line(c, &line, e) && wire_reply_parse(line, a, out, e);
}

static bool greet(struct wire_client *c, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF hello = { .limit = 256 };
    struct wire_reply r;

    wire_write_hello(&hello, (uint64_t)getpid());
    if (!send_all(c->fd, buf_done(&hello), e))
        return false;
    set_timeout(c->fd, SO_RCVTIMEO, HELLO_MS);
    if (!next_reply(c, &a, &r, e))
        return closed(e);
    set_timeout(c->fd, SO_RCVTIMEO, 0);
    if (r.kind == WIRE_REPLY_ERROR)
        return err_set(e, ERR_DAEMON, STR_FMT ": " STR_FMT, STR_ARG(r.code), STR_ARG(r.message));
    if (r.kind != WIRE_REPLY_HELLO)
        return err_set(e, ERR_DAEMON, "the daemon did not begin with its hello");
    c->pid = r.hello.pid;
    c->proto = r.hello.proto;
    size_t n = MIN(r.hello.build.n, sizeof c->build - 1);

    memcpy(c->build, r.hello.build.p, n);
    c->build[n] = '\0';
    return true;
}

static bool open_client(const struct seat *s, enum wire_start start, struct wire_client *out, struct err *e)
{
    *out = (struct wire_client){ .fd = -1 };
    frame_init(&out->in);
    if (start == WIRE_START ? !launch_daemon(s, &out->fd, e) : !launch_find(s, &out->fd, e))
        return false;
    if (out->fd < 0 || greet(out, e))
        return true;
    wire_close(out);
    return err_wrap(e, "greet the daemon");
}

/* The daemon speaks an older protocol. It becomes the program that is installed now, or, when that is as old, makes
 * way for ours. */
static bool replace(const struct seat *s, enum wire_start start, struct wire_client *c, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct str result;
    struct err ignored = { 0 };

    if (wire_call(c, "drain", STR(""), &a, &result, &ignored) && str_search(result, STR("true")) != result.n) {
        bool ended = wire_await_end(c, HELLO_MS, e);

        wire_close(c);
        if (!ended || !open_client(s, WIRE_IF_RUNNING, c, e))
            return false;
    }
    if (c->fd >= 0 && c->proto < WIRE_PROTO) {
        bool ended = wire_call(c, "stop", STR(""), &a, &result, e) && wire_await_end(c, HELLO_MS, e);

        wire_close(c);
        if (!ended)
            return false;
    }
    return c->fd >= 0 || open_client(s, start, c, e);
}

bool wire_connect(const struct dirs *dirs, enum wire_start start, struct wire_client *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct seat s;

    *out = (struct wire_client){ .fd = -1 };
    if (!seat_find(dirs, &a, &s, e) || !open_client(&s, start, out, e))
        return false;
    if (out->fd < 0 || out->proto == WIRE_PROTO)
        return true;
    if (out->proto < WIRE_PROTO && !replace(&s, start, out, e)) {
        wire_close(out);
        return err_wrap(e, "replace the older daemon");
    }
    if (out->fd < 0 || out->proto == WIRE_PROTO)
        return true;
    (void)err_set(e, ERR_DAEMON, "the daemon (blast %s) speaks protocol %llu, this program %d", out->build,
                  (unsigned long long)out->proto, WIRE_PROTO);
    wire_close(out);
    return err_hint(e, "blast daemon stop, or use the newer blast");
}

bool wire_connect_any(const struct dirs *dirs, struct wire_client *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct seat s;

    *out = (struct wire_client){ .fd = -1 };
    return seat_find(dirs, &a, &s, e) && open_client(&s, WIRE_IF_RUNNING, out, e);
}

static bool send_request(struct wire_client *c, const char *method, struct str params, struct err *e)
{
    AUTO_BUF line = { .limit = WIRE_LINE_MAX };

    wire_write_request(&line, ++c->id, method, params);
    if (line.full)
        return err_set(e, ERR_DAEMON, "the request '%s' has more than %u bytes", method, WIRE_LINE_MAX);
    return send_all(c->fd, buf_done(&line), e);
}

static void tell(const struct wire_client *c, const struct wire_reply *r)
{
    if (r->kind == WIRE_REPLY_EVENT && c->event)
        c->event(c->ctx, r->type, r->body);
}

bool wire_call(struct wire_client *c, const char *method, struct str params_json, struct arena *a,
               struct str *result_json, struct err *e)
{
    if (!send_request(c, method, params_json, e))
        return false;
    for (;;) {
        AUTO_ARENA line = { 0 };
        struct wire_reply r;

        if (!next_reply(c, &line, &r, e))
            return closed(e);
        tell(c, &r);
        if (r.id != c->id)
            continue;
        if (r.kind == WIRE_REPLY_ERROR)
            return err_set(e, ERR_DAEMON, STR_FMT " (" STR_FMT ")", STR_ARG(r.message), STR_ARG(r.code));
        if (r.kind == WIRE_REPLY_RESULT) {
            *result_json = arena_str(a, r.body);
            return true;
        }
    }
}

bool wire_send(struct wire_client *c, const char *method, struct str params_json, unsigned timeout_ms, struct err *e)
{
    set_timeout(c->fd, SO_SNDTIMEO, MAX(timeout_ms, 1));
    return send_request(c, method, params_json, e);
}

bool wire_listen(struct wire_client *c, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct wire_reply r;

    if (!next_reply(c, &a, &r, e))
        return false;
    if (r.kind == WIRE_REPLY_ERROR)
        return err_set(e, ERR_DAEMON, STR_FMT " (" STR_FMT ")", STR_ARG(r.message), STR_ARG(r.code));
    tell(c, &r);
    return true;
}

bool wire_await_end(struct wire_client *c, unsigned timeout_ms, struct err *e)
{
    uint64_t end = clock_ms() + timeout_ms;

    for (uint64_t now; (now = clock_ms()) < end;) {
        char chunk[4096];
        struct pollfd p = { c->fd, POLLIN, 0 };
        int n = poll(&p, 1, (int)(end - now));

        if (n < 0 && errno != EINTR)
            return err_sys(e, "wait for the daemon's end");
        ssize_t k = n > 0 ? recv(c->fd, chunk, sizeof chunk, MSG_DONTWAIT) : 1;

        if (k == 0 || (k < 0 && errno != EINTR && errno != EAGAIN))
            return true;
    }
    return err_set(e, ERR_DAEMON, "the daemon still holds the connection after %u ms", timeout_ms);
}

void wire_close(struct wire_client *c)
{
    fd_close(&c->fd);
    frame_clear(&c->in);
}
