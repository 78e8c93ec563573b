/* What the gateway tells: one JSON object a datagram, for the audit log.
 *
 *     {"verdict":"allowed","protocol":"tcp","from":"10.0.2.100:4242","to":"198.18.0.1:443","name":"good.test",
 *      "peer":"203.0.113.6:443","rule":"*.test","why":...,"out":N,"in":N,"lost":N,"ms":N,"left_out":N}
 *
 * verdict: ready (once) | allowed (it was opened) | closed (an allowed one ended: bytes and time) | denied. Members
 * that say nothing are left out. At most EVENT_RATE a second, with a burst; the next one says how many were left out:
 * what runs inside can make the log grow no faster, and fill no disk.
 */
#pragma once

#include "base/attr.h"
#include "base/buf.h"
#include "base/ip.h"
#include "base/str.h"

struct conn;
struct gate;
struct relay;
union rules_peer;

#define EVENT_RATE 20
#define EVENT_BURST 200
#define EVENT_MAX 2048 /* bytes */

struct event {
    const char *verdict, *protocol;
    struct ip from, to;
    uint16_t from_port, port;
    struct str name, rule;
    const char *why;   /* static */
    const union rules_peer *peer;
    bool inbound, timed;
    uint64_t out, in, lost, ms; /* bytes; datagrams; since it began, when it is timed */
};

void event_send(struct gate *g, const struct event *ev);
/* Of a connection: `why` may be NULL. */
void event_conn(struct gate *g, const struct conn *c, const char *verdict, const char *why);
void event_relay(struct gate *g, const struct relay *r, const char *verdict, const char *why);
/* The text of an address: "203.0.113.6:443", "[2001:db8::1]:443". */
#define EVENT_PEER_MAX 72
void event_address(const struct ip *a, uint16_t port, char out[EVENT_PEER_MAX]);
void event_peer(const union rules_peer *p, char out[EVENT_PEER_MAX]);
