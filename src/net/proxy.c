#include "net/proxy.h"

#include <stdlib.h>
#include "base/ip.h"
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

static struct str without_brackets(struct str s)
{
    return s.n >= 2 && s.p[0] == '[' && s.p[s.n - 1] == ']' ? str_sub(s, 1, s.n - 1) : s;
}

static bool network_has(struct str network, struct str host)
{
    struct ip_net net;
    struct ip addr;

    return ip_net_parse(without_brackets(network), &net) && ip_parse(without_brackets(host), &addr) &&
           ip_net_has(&net, &addr);
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
