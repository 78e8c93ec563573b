/* What the parts of the gateway share. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "gate/head.h"
#include "gate/names.h"
#include "gate/rules.h"

#define GATE_TRANSIT 0x0a000202u /* 10.0.2.2: the sandbox's router and name server */
#define GATE_INSIDE 0x0a000264u  /* 10.0.2.100: the sandbox */
#define GATE_TRANSIT6 { { 0xfd, 0x62, 0x6c, 0x61, 0x73, 0x74, [15] = 2 } } /* fd62:6c61:7374::2 */

enum watch_kind {
    WATCH_TCP,      /* listening in the transit namespace */
    WATCH_DNS,
    WATCH_DNS_TCP,
    WATCH_UDP,      /* for datagrams that go out */
    WATCH_MONITOR,
    WATCH_LINK,
    WATCH_EVENTS,   /* nothing comes: only its end */
    WATCH_RESOLVER,
    WATCH_CONTROL,
    WATCH_INBOUND,  /* listening on this machine's loopback */
    WATCH_CLIENT,   /* of a connection: whoever opened it */
    WATCH_SERVER,   /* ... and whom it was opened to */
    WATCH_RELAY     /* of datagrams: whom they go to */
};

/* What epoll gives back. */
struct watch {
    enum watch_kind kind;
    int fd;
    struct conn *conn;     /* WATCH_CLIENT, WATCH_SERVER */
    struct relay *relay;   /* WATCH_RELAY */
    uint16_t port;
    bool readable, writable; /* as far as known: set by epoll's edges, cleared by EAGAIN */
    bool ended, failed;      /* nothing more comes after what has; or it broke */
};

/* One direction. A pipe is held only while bytes are in it. */
struct flow {
    int pipe[2];
    uint32_t held;
    bool over, shut;       /* no more comes; this was passed on */
    bool wide;             /* its pipes are to be large */
    bool large;            /* more has come at once than is worth a copy */
    bool wrote, prompt;    /* something; and what follows waits for nothing (TCP_NODELAY) */
    uint64_t bytes;
};

enum conn_phase {
    CONN_JUDGE,   /* what it asks for is not known yet */
    CONN_RESOLVE, /* the name's addresses are looked up */
    CONN_DIAL,    /* a connection is being opened to the other side */
    CONN_OPEN,
    CONN_DEAD     /* freed at the end of the turn */
};

enum conn_protocol { CONN_PLAIN, CONN_TLS, CONN_HTTP, CONN_DNS };

struct conn {
    struct watch client, server;
    struct flow out, in;   /* client to server, and back */
    struct conn *prev, *next;            /* of its phase, oldest first; DEAD: next alone */
    struct conn *turn;                   /* next of those that have more to do */
    bool in_turn, throttled, inbound;
    enum conn_phase phase;
    enum conn_protocol protocol;
    uint64_t id, begun_ms, phase_ms;
    struct name *name;     /* NULL: an address that is allowed by itself */
    struct ip from, to;    /* as the client sees them */
    uint16_t from_port, port;
    union rules_peer peer; /* whom it was opened to */
    unsigned tried;        /* addresses of the name */
    unsigned looks;        /* at what the client has sent, before it could be judged */
    struct body body;      /* HTTP: what is left of the request that is passing */
    uint64_t credit;       /* HTTP: bytes that were looked at and may pass */
};

struct conn_list {
    struct conn *first, *last;
    size_t n;
};

/* Between whom datagrams go, as the sandbox sees them. No padding: it is hashed and compared as bytes. */
struct relay_key {
    struct ip from, to;
    uint16_t from_port, port;
};

/* One exchange of datagrams. Its place is never freed: what epoll still has to say of one that ended finds another, or
 * none, with nothing to read. */
struct relay {
    struct watch server;         /* connected, so that nobody else can answer; -1: the place is free, or it waits */
    struct relay_key key;
    int listener;                /* where its answers go in; of the gateway's fixed ones */
    struct relay *prev, *next;   /* in the order of use; free ones by `next` alone */
    struct relay *chain;         /* of those with the same hash */
    struct name *name;           /* NULL: an address that is allowed by itself */
    union rules_peer peer;
    char *held;                  /* the first datagram, while the name is looked up */
    size_t held_n;
    uint64_t id, begun_ms, used_ms, out, in, lost; /* bytes; datagrams */
};

#define RELAYS_MAX 1024
#define RELAY_HASH 1024 /* a power of 2 */

struct relays {
    struct relay *place;    /* NULL: no UDP port is allowed */
    size_t max, n;
    struct relay *unused, *first, *last; /* first: not used for the longest time */
    struct relay *by_hash[RELAY_HASH];
    unsigned char *datagram; /* RELAY_DATAGRAM */
};

struct bucket {
    uint64_t rate, burst; /* bytes a second, bytes */
    int64_t level;        /* below 0: what passed before it was there */
    uint64_t at_us;
};

struct gate {
    struct arena a;
    struct rules rules;
    struct names names;
    struct relays relays;
    struct bucket bucket;
    struct bucket log;          /* events */
    uint64_t unlogged;          /* events that were left out */
    int epoll, link, events, resolver, control;
    struct conn_list phase[CONN_DEAD];
    struct conn *dead;
    struct conn *turn, *turn_last;
    size_t conns, conns_max;
    uint64_t next_id, now_ms;
    int pipe_pool[64][2];
    size_t n_pipes;
    struct conn *asked[32];     /* inbound connections that wait for a socket of the transit namespace */
    unsigned char *look;        /* one buffer for looking at what has come: HEAD_MAX, HELLO_MAX */
    struct watch *fixed[1400];   /* all that is not a connection's */
    size_t n_fixed;
    bool stop;
};

/* Registers a descriptor; `edge`: once at each change, for reading and writing. */
MUST_USE bool gate_watch(struct gate *g, struct watch *w, bool edge);
/* The same for one that stays until the end; takes the descriptor over. */
MUST_USE bool gate_watch_fixed(struct gate *g, enum watch_kind kind, int fd, uint16_t port);

/* Bytes that may pass now, at most `want`; what is not used goes back by bucket_return(). */
MUST_USE size_t bucket_take(struct bucket *b, size_t want);
/* Is there anything to take? */
MUST_USE bool bucket_has(struct bucket *b);
void bucket_return(struct bucket *b, size_t n);
/* Of what passes as a whole or not at all: takes it even if it is more than there is. */
void bucket_owe(struct bucket *b, size_t n);
void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst);
