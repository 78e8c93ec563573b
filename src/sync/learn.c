#include "sync/learn.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/vec.h"
#include "codec/json_write.h"
#include "config/key.h"
#include "gate/rules.h"
#include "jail/outlet.h"
#include "jail/policy.h"
#include "jail/reach.h"

#define SIBLINGS 4 /* so many directories beside each other become the one above them */

#define READS CONFIG_KEY_sandbox_filesystem_readonly_paths
#define WRITES CONFIG_KEY_sandbox_filesystem_allowed_paths
#define DOMAINS CONFIG_KEY_sandbox_network_allowed_domains
#define ADDRESSES CONFIG_KEY_sandbox_network_allowed_ips
#define OUT_PORTS CONFIG_KEY_sandbox_network_allowed_outbound_ports
#define IN_PORTS CONFIG_KEY_sandbox_network_allowed_inbound_ports

struct finder {
    const struct learn_case *c;
    VEC(struct learn_change) changes;
    VEC(struct learn_rest) rest;
};

struct verdict {
    enum learn_fate fate;
    struct learn_change change[2]; /* an address and its port */
    size_t n;
    struct str why;
};

static struct verdict fine(void)
{
    return (struct verdict){ .fate = LEARN_FINE };
}

static struct verdict keep(struct str why)
{
    return (struct verdict){ .fate = LEARN_KEEP, .why = why };
}

static void propose(struct verdict *v, enum config_key key, struct str value)
{
    v->fate = LEARN_PROPOSE;
    v->change[v->n++] = (struct learn_change){ .key = key, .value = value };
}

/* ------------------------------------------------------------ the network */

static bool has_port(const uint16_t *list, size_t n, uint16_t port)
{
    for (size_t i = 0; i < n; i++)
        if (list[i] == port)
            return true;
    return false;
}

static bool is_allowed_name(const struct jail_policy *p, struct str name)
{
    for (size_t i = 0; i < p->n_allowed_names; i++) {
        struct str rule = p->allowed_name[i];

        if (str_cut_prefix(&rule, STR("*")) ? name.n > rule.n && str_ends(name, rule) : str_eq(rule, name))
            return true;
    }
    return false;
}

static struct verdict judge_name(const struct learn_case *c, const struct asked_item *item)
{
    struct verdict v = fine();

    if (is_allowed_name(c->p, item->what))
        return keep(item->why.n ? item->why : STR("blast-gate did not let it through"));
    if (!reach_is_name(item->what) || str_find(item->what, '.') == item->what.n)
        return keep(STR("it is no name of a host on the Internet"));
    propose(&v, DOMAINS, item->what);
    return v;
}

/* "203.0.113.7:443"; false for IPv6, which is not led out of a sandbox. */
static bool read_address(struct str text, struct arena *a, struct str *address, uint32_t *number, uint16_t *port)
{
    size_t colon = str_rfind(text, ':');
    uint64_t n;
    struct in_addr in;

    if (colon == text.n || !str_to_u64(str_sub(text, colon + 1, text.n), &n) || n > UINT16_MAX)
        return false;
    *address = str_sub(text, 0, colon);
    *port = (uint16_t)n;
    if (inet_pton(AF_INET, arena_cstr(a, *address), &in) != 1)
        return false;
    *number = ntohl(in.s_addr);
    return true;
}

static bool is_in_networks(const struct learn_case *c, uint32_t number)
{
    for (size_t i = 0; i < c->p->n_allowed_networks; i++) {
        struct str text = c->p->allowed_network[i];
        size_t slash = str_find(text, '/');
        uint64_t bits = 32;
        struct in_addr in;

        if ((slash < text.n && !str_to_u64(str_sub(text, slash + 1, text.n), &bits)) || bits > 32 ||
            inet_pton(AF_INET, arena_cstr(c->a, str_sub(text, 0, slash)), &in) != 1)
            continue;
        if (bits == 0 || ntohl(in.s_addr) >> (32 - bits) == number >> (32 - bits))
            return true;
    }
    return false;
}

/* What an address of the Internet is, no list of addresses can say; what none is, is known. */
static bool is_special(uint32_t number)
{
    const struct rules none = { 0 };
    union rules_peer peer = { .v4 = { .sin_family = AF_INET, .sin_addr = { htonl(number) } } };

    return !rules_may_lead_to(&none, &peer);
}

