#include "jail/transit.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sched.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/fd.h"
#include "base/ip.h"
#include "base/pass.h"
#include "base/str.h"
#include "jail/init.h"
#include "jail/netlink.h"
#include "jail/policy.h"

#define V4(a, b, c, d) { { [10] = 0xff, [11] = 0xff, a, b, c, d } }
#define V6_OWN(last) { { 0xfd, 0x62, 0x6c, 0x61, 0x73, 0x74, [15] = last } } /* of nobody else (RFC 4193) */
#define BITS (IP_V4_BITS + 24)
#define V6_BITS 64
#define MTU 65520u            /* larger segments cost less: nothing of it goes over a wire */
#define BACKLOG 1024
#define DNS_PORT 53
#define FILTER_PORTS 200u /* so many that a jump over them is one byte */

static const struct ip router = V4(10, 0, 2, 2), inside = V4(10, 0, 2, 100), router6 = V6_OWN(2),
                       inside6 = V6_OWN(0x64);
static const struct ip_net synthetic = { V4(198, 18, 0, 0), IP_V4_BITS + 15 }, all4 = { V4(0, 0, 0, 0), IP_V4_BITS },
                           all6;

struct transit {
    const struct transit_task *t;
    int outer, inner; /* descriptors of the network namespaces: transit, sandbox */
    bool six;         /* addresses of IPv6 are allowed */
};

/* Comfort and second walls: where /proc is read-only it goes without. */
static void set(const char *path, const char *value)
{
    AUTO_FD fd = open(path, O_WRONLY | O_CLOEXEC);

    if (fd >= 0)
        (void)!write(fd, value, strlen(value));
}

/* ------------------------------------------------------------ who it is */

static bool begin(const struct transit_task *t, struct err *e)
{
    char go;

    if (read(t->launcher, &go, 1) != 1)
        return err_set(e, ERR_ENVIRONMENT, "whoever asked for the sandbox is gone");
    for (const int *fd = t->close; *fd >= 0; fd++)
        (void)close(*fd);
    (void)setsid(); /* what the keyboard sends is not for us */
    if (t->root && (setgroups(0, NULL) < 0 ||
                    syscall(SYS_setresgid, t->map.gid_outside, t->map.gid_outside, t->map.gid_outside) < 0 ||
                    syscall(SYS_setresuid, t->map.outside, t->map.outside, t->map.outside) < 0))
        return err_sys(e, "become user %u", t->map.outside);
    /* Both are cleared by a change of user; that others of this user may look at it is over when its work is done. */
    if (prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0 || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0) < 0)
        return err_sys(e, "tie the transit process to its launcher");
    if (getppid() != t->parent) /* it ended before that */
        return err_set(e, ERR_ENVIRONMENT, "the launcher is gone");
    return true;
}

/* ------------------------------------------------------------ networks */

static bool open_namespace(int *fd, struct err *e)
{
    return fd_open(AT_FDCWD, "/proc/self/ns/net", O_RDONLY, 0, fd, e);
}

static bool enter(int ns, struct err *e)
{
    return setns(ns, CLONE_NEWNET) == 0 || err_sys(e, "enter a network namespace");
}

/* Of what is made from here on in this namespace; the loopback interface keeps its ::1. With IPv6 the interfaces have
 * the addresses they are given and listen to no router. */
static void choose_ipv6(const struct transit *s)
{
    if (s->six)
        set("/proc/sys/net/ipv6/conf/all/disable_ipv6", "0");
    set("/proc/sys/net/ipv6/conf/default/disable_ipv6", s->six ? "0" : "1");
    set("/proc/sys/net/ipv6/conf/default/addr_gen_mode", "1");
    set("/proc/sys/net/ipv6/conf/default/accept_ra", "0");
}

static bool read_network(struct str text, struct ip_net *out, struct err *e)
{
    return ip_net_parse(text, out) || err_set(e, ERR_CONFIG, "'" STR_FMT "' is no network", STR_ARG(text));
}

static bool look_for_ipv6(struct transit *s, struct err *e)
{
    for (size_t i = 0; i < s->t->p->n_allowed_networks; i++) {
        struct ip_net n;

        if (!read_network(s->t->p->allowed_network[i], &n, e))
            return false;
        s->six |= !ip_is_v4(&n.first);
    }
    return true;
}

