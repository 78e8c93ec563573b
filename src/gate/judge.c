#include "gate/judge.h"

#include <errno.h>
#include <sys/socket.h>
#include "gate/conn.h"
#include "gate/hello.h"
#include "gate/state.h"

#define LOOK_MAX HEAD_MAX

/* What has come, at most LOOK_MAX bytes: its length; 0 at the end, -1 when nothing new came, -2 when it broke. */
static ssize_t look(const struct gate *g, struct conn *c)
{
    ssize_t n;

    if (!c->client.readable)
        return -1;
    while ((n = recv(c->client.fd, g->look, LOOK_MAX, MSG_PEEK | MSG_DONTWAIT)) < 0 && errno == EINTR)
        ;
    if (n >= 0)
        return n;
    if (errno != EAGAIN)
        return -2;
    c->client.readable = false;
    return -1;
}

/* More must come before it can be judged: the next edge says when. */
static bool may_wait(struct conn *c, size_t have)
{
    c->client.readable = false;
    return have < LOOK_MAX && ++c->looks < CONN_LOOKS;
}

static enum judge_result judge_hello(const struct gate *g, struct conn *c, size_t n, const char **why)
{
    char name[HOST_MAX];

    switch (hello_read(g->look, n, name)) {
    case HELLO_MORE:
        *why = "a TLS hello that does not end";
        return may_wait(c, n) ? JUDGE_WAIT : JUDGE_DENY;
    case HELLO_NAME:
        *why = "TLS asks for another name than the address was given for";
        return str_eq(str_of(name), c->name->text) ? JUDGE_PASS : JUDGE_DENY;
    case HELLO_NO_NAME:
        *why = "TLS without a server name";
        return JUDGE_DENY;
    case HELLO_ENCRYPTED:
        *why = "TLS with an encrypted server name";
        return JUDGE_DENY;
    case HELLO_NOT_TLS:
        break;
    }
    *why = "not TLS";
    return JUDGE_DENY;
}

static enum judge_result judge_head(const struct gate *g, struct conn *c, size_t n, const char **why)
{
    struct head h;

    switch (head_read((struct str){ (const char *)g->look, n }, &h)) {
    case HEAD_MORE:
        *why = "a request that does not end";
        return may_wait(c, n) ? JUDGE_WAIT : JUDGE_DENY;
    case HEAD_WRONG:
        *why = h.why;
        return JUDGE_DENY;
    case HEAD_WHOLE:
        break;
    }
    *why = "HTTP asks for another host than the address was given for";
    if (!str_eq(str_of(h.host), c->name->text) || (h.port && h.port != c->port))
        return JUDGE_DENY;
    c->looks = 0;
    c->body = h.body;
    c->credit = h.length;
    return JUDGE_PASS;
}

enum judge_result judge_first(struct gate *g, struct conn *c, const char **why)
{
    ssize_t n = look(g, c);

    if (n == -1)
        return JUDGE_WAIT;
    if (n <= 0)
        return JUDGE_GONE;
    return c->protocol == CONN_TLS ? judge_hello(g, c, (size_t)n, why) : judge_head(g, c, (size_t)n, why);
}

static bool next_chunk(const struct gate *g, struct conn *c, size_t n, const char **why)
{
    size_t length;

    switch (body_read(&c->body, (struct str){ (const char *)g->look, n }, &length)) {
    case HEAD_WHOLE:
        c->looks = 0;
        c->credit = length;
        return true;
    case HEAD_MORE:
        if (may_wait(c, n))
            return false;
        break;
    case HEAD_WRONG:
        break;
    }
    *why = "a chunked request that is not as it should be";
    return false;
}

bool judge_next(struct gate *g, struct conn *c, const char **why)
{
    if (c->body.left) { /* content: passes unseen */
        c->credit = c->body.left;
        c->body.left = 0;
        return true;
    }
    ssize_t n = look(g, c);

    if (n == -1)
        return false;
    if (n == -2)
        *why = "the connection broke";
    if (n == 0)
        c->out.over = true;
    if (n <= 0)
        return n == 0;
    if (!body_is_over(&c->body))
        return next_chunk(g, c, (size_t)n, why);
    switch (judge_head(g, c, (size_t)n, why)) {
    case JUDGE_PASS:
        return true;
    case JUDGE_WAIT:
        *why = NULL;
        return false;
    case JUDGE_DENY:
    case JUDGE_GONE:
        break;
    }
    return false;
}
