#include "gate/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>
#include "gate/state.h"

#define WIDE_AFTER 262144u /* bytes of one direction after which its pipes are made large */
#define WIDE 1048576
#define MOVE_MAX 1048576u
#define SMALL 4096 /* bytes; at most HEAD_MAX and PIPE_BUF */

/* A connection that rests needs no pipe: 10,000 of them share what the few that move have. */
static bool take_pipe(struct gate *g, struct flow *f)
{
    if (g->n_pipes) {
        g->n_pipes--;
        f->pipe[0] = g->pipe_pool[g->n_pipes][0];
        f->pipe[1] = g->pipe_pool[g->n_pipes][1];
    } else if (pipe2(f->pipe, O_CLOEXEC | O_NONBLOCK) < 0) {
        f->pipe[0] = f->pipe[1] = -1;
        return false;
    }
    if (f->bytes > WIDE_AFTER && !f->wide) {
        f->wide = true;
        (void)fcntl(f->pipe[1], F_SETPIPE_SZ, WIDE); /* the user's share may be used up: then it is slower */
    }
    return true;
}

static void give_pipe(struct gate *g, struct flow *f)
{
    if (f->pipe[0] < 0)
        return;
    if (f->held == 0 && g->n_pipes < COUNT(g->pipe_pool)) {
        g->pipe_pool[g->n_pipes][0] = f->pipe[0];
        g->pipe_pool[g->n_pipes++][1] = f->pipe[1];
    } else {
        (void)close(f->pipe[0]);
        (void)close(f->pipe[1]);
    }
    f->pipe[0] = f->pipe[1] = -1;
    f->held = 0;
}

void flow_clear(struct gate *g, struct flow *f)
{
    give_pipe(g, f);
}

/* Nothing was read: the end, not now, or it broke. */
static enum flow_end nothing_came(struct flow *f, struct watch *from, ssize_t n, int why)
{
    if (n == 0)
        f->over = true;
    else if (why == EAGAIN)
        from->readable = false;
    else
        return why == EINTR ? FLOW_MORE : FLOW_BROKEN;
    return FLOW_IDLE;
}

/* The first piece is sent at once in any case; what follows is not to wait for its acknowledgement. A connection of one
 * question and one answer does without the call. What was accepted has it from the socket that listens. */
static void do_not_wait(struct flow *f, const struct watch *to)
{
    static const int yes = 1;

    if (f->wrote && !f->prompt && to->kind == WATCH_SERVER) {
        f->prompt = true;
        (void)setsockopt(to->fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
    }
    f->wrote = true;
}

static void count(struct flow *f, size_t n, uint64_t *credit)
{
    f->bytes += n;
    if (credit)
        *credit -= n;
}

/* What the other socket does not take waits in a pipe: SMALL bytes find room in an empty one, however small it is. */
static enum flow_end keep(struct gate *g, struct flow *f, const unsigned char *p, size_t n)
{
    if (!take_pipe(g, f) || write(f->pipe[1], p, n) != (ssize_t)n)
        return FLOW_BROKEN;
    f->held = (uint32_t)n;
    return FLOW_MORE;
}

/* A little is copied: two calls, where a pipe takes three to know that there is no more. */
static enum flow_end copy(struct gate *g, struct flow *f, struct watch *from, struct watch *to, uint64_t *credit)
{
    size_t want = bucket_take(&g->bucket, credit ? (size_t)MIN(SMALL, *credit) : SMALL);

    if (want == 0)
        return FLOW_POOR;
    ssize_t n = recv(from->fd, g->look, want, MSG_DONTWAIT);
    int why = errno;

    bucket_return(&g->bucket, want - (n > 0 ? (size_t)n : 0));
    if (n <= 0)
        return nothing_came(f, from, n, why);
    bool all = (size_t)n < want, last = all && from->ended && !from->failed;

    f->large = n == SMALL;
    if (all && !from->ended)
        from->readable = false; /* the next edge says when more comes */
    count(f, (size_t)n, credit);
    do_not_wait(f, to);
    /* The last piece waits for the end, which is read next, and leaves in one packet with it. */
    ssize_t sent = send(to->fd, g->look, (size_t)n, MSG_DONTWAIT | MSG_NOSIGNAL | (last ? MSG_MORE : 0));

    if (sent < 0 && errno != EAGAIN && errno != EINTR)
        return FLOW_BROKEN;
    sent = MAX(sent, 0);
    return sent == n ? FLOW_MORE : keep(g, f, g->look + sent, (size_t)(n - sent));
}

/* Fills the pipe. */
static enum flow_end fill(struct gate *g, struct flow *f, struct watch *from, uint64_t *credit)
{
    size_t want = bucket_take(&g->bucket, credit ? (size_t)MIN(MOVE_MAX, *credit) : MOVE_MAX);

    if (want == 0)
        return FLOW_POOR;
    if (f->pipe[0] < 0 && !take_pipe(g, f)) {
        bucket_return(&g->bucket, want);
        return FLOW_BROKEN;
    }
    /* Without SPLICE_F_MORE, which would hold back the last piece for 200 ms. */
    ssize_t n = splice(from->fd, NULL, f->pipe[1], NULL, want, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    int why = errno;

    bucket_return(&g->bucket, want - (n > 0 ? (size_t)n : 0));
    if (n <= 0)
        return nothing_came(f, from, n, why);
    f->held = (uint32_t)n;
    count(f, (size_t)n, credit);
    return FLOW_MORE;
}

/* The order of tests is that of the reasons why nothing may be read. */
static enum flow_end take_in(struct gate *g, struct flow *f, struct watch *from, struct watch *to, uint64_t *credit)
{
    if (f->over || !from->readable)
        return FLOW_IDLE;
    if (credit && *credit == 0)
        return FLOW_JUDGE;
    return f->large || !to->writable ? fill(g, f, from, credit) : copy(g, f, from, to, credit);
}

static bool drain(struct flow *f, struct watch *to)
{
    while (f->held && to->writable) {
        do_not_wait(f, to);
        ssize_t n = splice(f->pipe[0], NULL, to->fd, NULL, f->held, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);

        if (n > 0)
            f->held -= (uint32_t)n;
        else if (n < 0 && errno == EAGAIN)
            to->writable = false;
        else if (n == 0 || errno != EINTR)
            return false;
    }
    return true;
}

enum flow_end flow_move(struct gate *g, struct flow *f, struct watch *from, struct watch *to, uint64_t *credit)
{
    uint64_t begun = f->bytes;
    enum flow_end end = FLOW_MORE;

    while (end == FLOW_MORE) {
        if (!drain(f, to))
            return FLOW_BROKEN;
        if (f->held)
            return FLOW_IDLE; /* the other side is slow: nothing more is taken in until it reads */
        if (f->bytes - begun >= FLOW_TURN)
            return FLOW_MORE;
        end = take_in(g, f, from, to, credit);
    }
    give_pipe(g, f);
    return end;
}

bool flow_is_done(const struct flow *f)
{
    return f->over && f->held == 0;
}

bool flow_pass_end(struct flow *f, const struct watch *to)
{
    if (!flow_is_done(f) || f->shut)
        return true;
    f->shut = true;
    return shutdown(to->fd, SHUT_WR) == 0 || errno == ENOTCONN;
}
