#include "gate/names.h"

#include "base/mem.h"

void names_init(struct names *n, const struct rules *r)
{
    *n = (struct names){ .per_rule = mem_zero(r->n_names + 1, sizeof *n->per_rule) };
}

void names_clear(struct names *n)
{
    for (uint32_t i = 0; i < n->n; i++) {
        free((char *)(uintptr_t)n->list[i]->text.p);
        free(n->list[i]);
    }
    map_clear(&n->by_text);
    free(n->per_rule);
    *n = (struct names){ 0 };
}

uint32_t names_address(struct names *n, const struct rules *r, struct str name, bool *full)
{
    uint32_t at = map_find(&n->by_text, name), rule;

    *full = false;
    if (at != MAP_NONE)
        return RULES_SYNTHETIC + 1 + at;
    rule = rules_find_name(r, name);
    if (rule == RULES_NONE)
        return 0;
    if (n->n == NAMES_MAX || n->per_rule[rule] == NAMES_PER_RULE) {
        *full = true;
        return 0;
    }
    struct name *one = mem_zero(1, sizeof *one);

    one->text = (struct str){ mem_dup(name.p, name.n), name.n };
    one->id = n->n;
    one->rule = rule;
    n->per_rule[rule]++;
    n->list[n->n] = one;
    map_put(&n->by_text, one->text, n->n);
    return RULES_SYNTHETIC + 1 + n->n++;
}

struct name *names_find(const struct names *n, const struct ip *address)
{
    uint32_t at = ip_is_v4(address) ? ip_v4(address) - RULES_SYNTHETIC - 1 : UINT32_MAX;

    return at < n->n ? n->list[at] : NULL;
}

const char *names_why_none(const struct name *n)
{
    return n->refused ? "the name leads to this machine or its private networks" : "the name cannot be resolved";
}
