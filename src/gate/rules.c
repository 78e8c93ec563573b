#include "gate/rules.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/json.h"
#include "gate/host.h"

/* Not anybody's on the Internet (RFC 6890 and its successors). */
static const struct {
    uint32_t network, mask;
} special[] = {
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

static void read_networks(struct json *j, struct arena *a, struct rules *r)
{
    VEC(struct ip_net) list = { 0 };
    struct ip_net one = { 0 };
    struct str v;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && json_string(j, &v)) {
        if (!ip_net_parse(v, &one))
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
            else if (str_eq(key, STR("udp_ports")))
                read_ports(&j, a, &r.udp_port, &r.n_udp_ports);
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

bool rules_has_address(const struct rules *r, const struct ip *a)
{
    for (size_t i = 0; i < r->n_networks; i++)
        if (ip_net_has(&r->network[i], a))
            return !ip_is_of_link(a);
    return false;
}

bool rules_is_synthetic(const struct ip *a)
{
    return ip_is_v4(a) && (ip_v4(a) & RULES_SYNTHETIC_MASK) == RULES_SYNTHETIC;
}

static bool has_port(const uint16_t *list, size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == port)
            return true;
    return false;
}

bool rules_has_port(const struct rules *r, uint16_t port)
{
    return has_port(r->port, r->n_ports, port);
}

bool rules_has_udp_port(const struct rules *r, uint16_t port)
{
    return has_port(r->udp_port, r->n_udp_ports, port);
}

void rules_find_own(struct rules *r, struct arena *a)
{
    VEC(struct ip) list = { 0 };
    struct ifaddrs *all = NULL;

    if (getifaddrs(&all) < 0)
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        union rules_peer one = { 0 };

        if (!i->ifa_addr || (i->ifa_addr->sa_family != AF_INET && i->ifa_addr->sa_family != AF_INET6))
            continue;
        memcpy(&one, i->ifa_addr, i->ifa_addr->sa_family == AF_INET ? sizeof one.v4 : sizeof one.v6);
        VEC_PUSH_IN(a, &list, rules_peer_ip(&one));
    }
    freeifaddrs(all);
    r->own = list.p;
    r->n_own = list.n;
}

static bool is_own(const struct rules *r, const struct ip *a)
{
    for (size_t i = 0; i < r->n_own; i++)
        if (ip_eq(&r->own[i], a))
            return true;
    return false;
}

static bool is_special(uint32_t v4)
{
    for (size_t i = 0; i < COUNT(special); i++)
        if ((v4 & special[i].mask) == special[i].network)
            return true;
    return false;
}

/* The IPv4 address that one of IPv6 leads to: behind a translator (NAT64), or 6to4. */
static bool embedded_v4(const struct ip *a, struct ip *out)
{
    static const unsigned char nat64[12] = { 0x00, 0x64, 0xff, 0x9b };
    const unsigned char *at = NULL;

    if (memcmp(a->b, nat64, sizeof nat64) == 0)
        at = a->b + 12;
    else if (a->b[0] == 0x20 && a->b[1] == 0x02)
        at = a->b + 2;
    if (at)
        *out = ip_from_v4((uint32_t)at[0] << 24 | (uint32_t)at[1] << 16 | (uint32_t)at[2] << 8 | at[3]);
    return at != NULL;
}

bool rules_may_lead_to(const struct rules *r, const union rules_peer *to)
{
    struct ip a = rules_peer_ip(to), v4;

    if (rules_has_address(r, &a))
        return true;
    if (is_own(r, &a))
        return false;
    if (ip_is_v4(&a))
        return !is_special(ip_v4(&a));
    if (embedded_v4(&a, &v4))
        return rules_has_address(r, &v4) || !is_special(ip_v4(&v4));
    /* 2000::/3 is all there is of the Internet; ::1, fe80::, fc00::, ff00:: are not in it */
    return (a.b[0] & 0xe0) == 0x20;
}

/* ------------------------------------------------------------ the kernel's form */

union rules_peer rules_peer_of(const struct ip *a, uint16_t port)
{
    union rules_peer p = { 0 };

    if (ip_is_v4(a)) {
        p.v4 = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons(port),
                                     .sin_addr.s_addr = htonl(ip_v4(a)) };
    } else {
        p.v6.sin6_family = AF_INET6;
        p.v6.sin6_port = htons(port);
        memcpy(&p.v6.sin6_addr, a->b, sizeof a->b);
    }
    return p;
}

struct ip rules_peer_ip(const union rules_peer *p)
{
    struct ip a = { { 0 } };

    if (p->any.sa_family == AF_INET)
        return ip_from_v4(ntohl(p->v4.sin_addr.s_addr));
    if (p->any.sa_family == AF_INET6)
        memcpy(a.b, &p->v6.sin6_addr, sizeof a.b);
    return a;
}

uint16_t rules_peer_port(const union rules_peer *p)
{
    return ntohs(p->any.sa_family == AF_INET6 ? p->v6.sin6_port : p->v4.sin_port);
}

socklen_t rules_peer_size(const union rules_peer *p)
{
    return p->any.sa_family == AF_INET6 ? sizeof p->v6 : sizeof p->v4;
}
