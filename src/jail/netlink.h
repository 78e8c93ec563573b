/* Interfaces, addresses and routes of the network namespace that the calling thread is in, by rtnetlink(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct err;

/* A socket of the current namespace, where its commands act from then on. */
MUST_USE bool netlink_open(int *fd, struct err *e);

/* A pair of joined interfaces: `name` here, `peer` in the namespace that `peer_ns` is a descriptor of. */
MUST_USE bool netlink_add_veth(int fd, const char *name, const char *peer, int peer_ns, uint32_t mtu, struct err *e);
MUST_USE bool netlink_raise(int fd, const char *name, struct err *e);
/* Addresses in host order. */
MUST_USE bool netlink_add_address(int fd, const char *name, uint32_t address, unsigned bits, struct err *e);

enum netlink_route {
    NETLINK_VIA,     /* through the router `via` */
    NETLINK_LOCAL,   /* ours: what is sent there arrives here */
    NETLINK_PROHIBIT /* refused, and whoever sends is told */
};
MUST_USE bool netlink_add_route(int fd, enum netlink_route kind, uint32_t network, unsigned bits, uint32_t via,
                                struct err *e);
