#include "gate/relay.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/hash.h"
#include "base/mem.h"
#include "gate/dial.h"
#include "gate/event.h"
#include "gate/state.h"

#define DATAGRAMS 64 /* in one turn */

/* ------------------------------------------------------------ the places */

void relay_init(struct gate *g, size_t max)
{
    struct relays *s = &g->relays;

    *s = (struct relays){ .place = mem_zero(max, sizeof *s->place), .max = max, .datagram = mem_alloc(RELAY_DATAGRAM) };
    for (size_t i = max; i-- > 0;) {
        s->place[i].server = (struct watch){ .kind = WATCH_RELAY, .fd = -1, .relay = &s->place[i] };
        s->place[i].next = s->unused;
        s->unused = &s->place[i];
    }
}

static struct relay **bucket_of(struct relays *s, const struct relay_key *key)
{
    return &s->by_hash[hash_fast(key, sizeof *key) & (RELAY_HASH - 1)];
}

static struct relay *find(struct relays *s, const struct relay_key *key)
{
    struct relay *r = *bucket_of(s, key);

    while (r && memcmp(&r->key, key, sizeof *key) != 0)
        r = r->chain;
    return r;
}

static void leave_order(struct relays *s, const struct relay *r)
{
    *(r->prev ? &r->prev->next : &s->first) = r->next;
    *(r->next ? &r->next->prev : &s->last) = r->prev;
}

static void enter_order(struct relays *s, struct relay *r)
{
    r->next = NULL;
    r->prev = s->last;
    *(s->last ? &s->last->next : &s->first) = r;
    s->last = r;
}

static void use(struct gate *g, struct relay *r)
{
    r->used_ms = g->now_ms;
    leave_order(&g->relays, r);
    enter_order(&g->relays, r);
}

static void drop_held(struct relay *r)
{
    free(r->held);
    r->held = NULL;
    r->held_n = 0;
}

static void end(struct gate *g, struct relay *r)
{
    struct relays *s = &g->relays;
    struct relay **at = bucket_of(s, &r->key);

    while (*at != r)
        at = &(*at)->chain;
    *at = r->chain;
    leave_order(s, r);
    if (r->server.fd >= 0)
        (void)close(r->server.fd);
    drop_held(r);
    *r = (struct relay){ .server = { .kind = WATCH_RELAY, .fd = -1, .relay = r }, .next = s->unused };
    s->unused = r;
    s->n--;
}

static void finish(struct gate *g, struct relay *r, const char *why)
{
    event_relay(g, r, r->server.fd >= 0 ? "closed" : "denied", why);
    end(g, r);
}

static struct relay *begin(struct gate *g, int listener, const struct relay_key *key)
{
    struct relays *s = &g->relays;

    if (!s->unused)
        finish(g, s->first, "others need its place");
    struct relay *r = s->unused;

    s->unused = r->next;
    r->key = *key;
    r->listener = listener;
    r->name = names_find(&g->names, &key->to);
    r->id = ++g->next_id;
    r->begun_ms = r->used_ms = g->now_ms;
    r->chain = *bucket_of(s, key);
    *bucket_of(s, key) = r;
    enter_order(s, r);
    s->n++;
    return r;
}

void relay_clear(struct gate *g)
{
    while (g->relays.first)
        end(g, g->relays.first);
    free(g->relays.place);
    free(g->relays.datagram);
    g->relays = (struct relays){ 0 };
}

/* ------------------------------------------------------------ out */

/* A datagram passes as a whole or not at all. */
static bool may_pass(struct gate *g, struct relay *r, size_t n)
{
    if (!bucket_has(&g->bucket)) {
        r->lost++;
        return false;
    }
    bucket_owe(&g->bucket, n);
    return true;
}

static void send_out(struct gate *g, struct relay *r, struct str datagram)
{
    ssize_t n = -1;

    if (!may_pass(g, r, datagram.n))
        return;
    /* What the other side refused before is told at the next send, and that one is not sent. */
    for (int i = 0; i < 2 && n < 0; i++)
        n = send(r->server.fd, datagram.p, datagram.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n >= 0)
        r->out += (uint64_t)n;
    else
        r->lost++;
}

