/* Datagrams to the UDP ports that are allowed: whom they are for is judged as for TCP, what they say is not looked at.
 *
 * An exchange is between a port inside and an address and port outside. Its first datagram opens a socket of its own to
 * the other side; answers of nobody else come in. How many there are at once is bounded, the one not used for the
 * longest time makes room, and after a minute of silence each is over. As on any line, datagrams can be lost: while a
 * name is looked up all but the first, and what is more than the bandwidth.
 */
#pragma once

#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct gate;
struct name;
struct relay;
struct relay_key;
struct watch;

#define RELAY_IDLE_MS 60000
#define RELAY_DATAGRAM 65536

/* Room for `max` exchanges. */
void relay_init(struct gate *g, size_t max);
void relay_clear(struct gate *g);
/* What waits at a socket of the transit namespace. */
void relay_datagrams(struct gate *g, const struct watch *w);
/* One that came in at the socket `listener`. */
void relay_pass(struct gate *g, int listener, const struct relay_key *key, struct str datagram);
/* What the other side has sent. */
void relay_answers(struct gate *g, struct relay *r);
/* The name was looked up: goes on with all that wait for it. */
void relay_resolved(struct gate *g, const struct name *n);
/* Ends what has been silent too long; milliseconds until the next would be, or -1. */
MUST_USE int relay_expire(struct gate *g);
