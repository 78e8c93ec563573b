#include "gate/rules.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/json.h"
#include "gate/host.h"

/* Not anybody's on the Internet (RFC 6890 and its successors). */
static const struct rules_network special[] = {
    { 0x00000000, 0xff000000 }, /* this network */
    { 0x0a000000, 0xff000000 }, /* 10/8 */
    { 0x64400000, 0xffc00000 }, /* 100.64/10, carrier-grade NAT */
    { 0x7f000000, 0xff000000 }, /* loopback */
    { 0xa9fe0000, 0xffff0000 }, /* 169.254/16, link-local */
    { 0xac100000, 0xfff00000 }, /* 172.16/12 */
    { 0xc0000000, 0xffffff00 }, /* 192.0.0/24, protocol assignments */
    { 0xc0a80000, 0xffff0000 }, /* 192.168/16 */
    { 0xc6120000, 0xfffe0000 }, /* 198.18/15, benchmarks; inside it is our own */
    { 0xe0000000, 0xe0000000 }, /* multicast, reserved, broadcast */
};

/* ------------------------------------------------------------ reading */

/* "203.0.113.0/24", or an address alone. */
static bool read_network(struct str text, struct rules_network *out)
{
    size_t slash = str_find(text, '/');
    char address[INET_ADDRSTRLEN];
    struct in_addr in;
    uint64_t bits = 32;

    if (slash >= sizeof address || (slash < text.n && !str_to_u64(str_sub(text, slash + 1, text.n), &bits)) ||
        bits > 32)
        return false;
    memcpy(address, text.p, slash);
    address[slash] = '\0';
    if (inet_pton(AF_INET, address, &in) != 1)
        return false;
    out->mask = bits ? ~0u << (32 - bits) : 0;
    out->network = ntohl(in.s_addr);
    return (out->network & ~out->mask) == 0;
}

static void read_networks(struct json *j, struct arena *a, struct rules *r)
{
    VEC(struct rules_network) list = { 0 };
    struct rules_network one = { 0 };
    struct str v;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && json_string(j, &v)) {
        if (!read_network(v, &one))
            (void)json_fail(j, "'" STR_FMT "' is no network", STR_ARG(v));
        VEC_PUSH_IN(a, &list, one);
    }
    r->network = list.p;
    r->n_networks = list.n;
}

static void read_names(struct json *j, struct arena *a, struct rules *r)
{
    VEC(struct str) list = { 0 };
    struct str v;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && json_string(j, &v)) {
        struct str name = v;
        char normal[HOST_MAX];

        (void)str_cut_prefix(&name, STR("*."));
        if (!host_normalise(name, normal) || !str_eq(str_of(normal), name))
            (void)json_fail(j, "'" STR_FMT "' is no host name", STR_ARG(v));
        VEC_PUSH_IN(a, &list, arena_str(a, v));
    }
    r->name = list.p;
    r->n_names = list.n;
}

static void read_ports(struct json *j, struct arena *a, const uint16_t **out, size_t *n)
{
    VEC(uint16_t) list = { 0 };
    uint64_t v;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && json_u64(j, &v)) {
        if (v == 0 || v > UINT16_MAX)
            (void)json_fail(j, "%llu is no port", (unsigned long long)v);
        VEC_PUSH_IN(a, &list, (uint16_t)v);
    }
    *out = list.p;
    *n = list.n;
}

bool rules_parse(struct str json, struct arena *a, struct rules *out, struct err *e)
{
    struct rules r = { 0 };
    struct json j;
    struct str key;

    json_init(&j, json, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("domains")))
                read_names(&j, a, &r);
            else if (str_eq(key, STR("networks")))
                read_networks(&j, a, &r);
            else if (str_eq(key, STR("ports")))
                read_ports(&j, a, &r.port, &r.n_ports);
            else if (str_eq(key, STR("inbound")))
                read_ports(&j, a, &r.inbound, &r.n_inbound);
            else if (str_eq(key, STR("bandwidth")))
                (void)json_u64(&j, &r.bandwidth);
            else
                (void)json_fail(&j, "unknown member '" STR_FMT "'", STR_ARG(key));
        }
    }
    if (!json_end(&j))
        return err_as(e, ERR_CONFIG, "read what the sandbox may reach");
    *out = r;
    return true;
}

