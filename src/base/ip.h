/* Internet addresses and networks of both families: their text, and which address is in which network.
 *
 * An IPv4 address is kept as IPv6 maps it (::ffff:203.0.113.6), so the two ways to write it are one address and follow
 * the same rules; a network of IPv6 never has one, not even ::/0. Pure: no I/O, no allocation.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

#define IP_TEXT_MAX 56 /* bytes of a network's text, with the NUL */
#define IP_V4_BITS 96  /* before the 32 of an IPv4 address */

struct ip {
    unsigned char b[16]; /* all zero: none */
};

struct ip_net {
    struct ip first;
    unsigned bits; /* of 128, in an IPv4 network too */
};

MUST_USE struct ip ip_from_v4(uint32_t v4); /* host order */
MUST_USE bool ip_is_v4(const struct ip *a);
/* Host order; only when ip_is_v4(). */
MUST_USE uint32_t ip_v4(const struct ip *a);
MUST_USE bool ip_is_none(const struct ip *a);
MUST_USE bool ip_eq(const struct ip *a, const struct ip *b);
/* Means something on one link only: multicast and broadcast, and link-local of IPv6. */
MUST_USE bool ip_is_of_link(const struct ip *a);

/* "203.0.113.6", "2001:db8::1": no port, no brackets, no zone. */
MUST_USE bool ip_parse(struct str text, struct ip *out);
void ip_format(const struct ip *a, char out[IP_TEXT_MAX]);

/* "203.0.113.7/24" is 203.0.113.0/24; an address alone is a network of one. */
MUST_USE bool ip_net_parse(struct str text, struct ip_net *out);
/* Always with the length: "203.0.113.0/24". */
void ip_net_format(const struct ip_net *n, char out[IP_TEXT_MAX]);
MUST_USE bool ip_net_has(const struct ip_net *n, const struct ip *a);
