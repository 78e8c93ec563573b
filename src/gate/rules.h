/* What a sandbox may reach: names, addresses, ports, as the policy lists them.
 *
 * The policy comes from Blast as JSON, compiled: nothing of blast.toml is read here.
 */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/ip.h"
#include "base/str.h"

struct arena;
struct err;

#define RULES_MAX (4u << 20)     /* bytes of the JSON */
#define RULES_NONE UINT32_MAX
#define RULES_SYNTHETIC 0xc6120000u /* 198.18.0.0/15, which no network routes (RFC 2544): addresses of names inside */
#define RULES_SYNTHETIC_MASK 0xfffe0000u

union rules_peer {
    struct sockaddr any;
    struct sockaddr_in v4;
    struct sockaddr_in6 v6;
};

struct rules {
    const struct str *name; /* "good.test", or "*.good.test" for all below it but not itself; normal */
    size_t n_names;
    const struct ip_net *network;
    size_t n_networks;
    const uint16_t *port;
    size_t n_ports;
    const uint16_t *udp_port;
    size_t n_udp_ports;
    const uint16_t *inbound;
    size_t n_inbound;
    uint64_t bandwidth;     /* bytes a second, both directions together; 0: no limit */
    const struct ip *own;   /* addresses of this machine; filled in by rules_find_own() */
    size_t n_own;
};

MUST_USE bool rules_parse(struct str json, struct arena *a, struct rules *out, struct err *e);

/* The rule that lets a normal name through, or RULES_NONE. */
MUST_USE uint32_t rules_find_name(const struct rules *r, struct str name);
/* Is it allowed by itself? What means something on one link only never is: it would be another link outside. */
MUST_USE bool rules_has_address(const struct rules *r, const struct ip *a);
/* Is it of those that are given to names? */
MUST_USE bool rules_is_synthetic(const struct ip *a);
MUST_USE bool rules_has_port(const struct rules *r, uint16_t port);
MUST_USE bool rules_has_udp_port(const struct rules *r, uint16_t port);

/* The addresses of this machine's interfaces. */
void rules_find_own(struct rules *r, struct arena *a);

/* May a name lead to this address? Not to this machine, its private networks, link-local (where clouds keep their
 * metadata), carrier-grade NAT or multicast, unless the policy names the address: else whoever holds the name of an
 * allowed host could point it at the inside of a network (DNS rebinding). */
MUST_USE bool rules_may_lead_to(const struct rules *r, const union rules_peer *to);

/* Between addresses and what the kernel's calls take. */
MUST_USE union rules_peer rules_peer_of(const struct ip *a, uint16_t port);
MUST_USE struct ip rules_peer_ip(const union rules_peer *p);
MUST_USE uint16_t rules_peer_port(const union rules_peer *p);
MUST_USE socklen_t rules_peer_size(const union rules_peer *p);
