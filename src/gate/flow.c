#include "gate/flow.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>
#include "gate/state.h"

#define WIDE_AFTER 262144u /* bytes of one direction after which its pipes are made large */
#define WIDE 1048576
#define MOVE_MAX 1048576u

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

/* Fills the pipe. The order of tests is that of the reasons why nothing may be read. */
static enum flow_end fill(struct gate *g, struct flow *f, struct watch *from, uint64_t *credit)
{
    size_t want = MOVE_MAX;

    if (f->over || !from->readable)
        return FLOW_IDLE;
    if (credit && *credit == 0)
        return FLOW_JUDGE;
    if (credit)
        want = (size_t)MIN(want, *credit);
    want = bucket_take(&g->bucket, want);
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
    if (n > 0) {
        f->held = (uint32_t)n;
        f->bytes += (uint64_t)n;
        if (credit)
            *credit -= (uint64_t)n;
        return FLOW_MORE;
    }
    if (n == 0)
        f->over = true;
    else if (why == EAGAIN)
        from->readable = false;
    else
        return why == EINTR ? FLOW_MORE : FLOW_BROKEN;
    return FLOW_IDLE;
}

static bool drain(struct flow *f, struct watch *to)
{
    while (f->held && to->writable) {
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
        end = fill(g, f, from, credit);
    }
    give_pipe(g, f);
    if (f->over && !f->shut) { /* half-closed, as it was on the other side */
        f->shut = true;
        if (shutdown(to->fd, SHUT_WR) < 0 && errno != ENOTCONN)
            return FLOW_BROKEN;
    }
    return end;
}