static bool make_inner(struct transit *s, struct err *e)
{
    AUTO_FD nl = -1;

    if (unshare(CLONE_NEWNET) < 0)
        return err_sys(e, "make the sandbox's network namespace");
    choose_ipv6(s);
    return open_namespace(&s->inner, e) && netlink_open(&nl, e) && netlink_raise(nl, "lo", e) &&
           netlink_add_veth(nl, "eth0", "gw0", s->outer, MTU, e) &&
           netlink_add_address(nl, "eth0", &inside, BITS, e) &&
           (!s->six || netlink_add_address(nl, "eth0", &inside6, V6_BITS, e)) && netlink_raise(nl, "eth0", e) &&
           netlink_add_route(nl, NETLINK_VIA, &all4, &router, e) &&
           (!s->six || netlink_add_route(nl, NETLINK_VIA, &all6, &router6, e));
}

/* What is allowed arrives here; what is not is prohibited, and whoever sends is told. */
static bool add_routes(const struct transit *s, int nl, struct err *e)
{
    const struct jail_policy *p = s->t->p;
    bool all = false, all_six = false;

    if (!netlink_add_route(nl, NETLINK_LOCAL, &synthetic, NULL, e))
        return false;
    for (size_t i = 0; i < p->n_allowed_networks; i++) {
        struct ip_net n;

        if (!read_network(p->allowed_network[i], &n, e) || !netlink_add_route(nl, NETLINK_LOCAL, &n, NULL, e))
            return false;
        all |= ip_is_v4(&n.first) && n.bits == IP_V4_BITS;
        all_six |= n.bits == 0;
    }
    return (all || netlink_add_route(nl, NETLINK_PROHIBIT, &all4, NULL, e)) &&
           (all_six || !s->six || netlink_add_route(nl, NETLINK_PROHIBIT, &all6, NULL, e));
}

static bool make_outer(const struct transit *s, struct err *e)
{
    AUTO_FD nl = -1;

    if (!enter(s->outer, e) || !netlink_open(&nl, e) || !netlink_raise(nl, "lo", e) ||
        !netlink_add_address(nl, "gw0", &router, BITS, e) ||
        (s->six && !netlink_add_address(nl, "gw0", &router6, V6_BITS, e)) || !netlink_raise(nl, "gw0", e) ||
        !add_routes(s, nl, e))
        return false;
    /* There is nothing to forward to; but only a router says at once that a way is prohibited. */
    set("/proc/sys/net/ipv4/conf/all/forwarding", "1");
    set("/proc/sys/net/ipv4/icmp_ratelimit", "0");
    set("/proc/sys/net/ipv4/icmp_echo_ignore_all", "1");
    set("/proc/sys/net/ipv6/icmp/ratelimit", "0");
    set("/proc/sys/net/ipv6/icmp/echo_ignore_all", "1");
    return true;
}

/* ------------------------------------------------------------ sockets */

static bool hand_over(const struct transit *s, const char *what, int *fd, struct err *e)
{
    bool ok = *fd < 0 || pass_send(s->t->gate, str_of(what), *fd);

    if (!ok)
        (void)err_set(e, ERR_ENVIRONMENT, "blast-gate ended before it had its sockets");
    fd_close(fd);
    return ok;
}

/* Of datagrams it is told whom they were for, and answers come from there: of IPv6 an address that is local by a route
 * alone counts as nobody's unless that is asked for. */
static bool tell_destination(bool six, int fd)
{
    static const int yes = 1;

    return six ? setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &yes, sizeof yes) == 0 &&
                     setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &yes, sizeof yes) == 0
               : setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &yes, sizeof yes) == 0;
}

static bool listen_at(int family, int type, uint16_t port, int fd)
{
    static const int yes = 1;
    bool six = family == AF_INET6;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };
    struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(port) };

    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes) < 0 ||
        (six && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes) < 0) ||
        (type == SOCK_DGRAM && !tell_destination(six, fd)) ||
        (type == SOCK_STREAM && /* those it accepts have it too */
         setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes) < 0))
        return false;
    return bind(fd, six ? (struct sockaddr *)&any6 : (struct sockaddr *)&any, six ? sizeof any6 : sizeof any) == 0 &&
           (type == SOCK_DGRAM || listen(fd, BACKLOG) == 0);
}

static bool open_port(int family, int type, uint16_t port, int *fd, struct err *e)
{
    *fd = socket(family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    return (*fd >= 0 && listen_at(family, type, port, *fd)) ||
           err_sys(e, "open port %u of the transit namespace", port);
}

/* Of TCP the first packet of a connection, and all that is not TCP; without it nothing but the log is poorer. */
static int open_monitor(uint16_t protocol, const struct sock_filter *filter, size_t n)
{
    struct sock_fprog program = { (unsigned short)n, (struct sock_filter *)(uintptr_t)filter };
    struct sockaddr_ll at = { .sll_family = AF_PACKET, .sll_protocol = htons(protocol),
                              .sll_ifindex = (int)if_nametoindex("gw0") };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0); /* protocol 0: nothing before the bind */

    if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program) < 0 ||
                    bind(fd, (struct sockaddr *)&at, sizeof at) < 0))
        fd_close(&fd);
    return fd;
}