static struct verdict judge_address(const struct learn_case *c, const struct asked_item *item)
{
    struct verdict v = fine();
    struct str address;
    uint32_t number;
    uint16_t port;

    if (!read_address(item->what, c->a, &address, &number, &port))
        return keep(STR("IPv6 is not led out of a sandbox: name the host in allowed_domains"));
    bool of_name = (number & RULES_SYNTHETIC_MASK) == RULES_SYNTHETIC, known = of_name || is_in_networks(c, number);

    if (!known && is_special(number))
        return keep(STR("it is in a private, local or reserved network"));
    if (!known)
        propose(&v, ADDRESSES, address);
    if (port && !has_port(c->p->allowed_port, c->p->n_allowed_ports, port))
        propose(&v, OUT_PORTS, arena_printf(c->a, "%u", port));
    return v.n ? v : keep(item->why.n ? item->why : STR("blast-gate did not let it through"));
}

/* What the tracker saw. With a gateway its own word is better: it knows the names. */
static struct verdict judge_connect(const struct learn_case *c, const struct asked_item *item)
{
    const struct jail_policy *p = c->p;
    struct str address;
    uint32_t number;
    uint16_t port;

    if (p->network == JAIL_NET_HOST || outlet_is_wanted(p) ||
        str_starts(item->what, STR("[::1]:")) || str_starts(item->what, STR("[::]:")))
        return fine();
    if (read_address(item->what, c->a, &address, &number, &port) && (number >> 24 == 127 || number == 0 || port == 0))
        return fine(); /* its own loopback; a datagram socket that asks for its address */
    if (p->network != JAIL_NET_ALLOWLIST)
        return keep(arena_printf(c->a, "network_policy is %s", jail_network_word(p->network)));
    if (!p->outbound)
        return keep(STR("allow_outbound is false"));
    return judge_address(c, item);
}

static struct verdict judge_listen(const struct learn_case *c, const struct asked_item *item)
{
    const struct jail_policy *p = c->p;
    struct verdict v = fine();
    struct str address;
    uint32_t number;
    uint16_t port;

    if (p->n_inbound_ports && read_address(item->what, c->a, &address, &number, &port) && port && number == 0 &&
        !has_port(p->inbound_port, p->n_inbound_ports, port))
        propose(&v, IN_PORTS, arena_printf(c->a, "%u", port));
    return v;
}

/* ------------------------------------------------------------ one thing */

static struct verdict judge(const struct learn_case *c, const struct asked_item *item)
{
    struct verdict v = fine();

    switch (item->how) {
    case ASKED_NAME:
        return judge_name(c, item);
    case ASKED_DENIED:
        return judge_address(c, item);
    case ASKED_BROKEN:
        return keep(item->why);
    case ASKED_CONNECT:
        return judge_connect(c, item);
    case ASKED_LISTEN:
        return judge_listen(c, item);
    case ASKED_UNREAD:
        return fine(); /* nothing is known of it that could be judged */
    case ASKED_READ:
    case ASKED_WRITE:
    case ASKED_EXEC:
    case ASKED_SOCKET:
    case ASKED_HOW_COUNT:
        break;
    }
    struct learn_verdict path = learn_judge_path(c, item->how, item->what);

    if (path.fate == LEARN_PROPOSE)
        propose(&v, item->how == ASKED_WRITE ? WRITES : READS, path.path);
    return path.fate == LEARN_KEEP ? keep(str_of(path.why)) : v;
}

bool learn_is_refused(const struct learn_case *c, const struct asked_item *item, struct str *why)
{
    struct verdict v = judge(c, item);

    *why = v.why;
    return v.fate != LEARN_FINE && item->how != ASKED_LISTEN;
}

/* ------------------------------------------------------------ folding */

/* A directory that is writable can be read, too; what lies in another proposed one comes with it. */
static bool covers(const struct learn_change *x, const struct learn_change *y)
{
    if (x->key != WRITES && (x->key != READS || y->key != READS))
        return false;
    return (y->key == WRITES || y->key == READS) && jail_path_within(y->value, x->value);
}

static int by_key_and_value(const void *x, const void *y)
{
    const struct learn_change *a = x, *b = y;

    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (config_keys[a->key].type == TYPE_PORTS && a->value.n != b->value.n)
        return a->value.n < b->value.n ? -1 : 1;
    return str_cmp(a->value, b->value);
}

