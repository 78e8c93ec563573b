#include "daemon/peer.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/mem.h"
#include "codec/json_write.h"
#include "wire/seat.h"

#define OUT_MAX ((size_t)4 << 20) /* a paused client's answers, one long line and its events */
#define OUT_KEPT 4096             /* bytes of an empty buffer that are kept */
#define ACCEPT_BURST 64           /* connections taken at a time, so that the others get their turn */

struct peers {
    struct peers_config config;
    struct peers_figures figures;
    uv_poll_t listener;
    bool listening, closing;
    struct peer *first, *last;
};

static void update(struct peer *p);

const struct peers_figures *peers_figures(const struct peers *s)
{
    return &s->figures;
}

struct peer *peers_next(const struct peers *s, const struct peer *p)
{
    return p ? p->next : s->first;
}

static void unlink_peer(struct peer *p)
{
    struct peers *s = p->peers;

    *(p->prev ? &p->prev->next : &s->first) = p->next;
    *(p->next ? &p->next->prev : &s->last) = p->prev;
    p->prev = p->next = NULL;
}

static void append_peer(struct peer *p)
{
    struct peers *s = p->peers;

    p->prev = s->last;
    p->next = NULL;
    *(s->last ? &s->last->next : &s->first) = p;
    s->last = p;
}

static void freed(uv_handle_t *handle)
{
    struct peer *p = handle->data;

    buf_clear(&p->out); /* an answer may have been written to it after it was closed */
    free(p);
}

static void freed_set(uv_handle_t *handle)
{
    free(handle->data);
}

void peer_close(struct peer *p)
{
    struct peers *s = p->peers;

    if (p->dead)
        return;
    p->dead = true;
    s->config.gone(s->config.ctx, p);
    unlink_peer(p);
    s->figures.open--;
    s->figures.memory -= p->memory;
    uv_close((uv_handle_t *)&p->poll, freed);
    fd_close(&p->fd);
    frame_clear(&p->in);
    buf_clear(&p->out);
    free(p->only);
    free(p->foreground);
    p->only = p->foreground = NULL;
    if (!s->listening && !s->closing && s->config.listen_fd >= 0) /* it was left alone for want of descriptors */
        s->listening = uv_poll_start(&s->listener, UV_READABLE, s->listener.poll_cb) == 0;
}

static size_t unsent(const struct peer *p)
{
    return p->out.n - p->sent;
}

static void count_memory(struct peer *p)
{
    size_t now = frame_memory(&p->in) + p->out.cap;

    p->peers->figures.memory += now - p->memory; /* wraps around and back */
    p->memory = now;
}

/* The bytes written so far go; what is empty gives its memory back. */
static void compact(struct peer *p)
{
    if (unsent(p) == 0) {
        if (p->out.cap > OUT_KEPT)
            buf_clear(&p->out);
        buf_reset(&p->out);
        p->sent = 0;
    } else if (p->sent > PEER_PAUSE) {
        memmove(p->out.p, p->out.p + p->sent, unsent(p));
        p->out.n -= p->sent;
        p->sent = 0;
    }
    count_memory(p);
}

/* Writes what the socket takes. */
static void flush(struct peer *p)
{
    while (!p->dead && unsent(p)) {
        ssize_t k = send(p->fd, p->out.p + p->sent, unsent(p), MSG_NOSIGNAL | MSG_DONTWAIT);

        if (k < 0 && errno == EINTR)
            continue;
        if (k < 0 && errno != EAGAIN) {
            peer_close(p);
            return;
        }
        if (k < 0)
            break;
        p->sent += (size_t)k;
        p->in_line = p->out.p[p->sent - 1] != '\n';
        p->peers->figures.bytes_out += (uint64_t)k;
    }
    if (p->dead)
        return;
    compact(p);
    if (unsent(p) == 0 && p->closing)
        peer_close(p);
    else
        update(p);
}

struct buf *peer_begin(struct peer *p)
{
    return &p->out;
}

/* Where the line that was just written begins: behind the line end before it. */
static size_t last_line(const struct peer *p)
{
    const char *before = p->out.n > 1 ? memrchr(p->out.p, '\n', p->out.n - 1) : NULL;

    return before ? (size_t)(before - p->out.p) + 1 : 0;
}

