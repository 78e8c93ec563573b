#include "net/proxy.h"

#include <arpa/inet.h>
#include "base/arena.h"
#include "net/url.h"

static struct str variable(const char *lower, const char *upper)
{
    const char *v = getenv(lower);

    if ((!v || !*v) && upper)
        v = getenv(upper);
    return str_trim(str_of(v ? v : ""));
}

struct proxy proxy_from_env(void)
{
    return (struct proxy){
        .http = variable("http_proxy", getenv("REQUEST_METHOD") ? NULL : "HTTP_PROXY"),
        .https = variable("https_proxy", "HTTPS_PROXY"),
        .all = variable("all_proxy", "ALL_PROXY"),
        .none = variable("no_proxy", "NO_PROXY"),
    };
}

/* An address as 16 bytes, IPv4 mapped into IPv6 so that both compare alike; *bits is 32 or 128. */
static bool address_parse(struct str s, unsigned char out[16], unsigned *bits)
{
    static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };
    char text[INET6_ADDRSTRLEN];

    if (s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']')
        s = str_sub(s, 1, s.n - 1);
    if (s.n == 0 || s.n >= sizeof text)
        return false;
    memcpy(text, s.p, s.n);
    text[s.n] = '\0';
    *bits = 128;
    if (inet_pton(AF_INET6, text, out) == 1)
        return true;
    memcpy(out, mapped, sizeof mapped);
    *bits = 32;
    return inet_pton(AF_INET, text, out + 12) == 1;
}

static bool network_has(struct str network, struct str host)
{
    size_t slash = str_find(network, '/');
    unsigned char net[16], addr[16];
    unsigned net_bits, addr_bits;
    uint64_t length;

    if (!address_parse(host, addr, &addr_bits) || !address_parse(str_sub(network, 0, slash), net, &net_bits))
        return false;
    length = net_bits;
    if (slash < network.n && (!str_to_u64(str_sub(network, slash + 1, network.n), &length) || length > net_bits))
        return false;
    length += 128 - net_bits;
    size_t whole = length / 8;
    unsigned rest = length % 8;

    return memcmp(net, addr, whole) == 0 && (rest == 0 || ((net[whole] ^ addr[whole]) >> (8 - rest)) == 0);
}

static bool name_fits(struct str pattern, struct str host)
{
    if (!str_cut_prefix(&pattern, STR("*.")))
        (void)str_cut_prefix(&pattern, STR("."));
    (void)str_cut_suffix(&pattern, STR("."));
    (void)str_cut_suffix(&host, STR("."));
    if (pattern.n == 0 || pattern.n > host.n)
        return false;
    struct str tail = str_sub(host, host.n - pattern.n, host.n);

    return str_eq_nocase(tail, pattern) && (tail.n == host.n || tail.p[-1] == '.');
}

/* Takes ":port" off the end; an IPv6 address without brackets has no port. */
static struct str cut_port(struct str *s)
{
    size_t colon = str_rfind(*s, ':'), first = str_find(*s, ':');
    struct str port = { 0 };

    if (colon == s->n || (first != colon && s->p[colon ? colon - 1 : 0] != ']'))
        return port;
    port = str_sub(*s, colon + 1, s->n);
    *s = str_sub(*s, 0, colon);
    return port;
}

static bool entry_fits(struct str entry, struct str host, struct str port)
{
    if (str_eq(entry, STR("*")))
        return true;
    struct str only = cut_port(&entry);

    if (only.n && !str_eq(only, port))
        return false;
    return network_has(entry, host) || name_fits(entry, host);
}

static bool is_excepted(struct str list, struct str host, struct str port)
{
    for (size_t i = 0; i < list.n;) {
        size_t from = i;

        while (i < list.n && list.p[i] != ',' && !char_is_space(list.p[i]))
            i++;
        if (i > from && entry_fits(str_sub(list, from, i), host, port))
            return true;
        i++;
    }
    return false;
}

struct str proxy_find(const struct proxy *p, const struct url *u)
{
    bool tls = str_eq_nocase(u->scheme, STR("https"));
    struct str own = tls ? p->https : p->http;
    struct str port = u->port.n ? u->port : tls ? STR("443") : STR("80");

    if (own.n == 0)
        own = p->all;
    return own.n == 0 || is_excepted(p->none, u->host, port) ? STR("") : own;
}