static bool dial(struct gate *g, struct relay *r, const struct ip *to)
{
    r->peer = rules_peer_of(to, r->key.port);
    r->server.fd = socket(r->peer.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (r->server.fd >= 0 && connect(r->server.fd, &r->peer.any, rules_peer_size(&r->peer)) == 0 &&
        gate_watch(g, &r->server, false))
        return true;
    if (r->server.fd >= 0)
        (void)close(r->server.fd);
    r->server.fd = -1;
    return false;
}

/* Whom it goes to is known: opens the socket to the first address that there is a way to. */
static bool open_out(struct gate *g, struct relay *r, const char **why)
{
    unsigned tried = 0;

    *why = "the server cannot be reached";
    if (!r->name)
        return dial(g, r, &r->key.to);
    if (r->name->n_to == 0) {
        *why = names_why_none(r->name);
        return false;
    }
    while (tried < r->name->n_to) {
        struct ip to = rules_peer_ip(&r->name->to[tried++]);

        if (dial(g, r, &to))
            return true;
    }
    return false;
}

static void go_on(struct gate *g, struct relay *r, struct str datagram)
{
    const char *why;

    if (!open_out(g, r, &why)) {
        finish(g, r, why);
        return;
    }
    event_relay(g, r, "allowed", NULL);
    send_out(g, r, datagram);
}

/* The first datagram waits for the name; whoever sends more before sends them again. */
static void wait_for_name(struct gate *g, struct relay *r, struct str datagram)
{
    if (!dial_ask(g, r->name)) {
        finish(g, r, "too many names at once");
        return;
    }
    if (r->held) {
        r->lost++;
        return;
    }
    r->held = mem_dup(datagram.p, datagram.n);
    r->held_n = datagram.n;
}

static const char *why_not(const struct gate *g, const struct relay *r)
{
    if (r->name)
        return NULL;
    if (rules_is_synthetic(&r->key.to))
        return "the address was given for no name";
    return rules_has_address(&g->rules, &r->key.to) ? NULL : "the address is not allowed";
}

void relay_pass(struct gate *g, int listener, const struct relay_key *key, struct str datagram)
{
    struct relay *r = find(&g->relays, key);
    bool is_new = !r;

    if (is_new)
        r = begin(g, listener, key);
    const char *why = is_new ? why_not(g, r) : NULL;

    use(g, r);
    if (why)
        finish(g, r, why);
    else if (r->server.fd >= 0)
        send_out(g, r, datagram);
    else if (r->name && r->name->fresh_until <= g->now_ms)
        wait_for_name(g, r, datagram);
    else
        go_on(g, r, datagram);
}

void relay_resolved(struct gate *g, const struct name *n)
{
    for (struct relay *r = g->relays.first, *next; r; r = next) {
        next = r->next;
        if (r->name != n || !r->held)
            continue;
        char *held = r->held;
        struct str datagram = { held, r->held_n };

        r->held = NULL;
        go_on(g, r, datagram);
        free(held);
    }
}

/* ------------------------------------------------------------ the sandbox's side */

union control {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
};

static bool destination_of(struct msghdr *h, struct ip *out)
{
    struct cmsghdr *c = CMSG_FIRSTHDR(h);

    if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        *out = ip_from_v4(ntohl(info.ipi_addr.s_addr));
        return true;
    }
    if (c && c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
        struct in6_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        memcpy(out->b, &info.ipi6_addr, sizeof out->b);
        return true;
    }
    return false;
}

/* The answer comes from the address that was written to. */
static void set_source(struct msghdr *h, const struct ip *from)
{
    struct cmsghdr *c = h->msg_control;

    if (ip_is_v4(from)) {
        struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(ip_v4(from)) };

        h->msg_controllen = CMSG_SPACE(sizeof info);
        *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IP, .cmsg_type = IP_PKTINFO };
        memcpy(CMSG_DATA(c), &info, sizeof info);
    } else {
        struct in6_pktinfo info = { .ipi6_ifindex = 0 };

        memcpy(&info.ipi6_addr, from->b, sizeof from->b);
        h->msg_controllen = CMSG_SPACE(sizeof info);
        *c = (struct cmsghdr){ .cmsg_len = CMSG_LEN(sizeof info), .cmsg_level = IPPROTO_IPV6,
                               .cmsg_type = IPV6_PKTINFO };
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
}

static bool take_datagram(struct gate *g, const struct watch *w)
{
    union control control = { 0 };
    union rules_peer from = { 0 };
    struct iovec part = { g->relays.datagram, RELAY_DATAGRAM };
    struct msghdr h = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
                        .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
    struct relay_key key = { .port = w->port };
    ssize_t n = recvmsg(w->fd, &h, MSG_DONTWAIT);

    if (n < 0)
        return errno != EAGAIN; /* else an answer before it was refused: nobody waits for it any more */
    if (!destination_of(&h, &key.to))
        return true;
    key.from = rules_peer_ip(&from);
    key.from_port = rules_peer_port(&from);
    relay_pass(g, w->fd, &key, (struct str){ (const char *)g->relays.datagram, (size_t)n });
    return true;
}

void relay_datagrams(struct gate *g, const struct watch *w)
{
    for (unsigned i = 0; i < DATAGRAMS && take_datagram(g, w); i++)
        ;
}

static void send_in(struct gate *g, struct relay *r, size_t n)
{
    union control control = { 0 };
    union rules_peer to = rules_peer_of(&r->key.from, r->key.from_port);
    struct iovec part = { g->relays.datagram, n };
    struct msghdr h = { .msg_name = &to, .msg_namelen = rules_peer_size(&to), .msg_iov = &part, .msg_iovlen = 1,
                        .msg_control = control.bytes };

    if (!may_pass(g, r, n))
        return;
    set_source(&h, &r->key.to);
    if (sendmsg(r->listener, &h, MSG_DONTWAIT | MSG_NOSIGNAL) >= 0)
        r->in += n;
    else
        r->lost++;
}

void relay_answers(struct gate *g, struct relay *r)
{
    for (unsigned i = 0; i < DATAGRAMS && r->server.fd >= 0; i++) {
        ssize_t n = recv(r->server.fd, g->relays.datagram, RELAY_DATAGRAM, MSG_DONTWAIT);

        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            continue; /* refused, or no way there: the next one may get through */
        use(g, r);
        send_in(g, r, (size_t)n);
    }
}

int relay_expire(struct gate *g)
{
    struct relays *s = &g->relays;

    while (s->first && s->first->used_ms + RELAY_IDLE_MS <= g->now_ms)
        finish(g, s->first, s->first->server.fd < 0 ? "the name was not resolved in time" : NULL);
    return s->first ? (int)(s->first->used_ms + RELAY_IDLE_MS - g->now_ms) : -1;
}