/* ------------------------------------------------------------ asking */

uint32_t rules_find_name(const struct rules *r, struct str name)
{
    for (size_t i = 0; i < r->n_names; i++) {
        struct str rule = r->name[i];

        /* "*.good.test": the dot belongs to the suffix, so evil-good.test does not end in it. */
        if (str_cut_prefix(&rule, STR("*")) ? name.n > rule.n && str_ends(name, rule) : str_eq(name, rule))
            return (uint32_t)i;
    }
    return RULES_NONE;
}

bool rules_has_address(const struct rules *r, uint32_t address)
{
    for (size_t i = 0; i < r->n_networks; i++)
        if ((address & r->network[i].mask) == r->network[i].network)
            return true;
    return false;
}

bool rules_has_port(const struct rules *r, uint16_t port)
{
    for (size_t i = 0; i < r->n_ports; i++)
        if (r->port[i] == port)
            return true;
    return false;
}

void rules_find_own(struct rules *r, struct arena *a)
{
    VEC(union rules_peer) list = { 0 };
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        union rules_peer one = { 0 };

        if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        memcpy(&one, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ? sizeof one.v4 : sizeof one.v6);
        VEC_PUSH_IN(a, &list, one);
    }
    freeifaddrs(all);
    r->own = list.p;
    r->n_own = list.n;
}

static bool is_own(const struct rules *r, const union rules_peer *to)
{
    for (size_t i = 0; i < r->n_own; i++) {
        const union rules_peer *own = &r->own[i];

        if (own->any.sa_family != to->any.sa_family)
            continue;
        if (to->any.sa_family == AF_INET ? own->v4.sin_addr.s_addr == to->v4.sin_addr.s_addr
                                         : memcmp(&own->v6.sin6_addr, &to->v6.sin6_addr, sizeof to->v6.sin6_addr) == 0)
            return true;
    }
    return false;
}

static bool may_lead_to_v4(const struct rules *r, uint32_t address)
{
    if (rules_has_address(r, address))
        return true;
    for (size_t i = 0; i < COUNT(special); i++)
        if ((address & special[i].mask) == special[i].network)
            return false;
    return true;
}

/* The IPv4 address that an IPv6 one stands for: mapped, or behind a translator (NAT64), or 6to4. */
static bool embedded_v4(const struct in6_addr *a, uint32_t *out)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff }, nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    const unsigned char *at = NULL;

    if (memcmp(a->s6_addr, mapped, sizeof mapped) == 0 || memcmp(a->s6_addr, nat64, sizeof nat64) == 0)
        at = a->s6_addr + 12;
    else if (a->s6_addr[0] == 0x20 && a->s6_addr[1] == 0x02)
        at = a->s6_addr + 2;
    if (at)
        *out = (uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3];
    return at != NULL;
}

bool rules_may_lead_to(const struct rules *r, const union rules_peer *to)
{
    uint32_t v4;

    if (to->any.sa_family == AF_INET) {
        v4 = ntohl(to->v4.sin_addr.s_addr);
        return may_lead_to_v4(r, v4) && (rules_has_address(r, v4) || !is_own(r, to));
    }
    if (to->any.sa_family != AF_INET6 || is_own(r, to))
        return false;
    const unsigned char *b = to->v6.sin6_addr.s6_addr;

    if (embedded_v4(&to->v6.sin6_addr, &v4))
        return may_lead_to_v4(r, v4);
    /* 2000::/3 is all there is of the Internet; ::1, fe80::, fc00::, ff00:: are not in it */
    return (b[0] & 0xe0) == 0x20;
}
