#include "gate/monitor.h"

#include <errno.h>
#include <linux/if_packet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "gate/state.h"

#define PACKETS 64 /* in one turn */
#define LOOK 128

static uint32_t get32(const unsigned char *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static bool is_known(const struct gate *g, uint32_t to)
{
    return to == GATE_TRANSIT || (to & RULES_SYNTHETIC_MASK) == RULES_SYNTHETIC || rules_has_address(&g->rules, to);
}

static const char *why_not_tcp(const struct gate *g, const struct event *ev)
{
    if (!is_known(g, ev->to))
        return "the address is not allowed";
    return ev->port == 53 || rules_has_port(&g->rules, ev->port) ? NULL : "the port is not allowed";
}

bool monitor_read(const struct gate *g, const unsigned char *p, size_t n, struct event *out)
{
    size_t header = n ? (p[0] & 15u) * 4u : 0;

    if (n < 20 || p[0] >> 4 != 4 || header < 20)
        return false;
    *out = (struct event){ .verdict = "denied", .protocol = "ip", .from = get32(p + 12), .to = get32(p + 16) };
    if ((p[6] & 0x3f) || p[7]) { /* part of a packet: where it would go on to is not known from it */
        out->why = "a fragment";
        return true;
    }
    bool ports = n >= header + 4 && (p[9] == IPPROTO_TCP || p[9] == IPPROTO_UDP);

    if (ports) {
        out->from_port = (uint16_t)(p[header] << 8 | p[header + 1]);
        out->port = (uint16_t)(p[header + 2] << 8 | p[header + 3]);
    }
    switch (p[9]) {
    case IPPROTO_TCP:
        out->protocol = "tcp";
        out->why = why_not_tcp(g, out);
        break;
    case IPPROTO_UDP:
        out->protocol = "udp";
        out->why = out->port == 53 && is_known(g, out->to) ? NULL : "of UDP only DNS is answered";
        break;
    case IPPROTO_ICMP:
        out->protocol = "icmp";
        out->why = "only TCP goes out";
        break;
    default:
        out->why = "only TCP goes out";
        break;
    }
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
