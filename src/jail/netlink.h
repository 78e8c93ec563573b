/* Interfaces, addresses and routes of the network namespace that the calling thread is in, by rtnetlink(7). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct err;
struct ip;
struct ip_net;

/* A socket of the current namespace, where its commands act from then on. */
MUST_USE bool netlink_open(int *fd, struct err *e);

/* A pair of joined interfaces: `name` here, `peer` in the namespace that `peer_ns` is a descriptor of. */
MUST_USE bool netlink_add_veth(int fd, const char *name, const char *peer, int peer_ns, uint32_t mtu, struct err *e);
MUST_USE bool netlink_raise(int fd, const char *name, struct err *e);
/* Used at once: nobody is asked whether another has it. `bits` of 128, as in struct ip_net. */
MUST_USE bool netlink_add_address(int fd, const char *name, const struct ip *a, unsigned bits, struct err *e);

enum netlink_route {
    NETLINK_VIA,     /* through a router */
    NETLINK_LOCAL,   /* ours: what is sent there arrives here */
    NETLINK_PROHIBIT /* refused, and whoever sends is told */
};
/* `via`: for NETLINK_VIA alone. */
MUST_USE bool netlink_add_route(int fd, enum netlink_route kind, const struct ip_net *to, const struct ip *via,
                                struct err *e);
