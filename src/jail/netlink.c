#include "jail/netlink.h"

#include <errno.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <linux/veth.h>
#include <net/if.h>
#include <sys/socket.h>
#include <unistd.h>
#include "base/err.h"
#include "base/ip.h"
#include "base/str.h"

#define ROOM 512

/* A message under construction; the largest takes 150 bytes. */
struct request {
    union {
        struct nlmsghdr h;
        char bytes[ROOM];
    };
};

bool netlink_open(int *fd, struct err *e)
{
    *fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE);
    return *fd >= 0 || err_sys(e, "open a netlink socket");
}

static void *append(struct request *r, size_t n)
{
    void *at = r->bytes + NLMSG_ALIGN(r->h.nlmsg_len);

    if (NLMSG_ALIGN(r->h.nlmsg_len) + NLMSG_ALIGN(n) > sizeof r->bytes)
        BUG("a netlink message of more than %d bytes", ROOM);
    r->h.nlmsg_len = NLMSG_ALIGN(r->h.nlmsg_len) + (unsigned)n;
    return at;
}

static void *begin(struct request *r, uint16_t type, uint16_t flags, size_t n)
{
    *r = (struct request){ .h = { .nlmsg_len = NLMSG_HDRLEN, .nlmsg_type = type,
                                  .nlmsg_flags = (uint16_t)(NLM_F_REQUEST | NLM_F_ACK | flags) } };
    return append(r, n);
}

static void add(struct request *r, uint16_t type, const void *p, size_t n)
{
    struct rtattr *at = append(r, RTA_LENGTH(n));

    at->rta_type = type;
    at->rta_len = (uint16_t)RTA_LENGTH(n);
    if (n)
        memcpy(RTA_DATA(at), p, n);
}

static void add_text(struct request *r, uint16_t type, const char *text)
{
    add(r, type, text, strlen(text) + 1);
}

static void add_u32(struct request *r, uint16_t type, uint32_t v)
{
    add(r, type, &v, sizeof v);
}

/* What follows until nest_end() is inside the attribute. */
static struct rtattr *nest_begin(struct request *r, uint16_t type)
{
    char *at = r->bytes + NLMSG_ALIGN(r->h.nlmsg_len);

    add(r, type, NULL, 0);
    return (struct rtattr *)(void *)at;
}

static void nest_end(struct request *r, struct rtattr *at)
{
    at->rta_len = (uint16_t)(r->bytes + r->h.nlmsg_len - (char *)at);
}

/* Sends it and waits for the kernel's verdict, in errno. */
static bool carry_out(int fd, const struct request *r)
{
    union {
        struct nlmsghdr h;
        char bytes[4096];
    } answer;
    ssize_t n;

    if (send(fd, r, r->h.nlmsg_len, 0) < 0)
        return false;
    while ((n = recv(fd, &answer, sizeof answer, 0)) < 0 && errno == EINTR)
        ;
    if (n < (ssize_t)(NLMSG_HDRLEN + sizeof(struct nlmsgerr)) || answer.h.nlmsg_type != NLMSG_ERROR) {
        errno = EPROTO;
        return false;
    }
    errno = -((const struct nlmsgerr *)NLMSG_DATA(&answer.h))->error;
    return errno == 0;
}

bool netlink_add_veth(int fd, const char *name, const char *peer, int peer_ns, uint32_t mtu, struct err *e)
{
    struct request r;

    (void)begin(&r, RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, sizeof(struct ifinfomsg));
    add_text(&r, IFLA_IFNAME, name);
    add_u32(&r, IFLA_MTU, mtu);
    struct rtattr *info = nest_begin(&r, IFLA_LINKINFO);

    add_text(&r, IFLA_INFO_KIND, "veth");
    struct rtattr *data = nest_begin(&r, IFLA_INFO_DATA), *other = nest_begin(&r, VETH_INFO_PEER);

    memset(append(&r, sizeof(struct ifinfomsg)), 0, sizeof(struct ifinfomsg));
    add_text(&r, IFLA_IFNAME, peer);
    add_u32(&r, IFLA_MTU, mtu);
    add_u32(&r, IFLA_NET_NS_FD, (uint32_t)peer_ns);
    nest_end(&r, other);
    nest_end(&r, data);
    nest_end(&r, info);
    return carry_out(fd, &r) || err_sys(e, "join the two network namespaces (veth)");
}

bool netlink_raise(int fd, const char *name, struct err *e)
{
    struct request r;
    struct ifinfomsg *i = begin(&r, RTM_NEWLINK, 0, sizeof *i);

    i->ifi_index = (int)if_nametoindex(name);
    i->ifi_flags = i->ifi_change = IFF_UP;
    return (i->ifi_index && carry_out(fd, &r)) || err_sys(e, "raise the interface %s", name);
}

/* The bytes of an address as its family has them. */
static void add_ip(struct request *r, uint16_t type, const struct ip *a)
{
    if (ip_is_v4(a))
        add(r, type, a->b + IP_V4_BITS / 8, 4);
    else
        add(r, type, a->b, sizeof a->b);
}

static unsigned char family_of(const struct ip *a)
{
    return ip_is_v4(a) ? AF_INET : AF_INET6;
}

static unsigned char length_of(const struct ip *a, unsigned bits)
{
    return (unsigned char)(bits - (ip_is_v4(a) ? IP_V4_BITS : 0));
}

bool netlink_add_address(int fd, const char *name, const struct ip *a, unsigned bits, struct err *e)
{
    struct request r;
    struct ifaddrmsg *i = begin(&r, RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, sizeof *i);

    *i = (struct ifaddrmsg){ .ifa_family = family_of(a), .ifa_prefixlen = length_of(a, bits),
                             .ifa_flags = ip_is_v4(a) ? 0 : IFA_F_NODAD, .ifa_index = if_nametoindex(name) };
    add_ip(&r, IFA_LOCAL, a);
    add_ip(&r, IFA_ADDRESS, a);
    return carry_out(fd, &r) || err_sys(e, "give %s its address of IPv%d", name, ip_is_v4(a) ? 4 : 6);
}

bool netlink_add_route(int fd, enum netlink_route kind, const struct ip_net *to, const struct ip *via, struct err *e)
{
    static const unsigned char type[] = {
        [NETLINK_VIA] = RTN_UNICAST, [NETLINK_LOCAL] = RTN_LOCAL, [NETLINK_PROHIBIT] = RTN_PROHIBIT
    };
    struct request r;
    struct rtmsg *i = begin(&r, RTM_NEWROUTE, NLM_F_CREATE, sizeof *i);

    /* All in the main table, local ones too: there the longest prefix counts, so that 0.0.0.0/0 as an allowed network
     * does not swallow the way back to the sandbox. */
    *i = (struct rtmsg){ .rtm_family = family_of(&to->first), .rtm_dst_len = length_of(&to->first, to->bits),
                         .rtm_table = RT_TABLE_MAIN, .rtm_protocol = RTPROT_STATIC, .rtm_type = type[kind],
                         .rtm_scope = kind == NETLINK_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE };
    if (i->rtm_dst_len)
        add_ip(&r, RTA_DST, &to->first);
    if (kind == NETLINK_VIA)
        add_ip(&r, RTA_GATEWAY, via);
    if (kind == NETLINK_LOCAL)
        add_u32(&r, RTA_OIF, if_nametoindex("lo"));
    return carry_out(fd, &r) || errno == EEXIST || err_sys(e, "add a route to the sandbox's router");
}
