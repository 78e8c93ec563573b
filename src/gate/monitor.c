#include "gate/monitor.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "gate/state.h"

#define PACKETS 64 /* in one turn */
#define LOOK 128
#define V4_HEADER 20u
#define V6_HEADER 40u
#define V6_FRAGMENT 44
#define ICMP6_ECHO_REQUEST 128

/* What the headers of either family say. */
struct packet {
    struct ip from, to;
    unsigned protocol;
    const unsigned char *p; /* behind the headers */
    size_t n;
    bool part;              /* not the first fragment: its ports are in that one */
};

static bool read_v4(const unsigned char *p, size_t n, struct packet *out)
{
    size_t header = (p[0] & 15u) * 4u;

    if (n < V4_HEADER || header < V4_HEADER || header > n)
        return false;
    *out = (struct packet){ .protocol = p[9], .p = p + header, .n = n - header, .part = (p[6] & 0x1f) || p[7] };
    out->from = out->to = ip_from_v4(0);
    memcpy(out->from.b + 12, p + 12, 4);
    memcpy(out->to.b + 12, p + 16, 4);
    return true;
}

static bool read_v6(const unsigned char *p, size_t n, struct packet *out)
{
    if (n < V6_HEADER)
        return false;
    *out = (struct packet){ .protocol = p[6], .p = p + V6_HEADER, .n = n - V6_HEADER };
    memcpy(out->from.b, p + 8, sizeof out->from.b);
    memcpy(out->to.b, p + 24, sizeof out->to.b);
    if (out->protocol == V6_FRAGMENT && out->n >= 8) {
        out->protocol = out->p[0];
        out->part = out->p[2] || out->p[3] & 0xf8;
        out->p += 8;
        out->n -= 8;
    }
    return true;
}

static bool is_known(const struct gate *g, const struct ip *to)
{
    static const struct ip six = GATE_TRANSIT6;

    return (ip_is_v4(to) && ip_v4(to) == GATE_TRANSIT) || ip_eq(to, &six) || rules_is_synthetic(to) ||
           rules_has_address(&g->rules, to);
}

static const char *why_not_tcp(const struct gate *g, const struct event *ev)
{
    if (!is_known(g, &ev->to))
        return "the address is not allowed";
    return ev->port == 53 || rules_has_port(&g->rules, ev->port) ? NULL : "the port is not allowed";
}

/* What has reached a port that is allowed is judged, and told of, by the relay. */
static const char *why_not_udp(const struct gate *g, const struct event *ev)
{
    bool known = is_known(g, &ev->to);

    if ((ev->port == 53 || rules_has_udp_port(&g->rules, ev->port)) && known)
        return NULL;
    if (g->rules.n_udp_ports == 0)
        return "of UDP only DNS is answered";
    return known ? "the port is not allowed for UDP" : "the address is not allowed";
}

static const char *why_not(const struct gate *g, const struct event *ev, unsigned protocol)
{
    if (protocol == IPPROTO_TCP)
        return why_not_tcp(g, ev);
    if (protocol == IPPROTO_UDP)
        return why_not_udp(g, ev);
    return g->rules.n_udp_ports ? "only TCP and UDP go out" : "only TCP goes out";
}

/* What keeps the link itself going: neighbours are asked for, groups are joined. */
static bool is_of_link(const struct packet *k)
{
    if (k->protocol == IPPROTO_HOPOPTS)
        return ip_is_of_link(&k->to);
    return k->protocol == IPPROTO_ICMPV6 && k->n && k->p[0] != ICMP6_ECHO_REQUEST;
}

bool monitor_read(const struct gate *g, const unsigned char *p, size_t n, struct event *out)
{
    struct packet k;

    if (n == 0 || !(p[0] >> 4 == 4 ? read_v4(p, n, &k) : p[0] >> 4 == 6 && read_v6(p, n, &k)) || is_of_link(&k))
        return false;
    *out = (struct event){ .verdict = "denied", .protocol = "ip", .from = k.from, .to = k.to };
    if (k.part) { /* where it would go on to is not known from it */
        out->why = "a fragment";
        return true;
    }
    if (k.n >= 4 && (k.protocol == IPPROTO_TCP || k.protocol == IPPROTO_UDP)) {
        out->from_port = (uint16_t)(k.p[0] << 8 | k.p[1]);
        out->port = (uint16_t)(k.p[2] << 8 | k.p[3]);
    }
    if (k.protocol == IPPROTO_TCP || k.protocol == IPPROTO_UDP)
        out->protocol = k.protocol == IPPROTO_TCP ? "tcp" : "udp";
    else if (k.protocol == IPPROTO_ICMP || k.protocol == IPPROTO_ICMPV6)
        out->protocol = "icmp";
    out->why = why_not(g, out, k.protocol);
    return out->why != NULL;
}

void monitor_packets(struct gate *g, const struct watch *w)
{
    for (unsigned i = 0; i < PACKETS; i++) {
        unsigned char packet[LOOK];
        struct sockaddr_ll from = { 0 };
        socklen_t length = sizeof from;
        struct event ev;
        ssize_t n = recvfrom(w->fd, packet, sizeof packet, MSG_DONTWAIT, (struct sockaddr *)&from, &length);

        if (n < 0 && errno != EINTR)
            return;
        if (n > 0 && from.sll_pkttype != PACKET_OUTGOING && monitor_read(g, packet, (size_t)n, &ev))
            event_send(g, &ev);
    }
}