/* Of IPv4. What goes to a name, on a port that is allowed, is judged elsewhere: not even that is looked at. */
struct filter {
    struct sock_filter p[FILTER_PORTS + 12];
    unsigned n;
};

static void write_filter(const struct jail_policy *p, struct filter *out)
{
    unsigned n = MIN((unsigned)p->n_allowed_ports, FILTER_PORTS), show = n + 10, hide = show + 1, at = 0;
    struct sock_filter *f = out->p;

    f[at++] = (struct sock_filter){ BPF_LD | BPF_B | BPF_ABS, 0, 0, 9 };
    f[at] = (struct sock_filter){ BPF_JMP | BPF_JEQ | BPF_K, 0, (unsigned char)(show - at - 1), IPPROTO_TCP };
    at++;
    f[at++] = (struct sock_filter){ BPF_LDX | BPF_B | BPF_MSH, 0, 0, 0 };
    f[at++] = (struct sock_filter){ BPF_LD | BPF_B | BPF_IND, 0, 0, 13 };
    f[at++] = (struct sock_filter){ BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x12 };
    f[at] = (struct sock_filter){ BPF_JMP | BPF_JEQ | BPF_K, 0, (unsigned char)(hide - at - 1), 0x02 };
    at++;
    f[at++] = (struct sock_filter){ BPF_LD | BPF_W | BPF_ABS, 0, 0, 16 };
    f[at++] = (struct sock_filter){ BPF_ALU | BPF_AND | BPF_K, 0, 0, ~0u << (128 - synthetic.bits) };
    f[at] = (struct sock_filter){ BPF_JMP | BPF_JEQ | BPF_K, 0, (unsigned char)(show - at - 1),
                                  ip_v4(&synthetic.first) };
    at++;
    f[at++] = (struct sock_filter){ BPF_LD | BPF_H | BPF_IND, 0, 0, 2 };
    for (unsigned i = 0; i < n; i++, at++)
        f[at] = (struct sock_filter){ BPF_JMP | BPF_JEQ | BPF_K, (unsigned char)(hide - at - 1), 0,
                                      p->allowed_port[i] };
    f[at++] = (struct sock_filter){ BPF_RET | BPF_K, 0, 0, 128 };
    f[at++] = (struct sock_filter){ BPF_RET | BPF_K, 0, 0, 0 };
    out->n = at;
}

static bool open_monitors(const struct transit *s, struct err *e)
{
    static const struct sock_filter six[] = {
        { BPF_LD | BPF_B | BPF_ABS, 0, 0, 6 },           { BPF_JMP | BPF_JEQ | BPF_K, 0, 3, IPPROTO_TCP },
        { BPF_LD | BPF_B | BPF_ABS, 0, 0, 53 },          { BPF_ALU | BPF_AND | BPF_K, 0, 0, 0x12 },
        { BPF_JMP | BPF_JEQ | BPF_K, 0, 1, 0x02 },       { BPF_RET | BPF_K, 0, 0, 128 },
        { BPF_RET | BPF_K, 0, 0, 0 },
    };
    struct filter four;

    write_filter(s->t->p, &four);
    int fd = open_monitor(ETH_P_IP, four.p, four.n);

    if (!hand_over(s, "monitor", &fd, e))
        return false;
    fd = s->six ? open_monitor(ETH_P_IPV6, six, COUNT(six)) : -1;
    return hand_over(s, "monitor", &fd, e);
}

/* "tcp 443" and, when there is IPv6, "tcp6 443". */
static bool open_both(const struct transit *s, int type, uint16_t port, struct err *e)
{
    static const int family[] = { AF_INET, AF_INET6 };
    int fd = -1;

    for (size_t i = 0; i < (s->six ? 2u : 1u) && port != DNS_PORT; i++) { /* that one is the name server's */
        char what[16];

        (void)snprintf(what, sizeof what, "%s%s %u", type == SOCK_STREAM ? "tcp" : "udp", i ? "6" : "", port);
        if (!open_port(family[i], type, port, &fd, e) || !hand_over(s, what, &fd, e))
            return false;
    }
    return true;
}

