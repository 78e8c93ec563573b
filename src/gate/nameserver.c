#include "gate/nameserver.h"

#include <errno.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "gate/conn.h"
#include "gate/dns.h"
#include "gate/event.h"
#include "gate/state.h"

#define DATAGRAMS 64 /* in one turn */

static void log_refusal(struct gate *g, const struct dns_question *q, const union rules_peer *from, const char *why)
{
    struct event ev = {
        .verdict = "denied", .protocol = "dns", .from = rules_peer_ip(from), .from_port = rules_peer_port(from),
        .to = ip_from_v4(GATE_TRANSIT), .port = 53, .name = str_of(q->name), .why = why,
    };

    event_send(g, &ev);
}

/* No address of the other family and no HTTPS record for a name that is there (NODATA): programs then use the one
 * that is, and have no key to hide a name with. */
static size_t answer(struct gate *g, const unsigned char *p, size_t n, const union rules_peer *from,
                     unsigned char out[DNS_MESSAGE_MAX])
{
    struct dns_question q;
    bool full = false;

    if (!dns_read(p, n, &q))
        return 0;
    if (q.code != DNS_NO_ERROR)
        return dns_answer(p, &q, q.code, 0, out);
    uint32_t address = q.odd ? 0 : names_address(&g->names, &g->rules, str_of(q.name), &full);

    if (!address) {
        log_refusal(g, &q, from, full ? "too many names below one rule" : "the name is not allowed");
        return dns_answer(p, &q, full ? DNS_REFUSED : DNS_NO_NAME, 0, out);
    }
    return dns_answer(p, &q, DNS_NO_ERROR, q.type == DNS_A ? address : 0, out);
}

/* The answer comes from the address that was asked, whichever it was. */
static bool answer_datagram(struct gate *g, int fd)
{
    unsigned char in[DNS_MESSAGE_MAX], out[DNS_MESSAGE_MAX];
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(sizeof(struct in_pktinfo))];
    } control = { 0 };
    union rules_peer from = { 0 };
    struct iovec part = { in, sizeof in };
    struct msghdr h = { .msg_name = &from, .msg_namelen = sizeof from, .msg_iov = &part, .msg_iovlen = 1,
                        .msg_control = control.bytes, .msg_controllen = sizeof control.bytes };
    ssize_t n = recvmsg(fd, &h, MSG_DONTWAIT);

    if (n < 0)
        return errno == EINTR;
    struct cmsghdr *c = CMSG_FIRSTHDR(&h);

    if (c && c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
        struct in_pktinfo info;

        memcpy(&info, CMSG_DATA(c), sizeof info);
        info.ipi_spec_dst = info.ipi_addr;
        memcpy(CMSG_DATA(c), &info, sizeof info);
    }
    part = (struct iovec){ out, answer(g, in, (size_t)n, &from, out) };
    if (part.iov_len)
        (void)!sendmsg(fd, &h, MSG_DONTWAIT | MSG_NOSIGNAL); /* who asks asks again */
    return true;
}

void nameserver_datagrams(struct gate *g, const struct watch *w)
{
    for (unsigned i = 0; i < DATAGRAMS && answer_datagram(g, w->fd); i++)
        ;
}

void nameserver_stream(struct gate *g, struct conn *c)
{
    union rules_peer from = rules_peer_of(&c->from, c->from_port);

    while (c->client.readable) {
        unsigned char in[2 + DNS_MESSAGE_MAX], out[2 + DNS_MESSAGE_MAX];
        ssize_t n = recv(c->client.fd, in, sizeof in, MSG_PEEK | MSG_DONTWAIT);
        size_t want = n >= 2 ? 2 + ((size_t)in[0] << 8 | in[1]) : 2, length;

        if (n == 0 || (n < 0 && errno != EAGAIN) || want > sizeof in || ++c->looks > CONN_LOOKS) {
            conn_close(g, c, false);
            return;
        }
        if (n < (ssize_t)want) {
            c->client.readable = false;
            return;
        }
        (void)!recv(c->client.fd, in, want, MSG_DONTWAIT); /* it is there: we have seen it */
        length = answer(g, in + 2, want - 2, &from, out + 2);
        out[0] = (unsigned char)(length >> 8);
        out[1] = (unsigned char)length;
        if (!length || send(c->client.fd, out, length + 2, MSG_DONTWAIT | MSG_NOSIGNAL) != (ssize_t)length + 2) {
            conn_close(g, c, true);
            return;
        }
    }
}
