/* The sandbox's name server: an address of its own for each allowed name, nothing for all others, and nothing is asked
 * of anybody, so that a question carries nothing out. */
#pragma once

#include "base/attr.h"

struct conn;
struct gate;
struct watch;

/* What waits at the UDP socket. */
void nameserver_datagrams(struct gate *g, const struct watch *w);
/* Questions over TCP (RFC 7766): each after its length. */
void nameserver_stream(struct gate *g, struct conn *c);
