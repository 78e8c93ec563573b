/* Connections of the server: reading lines, queueing answers, and bounds that no client can move.
 *
 * Nothing here waits. A client that does not read its answers is not read from any further; one that does not read its
 * events is dropped with a notice; one that says nothing makes room when the places are used up. The memory of all
 * connections together has a bound; the largest one goes when it is passed.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <uv.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "wire/frame.h"
#include "wire/protocol.h"

struct err;
struct peers;

#define PEERS_MAX 256                      /* connections at a time */
#define PEER_EVENTS_MAX ((size_t)256 << 10) /* bytes of events that wait for one client */
#define PEER_PAUSE ((size_t)256 << 10)      /* with so many bytes of answers waiting, no further request is read */
#define PEERS_MEMORY ((size_t)16 << 20)     /* bytes of all buffers */
#define PEER_IDLE_MS 1000                   /* an idle connection may be closed for a new one after so long */

struct peer {
    struct peers *peers;
    struct peer *prev, *next; /* longest silent first */
    int fd;
    uv_poll_t poll;
    struct frame in;
    struct buf out;
    size_t sent;        /* bytes of out */
    bool in_line;       /* the last line of which something was sent was not sent whole */
    uint64_t last_ms;   /* of the loop's clock: last line read */
    size_t memory;      /* bytes of buffers, as counted in the sum of all */
    int interest;       /* what is polled for */
    bool greeted;       /* it said hello */
    bool ended;         /* it will send no more */
    bool closing;       /* closed when out is written */
    bool dead;          /* closed; the memory goes when the loop says so */
    /* the server's own */
    uint64_t proto;
    bool subscribed;
    uint64_t subscription; /* the request's id */
    char *only;            /* subscribed to one project: its path, owned; NULL: to all */
    char *foreground;      /* path, owned; NULL: none */
    unsigned waiting;      /* requests that are not answered yet */
};

struct peers_config {
    uv_loop_t *loop;
    int listen_fd; /* stays the caller's */
    void *ctx;
    void (*line)(void *ctx, struct peer *p, struct str line); /* one line of a client; may close it */
    void (*gone)(void *ctx, struct peer *p);                  /* closed: the last moment for the server's own fields */
};

struct peers_figures {
    uint64_t accepted, refused, evicted, dropped, lines, too_long, bytes_in, bytes_out;
    size_t open, memory;
};

MUST_USE bool peers_open(const struct peers_config *config, struct peers **out, struct err *e);
/* No new connections; those that wait stay in the backlog. */
void peers_stop_accepting(struct peers *s);
/* Writes what can be written at once and closes all. The memory goes when the loop has run the close callbacks. */
void peers_close(struct peers *s);
void peers_free(struct peers *s); /* after that */
const struct peers_figures *peers_figures(const struct peers *s);
/* Every open connection, longest silent first: start with NULL. */
struct peer *peers_next(const struct peers *s, const struct peer *p);

/* The buffer for one line of an answer, written by wire_write_*(); then peer_sent(). */
MUST_USE NOT_NULL struct buf *peer_begin(struct peer *p);
/* False: the line was longer than WIRE_LINE_MAX and was taken back. */
MUST_USE bool peer_commit(struct peer *p);
/* The same for an event: a client with too much of these waiting gets a notice and is dropped. */
void peer_commit_event(struct peer *p);
void peer_close_when_written(struct peer *p);
void peer_close(struct peer *p);