static void drop_doubles(struct finder *f)
{
    size_t n = 0;

    for (size_t i = 0; i < f->changes.n; i++) {
        bool gone = n && by_key_and_value(&f->changes.p[n - 1], &f->changes.p[i]) == 0;

        for (size_t k = 0; k < f->changes.n && !gone; k++)
            gone = k != i && by_key_and_value(&f->changes.p[k], &f->changes.p[i]) != 0 &&
                   covers(&f->changes.p[k], &f->changes.p[i]);
        if (!gone)
            f->changes.p[n++] = f->changes.p[i];
    }
    f->changes.n = n;
}

static struct str parent_of(struct str path)
{
    size_t cut = str_rfind(path, '/');

    return cut == path.n ? STR("") : str_sub(path, 0, cut);
}

/* Many directories beside each other become the one above. True when something was folded. */
static bool fold(struct finder *f)
{
    bool folded = false;

    for (size_t i = 0; i < f->changes.n; i++) {
        struct learn_change *x = &f->changes.p[i];
        struct str dir = parent_of(x->value);
        size_t beside = 0;

        if ((x->key != READS && x->key != WRITES) || dir.n == 0 || learn_is_broad(f->c, dir))
            continue;
        for (size_t k = 0; k < f->changes.n; k++)
            beside += f->changes.p[k].key == x->key && str_eq(parent_of(f->changes.p[k].value), dir);
        if (beside < SIBLINGS)
            continue;
        x->value = dir;
        folded = true;
    }
    return folded;
}

static void settle(struct finder *f)
{
    do {
        if (f->changes.n > 1)
            qsort(f->changes.p, f->changes.n, sizeof *f->changes.p, by_key_and_value);
        drop_doubles(f);
    } while (fold(f));
}

/* As somebody would write it, for others who work on the project too. */
static void shorten(const struct learn_case *c, struct learn_change *x)
{
    struct str path = x->value, home = str_of(c->at->home);

    if ((x->key == READS || x->key == WRITES) && home.n > 1 && jail_path_within(path, home))
        x->value = arena_printf(c->a, "~" STR_FMT, STR_ARG(str_sub(path, home.n, path.n)));
}

void learn_find(const struct learn_case *c, struct learn *out)
{
    struct finder f = { .c = c };

    for (size_t i = 0; i < c->asked->items.n; i++) {
        const struct asked_item *item = &c->asked->items.p[i];
        struct verdict v = judge(c, item);

        for (size_t k = 0; k < v.n; k++) {
            v.change[k].because = item->what;
            v.change[k].by = item->by;
            VEC_PUSH_IN(c->a, &f.changes, v.change[k]);
        }
        if (v.fate == LEARN_KEEP)
            VEC_PUSH_IN(c->a, &f.rest, (struct learn_rest){ item, v.why });
    }
    settle(&f);
    for (size_t i = 0; i < f.changes.n; i++)
        shorten(c, &f.changes.p[i]);
    *out = (struct learn){ f.changes.p, f.changes.n, f.rest.p, f.rest.n, c->asked->left_out };
}

/* ------------------------------------------------------------ JSON */

struct str learn_key_name(enum config_key key, struct arena *a)
{
    const struct config_key_info *k = &config_keys[key];

    return arena_printf(a, "%s.%s", config_sections[k->section].name, k->name);
}

void learn_write(const struct learn *l, struct json_write *w)
{
    AUTO_ARENA a = { 0 };

    arena_init(&a);
    json_write_key(w, STR("changes"));
    json_write_array_begin(w);
    for (size_t i = 0; i < l->n_changes; i++) {
        const struct learn_change *x = &l->change[i];

        json_write_object_begin(w);
        json_write_member(w, "key", learn_key_name(x->key, &a));
        json_write_member(w, "value", x->value);
        json_write_member(w, "because", x->because);
        if (x->by.n)
            json_write_member(w, "by", x->by);
        json_write_object_end(w);
    }
    json_write_array_end(w);
    json_write_key(w, STR("not_proposed"));
    json_write_array_begin(w);
    for (size_t i = 0; i < l->n_rest; i++) {
        struct asked_item item = *l->rest[i].item;

        item.why = l->rest[i].why;
        asked_write(&item, w);
    }
    json_write_array_end(w);
    json_write_member_u64(w, "left_out", l->left_out);
}
