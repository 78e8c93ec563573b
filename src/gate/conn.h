/* One connection, from the moment it is accepted: judged, resolved, opened to the other side, moved, closed. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct conn;
struct gate;
struct name;
struct watch;

#define CONN_JUDGE_MS 5000   /* to say what it is for */
#define CONN_RESOLVE_MS 15000
#define CONN_DIAL_MS 10000   /* for one address */
#define CONN_LOOKS 200       /* at an unfinished head or hello: one of single bytes costs more than it is worth */

/* All that wait at a listening socket, up to a bound. */
void conn_accept(struct gate *g, const struct watch *listener);
/* What epoll says of one of its sockets. */
void conn_event(struct gate *g, struct watch *w, uint32_t events);
/* Goes on with it as far as it can. */
void conn_run(struct gate *g, struct conn *c);
/* The resolver has answered: goes on with all that wait for the name. */
void conn_resolved(struct gate *g, const struct name *n);
/* The transit namespace has answered to an inbound one; fd: the socket, or -1. Takes it over. */
void conn_connected(struct gate *g, uint64_t id, int fd);
/* Ends what has taken too long; milliseconds until the next would have, or -1. */
MUST_USE int conn_expire(struct gate *g);
/* Refused: an event, and a reset that the other side sees at once. */
void conn_deny(struct gate *g, struct conn *c, const char *why);
/* The end of an allowed one. `reset`: not in good order. */
void conn_close(struct gate *g, struct conn *c, bool reset);
/* Frees those that ended in this turn. */
void conn_reap(struct gate *g);
/* Puts it at the end of those that have more to do; `throttled`: when there is bandwidth again. */
void conn_later(struct gate *g, struct conn *c, bool throttled);
