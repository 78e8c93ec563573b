#include "base/ip.h"

#include <arpa/inet.h>
#include <stdio.h>

static const unsigned char mapped[12] = { [10] = 0xff, [11] = 0xff };

struct ip ip_from_v4(uint32_t v4)
{
    struct ip a = { { [10] = 0xff, [11] = 0xff } };

    for (unsigned i = 0; i < 4; i++)
        a.b[12 + i] = (unsigned char)(v4 >> (24 - 8 * i));
    return a;
}

bool ip_is_v4(const struct ip *a)
{
    return memcmp(a->b, mapped, sizeof mapped) == 0;
}

uint32_t ip_v4(const struct ip *a)
{
    return (uint32_t)a->b[12] << 24 | (uint32_t)a->b[13] << 16 | (uint32_t)a->b[14] << 8 | a->b[15];
}

bool ip_is_none(const struct ip *a)
{
    static const struct ip none = { { 0 } };

    return ip_eq(a, &none);
}

bool ip_eq(const struct ip *a, const struct ip *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

bool ip_is_of_link(const struct ip *a)
{
    if (ip_is_v4(a))
        return a->b[12] >> 4 == 0xe || ip_v4(a) == UINT32_MAX;
    return a->b[0] == 0xff || (a->b[0] == 0xfe && a->b[1] >> 6 == 2);
}

bool ip_parse(struct str text, struct ip *out)
{
    char c[INET6_ADDRSTRLEN];
    struct in_addr v4;
    struct ip six;

    if (text.n >= sizeof c || (text.n && memchr(text.p, '\0', text.n)))
        return false;
    if (text.n)
        memcpy(c, text.p, text.n);
    c[text.n] = '\0';
    if (inet_pton(AF_INET, c, &v4) == 1)
        *out = ip_from_v4(ntohl(v4.s_addr));
    else if (inet_pton(AF_INET6, c, six.b) == 1)
        *out = six;
    else
        return false;
    return true;
}

void ip_format(const struct ip *a, char out[IP_TEXT_MAX])
{
    bool four = ip_is_v4(a);

    if (!inet_ntop(four ? AF_INET : AF_INET6, four ? a->b + 12 : a->b, out, IP_TEXT_MAX))
        out[0] = '\0';
}

static void clear_behind(struct ip *a, unsigned bits)
{
    for (unsigned i = 0; i < sizeof a->b; i++) {
        unsigned keep = bits > 8 * i ? MIN(bits - 8 * i, 8u) : 0;

        a->b[i] &= (unsigned char)(0xff00u >> keep);
    }
}

bool ip_net_parse(struct str text, struct ip_net *out)
{
    size_t slash = str_find(text, '/');
    uint64_t bits = 0;
    struct ip a;

    if (!ip_parse(str_sub(text, 0, slash), &a))
        return false;
    /* The length counts in the family it is written in: ::ffff:203.0.113.0/120 is 203.0.113.0/24. */
    unsigned before = str_find(text, ':') == text.n ? IP_V4_BITS : 0, most = 128 - before;

    if (slash < text.n && (!str_to_u64(str_sub(text, slash + 1, text.n), &bits) || bits > most))
        return false;
    out->bits = slash < text.n ? before + (unsigned)bits : 128;
    clear_behind(&a, out->bits);
    out->first = a;
    return true;
}

void ip_net_format(const struct ip_net *n, char out[IP_TEXT_MAX])
{
    ip_format(&n->first, out);
    size_t at = strlen(out);

    (void)snprintf(out + at, IP_TEXT_MAX - at, "/%u", n->bits - (ip_is_v4(&n->first) ? IP_V4_BITS : 0));
}

bool ip_net_has(const struct ip_net *n, const struct ip *a)
{
    struct ip first = *a;

    if (ip_is_v4(a) != ip_is_v4(&n->first))
        return false;
    clear_behind(&first, n->bits);
    return ip_eq(&first, &n->first);
}