/* Takes back what does not fit. A buffer that was full holds part of a line. */
static bool take_back(struct peer *p)
{
    size_t begin;

    if (p->out.full) {
        const char *end = memrchr(p->out.p, '\n', p->out.n);

        begin = end ? (size_t)(end - p->out.p) + 1 : 0;
        p->out.full = false;
    } else {
        begin = last_line(p);
        if (p->out.n - begin <= WIRE_LINE_MAX)
            return false;
    }
    p->out.n = MAX(begin, p->sent);
    return true;
}

bool peer_commit(struct peer *p)
{
    if (p->dead)
        return true;
    if (take_back(p)) {
        count_memory(p);
        return false;
    }
    flush(p);
    return true;
}

static void say_dropped(struct peer *p, const char *reason)
{
    struct json_write w;

    wire_write_event(&p->out, p->subscription, WIRE_EVENT_DROPPED, &w);
    json_write_member_cstr(&w, "reason", reason);
    wire_write_end(&w);
}

/* Everything goes, the memory too, but the rest of a line that is half sent. */
static void forget_unsent(struct peer *p)
{
    size_t end = p->sent;

    if (p->in_line && end < p->out.n) {
        const char *line_end = memchr(p->out.p + end, '\n', p->out.n - end);

        end = line_end ? (size_t)(line_end - p->out.p) + 1 : p->out.n;
    }
    struct buf rest;

    buf_init(&rest, OUT_MAX);
    (void)buf_add(&rest, p->out.p + p->sent, end - p->sent); /* less than it came from */
    buf_clear(&p->out);
    p->out = rest;
    p->sent = 0;
}

void peer_commit_event(struct peer *p)
{
    if (p->dead || p->closing)
        return;
    if (!take_back(p) && unsent(p) <= PEER_EVENTS_MAX) {
        flush(p);
        return;
    }
    forget_unsent(p);
    say_dropped(p, "events were not read fast enough");
    p->peers->figures.dropped++;
    peer_close_when_written(p);
}

void peer_close_when_written(struct peer *p)
{
    p->closing = true;
    p->subscribed = false;
    flush(p);
}

static bool paused(const struct peer *p)
{
    return unsent(p) > PEER_PAUSE;
}

static void too_long(struct peer *p)
{
    p->peers->figures.too_long++;
    wire_write_error(&p->out, 0, WIRE_FAULT_TOO_LONG, STR("the line has more than 1 MiB"));
    frame_clear(&p->in);
    peer_close_when_written(p);
}

static void take_lines(struct peer *p)
{
    struct peers *s = p->peers;
    struct str line;

    while (!p->dead && !p->closing && !paused(p)) {
        enum frame_next next = frame_next(&p->in, &line);

        if (next == FRAME_MORE)
            break;
        if (next == FRAME_TOO_LONG) {
            too_long(p);
            return;
        }
        s->figures.lines++;
        p->last_ms = uv_now(s->config.loop);
        s->config.line(s->config.ctx, p, line);
    }
    if (p->dead)
        return;
    /* a client that only shut its sending side still gets its answers, but it holds nothing any more */
    if (p->ended && !paused(p) && (p->subscribed || p->foreground || (p->waiting == 0 && unsent(p) == 0)))
        peer_close(p);
}

/* The largest goes until the sum is within its bound. */
static void keep_memory(struct peers *s)
{
    while (s->figures.memory > PEERS_MEMORY) {
        struct peer *largest = NULL;

        for (struct peer *p = s->first; p; p = p->next)
            if (!largest || p->memory > largest->memory)
                largest = p;
        if (!largest)
            return;
        s->figures.dropped++;
        peer_close(largest);
    }
}