static bool open_sockets(const struct transit *s, struct err *e)
{
    const struct jail_policy *p = s->t->p;
    int fd = -1;

    for (size_t i = 0; i < p->n_allowed_ports; i++)
        if (!open_both(s, SOCK_STREAM, p->allowed_port[i], e))
            return false;
    for (size_t i = 0; i < p->n_udp_ports; i++)
        if (!open_both(s, SOCK_DGRAM, p->udp_port[i], e))
            return false;
    return open_port(AF_INET, SOCK_STREAM, DNS_PORT, &fd, e) && hand_over(s, "dns-tcp", &fd, e) &&
           open_port(AF_INET, SOCK_DGRAM, DNS_PORT, &fd, e) && hand_over(s, "dns", &fd, e) && open_monitors(s, e) &&
           (pass_send(s->t->gate, STR("end"), -1) ||
            err_set(e, ERR_ENVIRONMENT, "blast-gate ended before it had its sockets"));
}

/* ------------------------------------------------------------ pid 1 of the sandbox */

/* It is blast-jail's child, not ours, and in the inner of the two networks. */
static bool start_init(const struct transit *s, pid_t *pid, struct err *e)
{
    const struct transit_task *t = s->t;
    struct clone_args args = { .flags = t->namespaces | CLONE_PARENT };

    if (!enter(s->inner, e))
        return false;
    *pid = (pid_t)syscall(SYS_clone3, &args, sizeof args);
    if (*pid == 0) {
        (void)close(t->launcher);
        (void)close(t->gate);
        (void)close(s->outer);
        (void)close(s->inner);
        init_run(t->init);
    }
    if (*pid < 0)
        return err_sys(e, "make the namespaces");
    return enter(s->outer, e) && userns_write_maps(*pid, &t->map, e);
}

/* ------------------------------------------------------------ afterwards */

/* "connect PORT ID": the socket goes back before it is connected, which epoll tells its new owner. */
static bool serve(int gate)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(ip_v4(&inside)) };
    char text[64], reply[64];
    struct str message, part[3];
    uint64_t port;
    int got;

    if (!pass_receive(gate, text, sizeof text, &message, &got))
        return false;
    fd_close(&got);
    if (str_split(message, ' ', part, 3) != 3 || !str_to_u64(part[1], &port) || port == 0 || port > UINT16_MAX)
        return true;
    AUTO_FD fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    to.sin_port = htons((uint16_t)port);
    bool ok = fd >= 0 && (connect(fd, (struct sockaddr *)&to, sizeof to) == 0 || errno == EINPROGRESS);
    int n = snprintf(reply, sizeof reply, "%s " STR_FMT, ok ? "connected" : "refused", STR_ARG(part[2]));

    return pass_send(gate, (struct str){ reply, (size_t)n }, ok ? fd : -1);
}

/* Until blast-jail is gone; blast-gate may go before it, then nothing is left to do but to hold the namespaces. */
static void wait_for_end(const struct transit_task *t)
{
    struct pollfd p[2] = { { t->launcher, POLLIN, 0 }, { t->gate, POLLIN, 0 } };

    while (poll(p, 2, -1) >= 0 || errno == EINTR) {
        if (p[0].revents)
            return;
        if (p[1].revents && !serve(t->gate))
            p[1].fd = -1;
    }
}

/* Nothing of the files that were taken for the sandbox, or of the caller's, is kept. */
static void let_go(const struct transit_task *t)
{
    static const struct rlimit none = { 0 };
    unsigned low = (unsigned)MIN(t->launcher, t->gate), high = (unsigned)MAX(t->launcher, t->gate);

    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    (void)setrlimit(RLIMIT_CORE, &none);
    if (low > 0)
        (void)close_range(0, low - 1, 0);
    if (high > low + 1)
        (void)close_range(low + 1, high - 1, 0);
    (void)close_range(high + 1, ~0u, 0);
    (void)!chdir("/");
}

void transit_run(struct transit_task *t)
{
    struct transit s = { .t = t, .outer = -1, .inner = -1 };
    struct transit_word w = { 0 };
    bool ok = begin(t, &w.e) && look_for_ipv6(&s, &w.e);

    choose_ipv6(&s);
    ok = ok && open_namespace(&s.outer, &w.e) && make_inner(&s, &w.e) && make_outer(&s, &w.e) &&
         open_sockets(&s, &w.e) && start_init(&s, &w.init, &w.e);
    if (!ok && w.init > 0) {
        (void)kill(w.init, SIGKILL);
        w.init = 0;
    }
    if (!pass_send(t->launcher, (struct str){ (const char *)&w, sizeof w }, -1) || !ok)
        _exit(1);
    let_go(t);
    wait_for_end(t);
    _exit(0);
}
