#include "jail/reach.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/ip.h"
#include "base/vec.h"
#include "config/config.h"
#include "jail/compile.h"
#include "jail/policy.h"

#define HOST_MAX 253
#define LABEL_MAX 63

static bool is_label(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '-' && s.p[i] != '_')
            return false;
    return s.n > 0 && s.n <= LABEL_MAX;
}

bool reach_is_name(struct str name)
{
    struct ip ignored;

    if (name.n == 0 || name.n > HOST_MAX || ip_parse(name, &ignored))
        return false;
    for (struct str part; str_next(&name, '.', &part);)
        if (!is_label(part))
            return false;
    return true;
}

/* "Good.TEST." and "*.good.test", in lower case and without the last dot. */
static bool normal_name(struct str word, struct arena *a, struct str *out, struct err *e)
{
    struct str name = word, host;

    (void)str_cut_suffix(&name, STR("."));
    host = name;
    (void)str_cut_prefix(&host, STR("*."));
    if (!reach_is_name(host)) {
        (void)err_set(e, ERR_CONFIG, "allowed_domains: '" STR_FMT "' is no host name", STR_ARG(word));
        return err_hint(e, "\"host.example\", \"*.host.example\" for all below it, \"index\" for the configured "
                           "indexes; addresses belong into allowed_ips");
    }
    char *text = arena_text(a, name.p, name.n);

    for (size_t i = 0; i < name.n; i++)
        text[i] = char_lower(text[i]);
    *out = (struct str){ text, name.n };
    return true;
}

static bool add_names(const struct config *c, const struct jail_place *at, struct arena *a, struct jail_policy *out,
                      struct err *e)
{
    VEC(struct str) list = { 0 };

    for (size_t i = 0; i < c->sandbox_network_allowed_domains.n; i++) {
        struct str word = c->sandbox_network_allowed_domains.item[i], one;

        if (str_eq(word, STR("index"))) {
            for (const char *const *host = at->index_hosts; host && *host; host++)
                if (reach_is_name(str_of(*host)))
                    VEC_PUSH_IN(a, &list, arena_str(a, str_of(*host)));
            continue;
        }
        if (!normal_name(word, a, &one, e))
            return false;
        VEC_PUSH_IN(a, &list, one);
    }
    out->allowed_name = list.p;
    out->n_allowed_names = list.n;
    return true;
}

static bool add_networks(const struct config *c, struct arena *a, struct jail_policy *out, struct err *e)
{
    VEC(struct str) list = { 0 };

    for (size_t i = 0; i < c->sandbox_network_allowed_ips.n; i++) {
        struct str word = c->sandbox_network_allowed_ips.item[i];
        char text[IP_TEXT_MAX];
        struct ip_net one;

        if (!ip_net_parse(word, &one))
            return err_set(e, ERR_CONFIG, "allowed_ips: '" STR_FMT "' is neither an address nor a network such as "
                           "203.0.113.0/24 or 2001:db8::/32", STR_ARG(word));
        if (ip_is_of_link(&one.first))
            return err_set(e, ERR_CONFIG, "allowed_ips: '" STR_FMT "' means something on one link only (multicast, "
                           "broadcast, link-local): it is not led out of a sandbox", STR_ARG(word));
        ip_net_format(&one, text);
        VEC_PUSH_IN(a, &list, arena_str(a, str_of(text)));
    }
    out->allowed_network = list.p;
    out->n_allowed_networks = list.n;
    return true;
}

static void add_ports(const struct config_ports *from, struct arena *a, const uint16_t **out, size_t *n)
{
    VEC(uint16_t) list = { 0 };

    for (size_t i = 0; i < from->n; i++) {
        bool twice = from->port[i] == 0;

        for (size_t k = 0; k < list.n; k++)
            twice |= list.p[k] == from->port[i];
        if (!twice)
            VEC_PUSH_IN(a, &list, from->port[i]);
    }
    *out = list.p;
    *n = list.n;
}

bool reach_compile(const struct config *c, const struct jail_place *at, struct arena *a, struct jail_policy *out,
                   struct err *e)
{
    out->limits.bandwidth = out->network == JAIL_NET_NONE || out->network == JAIL_NET_ISOLATED
                                ? 0
                                : (uint64_t)c->sandbox_network_bandwidth_limit;
    if (out->network != JAIL_NET_ALLOWLIST)
        return true;
    if (out->outbound) {
        if (!add_names(c, at, a, out, e) || !add_networks(c, a, out, e))
            return false;
        add_ports(&c->sandbox_network_allowed_outbound_ports, a, &out->allowed_port, &out->n_allowed_ports);
        add_ports(&c->sandbox_network_allowed_udp_ports, a, &out->udp_port, &out->n_udp_ports);
    }
    if (c->sandbox_network_allow_inbound)
        add_ports(&c->sandbox_network_allowed_inbound_ports, a, &out->inbound_port, &out->n_inbound_ports);
    return true;
}