static void read_some(struct peer *p)
{
    struct peers *s = p->peers;
    ssize_t k = recv(p->fd, frame_room(&p->in), FRAME_READ, MSG_DONTWAIT);

    if (k < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (k < 0) {
        peer_close(p);
        return;
    }
    p->ended = k == 0;
    frame_added(&p->in, (size_t)k);
    s->figures.bytes_in += (uint64_t)k;
    unlink_peer(p);
    append_peer(p);
    take_lines(p);
}

static void polled(uv_poll_t *handle, int status, int events)
{
    struct peer *p = handle->data;
    struct peers *s = p->peers;

    if (status < 0) {
        peer_close(p);
        return;
    }
    if (events & UV_WRITABLE) {
        flush(p);
        if (!p->dead)
            take_lines(p); /* those that had to wait for the answers before them */
    }
    if (!p->dead && (events & UV_READABLE) && !p->ended && !p->closing && !paused(p))
        read_some(p);
    if (!p->dead) {
        count_memory(p);
        update(p);
    }
    keep_memory(s);
}

static void update(struct peer *p)
{
    int want = (!p->ended && !p->closing && !paused(p) ? UV_READABLE : 0) | (unsent(p) ? UV_WRITABLE : 0);

    if (want == p->interest)
        return;
    p->interest = want;
    if (!want)
        (void)uv_poll_stop(&p->poll); /* never fails */
    else if (uv_poll_start(&p->poll, want, polled) < 0)
        peer_close(p);
}

/* One connection that nothing hangs on, for a new one: one that is being dropped, never said
 * hello, or has been silent. */
static bool make_room(struct peers *s)
{
    struct peer *victim = NULL;

    for (struct peer *p = s->first; p && !(victim && victim->closing); p = p->next) {
        bool idle = p->greeted && !p->subscribed && !p->foreground && p->waiting == 0 &&
                    uv_now(s->config.loop) - p->last_ms >= PEER_IDLE_MS;

        if (p->closing || (!victim && (!p->greeted || idle)))
            victim = p;
    }
    if (!victim)
        return false;
    s->figures.evicted++;
    if (!victim->closing) {
        say_dropped(victim, "too many connections, and this one was silent");
        flush(victim);
    }
    peer_close(victim); /* does nothing when flush() did it */
    return true;
}

/* Told why, as far as its socket takes it: nothing is kept for it. */
static void refuse(int fd)
{
    AUTO_BUF b = { .limit = 512 };

    wire_write_hello(&b, (uint64_t)getpid());
    wire_write_error(&b, 0, WIRE_FAULT_BUSY, STR("too many connections are open, each with work of its own"));
    (void)send(fd, b.p, b.n, MSG_NOSIGNAL | MSG_DONTWAIT); /* it sees the end in any case */
}

static void add_peer(struct peers *s, int fd)
{
    struct err ignored = { 0 };

    if (!seat_peer_is_ours(fd, &ignored) || (s->figures.open >= PEERS_MAX && !make_room(s))) {
        s->figures.refused++;
        refuse(fd);
        (void)close(fd); /* nothing of it is kept */
        return;
    }
    struct peer *p = mem_zero(1, sizeof *p);

    *p = (struct peer){ .peers = s, .fd = fd, .last_ms = uv_now(s->config.loop) };
    if (uv_poll_init(s->config.loop, &p->poll, fd) < 0) {
        (void)close(fd); /* nothing of it is kept */
        free(p);
        return;
    }
    p->poll.data = p;
    frame_init(&p->in);
    buf_init(&p->out, OUT_MAX);
    append_peer(p);
    s->figures.open++;
    s->figures.accepted++;
    wire_write_hello(&p->out, (uint64_t)getpid());
    flush(p);
}

static void on_connection(uv_poll_t *handle, int status, int events)
{
    struct peers *s = handle->data;

    (void)events;
    for (unsigned i = 0; status == 0 && i < ACCEPT_BURST; i++) {
        int fd = accept4(s->config.listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd >= 0) {
            add_peer(s, fd);
        } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
            if (s->figures.open && make_room(s))
                continue;
            (void)uv_poll_stop(&s->listener); /* else we would spin: they stay in the backlog until one is closed */
            s->listening = false;
            return;
        } else if (errno != EINTR && errno != ECONNABORTED) {
            return;
        }
    }
}

bool peers_open(const struct peers_config *config, struct peers **out, struct err *e)
{
    struct peers *s = mem_zero(1, sizeof *s);

    s->config = *config;
    if (uv_poll_init(config->loop, &s->listener, config->listen_fd) < 0) {
        free(s);
        return err_set(e, ERR_DAEMON, "watch the listening socket");
    }
    s->listener.data = s;
    if (uv_poll_start(&s->listener, UV_READABLE, on_connection) < 0) {
        uv_close((uv_handle_t *)&s->listener, freed_set);
        return err_set(e, ERR_DAEMON, "watch the listening socket");
    }
    s->listening = true;
    *out = s;
    return true;
}

void peers_stop_accepting(struct peers *s)
{
    if (s->closing)
        return;
    s->closing = true;
    s->listening = false;
    uv_close((uv_handle_t *)&s->listener, NULL);
}

void peers_close(struct peers *s)
{
    peers_stop_accepting(s);
    while (s->first) {
        struct peer *p = s->first;

        flush(p);
        peer_close(p); /* does nothing when flush() did it */
    }
}

void peers_free(struct peers *s)
{
    free(s);
}
