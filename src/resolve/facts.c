#include "resolve/facts.h"

#include <stdlib.h>
#include "base/hash.h"
#include "resolve/priv.h"

/* The same words twice: a requirement on two extras of a package is one line of the user's. */
static bool is_repeated(const struct facts *f, const struct facts_group *g)
{
    for (size_t i = 0; i < f->group.n; i++) {
        const struct facts_group *old = &f->group.p[i];

        if (old->cause == g->cause && str_eq(old->text, g->text) && str_eq(old->origin, g->origin))
            return true;
    }
    return false;
}

static void unite(struct facts *f, const struct facts_group *g)
{
    uint64_t parts[3] = { (uint64_t)g->cause << 32 | g->pkg, g->on, 0 };
    bool apart = g->cause == EXPLAIN_REQUIREMENT || g->cause == EXPLAIN_CONSTRAINT; /* each has its own origin */
    uint32_t next = (uint32_t)f->group.n;

    if (g->cause == EXPLAIN_UNUSABLE || g->cause == EXPLAIN_NONE)
        parts[2] = hash_fast(g->reason.p, g->reason.n);
    else if (g->target.n == 0)
        parts[2] = hash_fast(g->text.p, g->text.n); /* each spelling of what nothing fits */
    if (apart && is_repeated(f, g))
        return;

    uint32_t at = apart ? next : map_get_or_add_u64(&f->by_key, hash_fast(parts, sizeof parts), next, NULL);

    if (at == next) {
        VEC_PUSH_IN(f->a, &f->group, *g);
        return;
    }

    struct facts_group *old = &f->group.p[at];

    if (!set_equal(&old->target, &g->target)) {
        old->varies = true;
        old->text = STR("");
    }
    old->of = set_unite(f->a, &old->of, &g->of);
    old->target = set_unite(f->a, &old->target, &g->target);
}

void facts_add(struct facts *f, const struct incompat *ic)
{
    struct facts_group g = { .pkg = ic->n ? ic->term[0].pkg : PKG_ROOT, .on = PKG_NONE, .reason = ic->reason };

    g.of = ic->n ? ic->term[0].set : set_none();
    if (ic->dep) {
        g.target = ic->dep->allowed;
        g.text = ic->dep->text;
        g.origin = ic->dep->origin;
    }
    switch (ic->cause) {
    case CAUSE_DEPENDENCY:
        g.cause = g.pkg == PKG_ROOT ? EXPLAIN_REQUIREMENT : EXPLAIN_DEPENDENCY;
        g.on = ic->dep->pkg;
        break;
    case CAUSE_CONSTRAINT:
        g.cause = EXPLAIN_CONSTRAINT;
        break;
    case CAUSE_UNUSABLE:
        g.cause = EXPLAIN_UNUSABLE;
        break;
    case CAUSE_NONE:
        g.cause = EXPLAIN_NONE;
        break;
    case CAUSE_ROOT:
    case CAUSE_PROXY:
    case CAUSE_DERIVED:
        return;
    }
    g.seq = (uint32_t)f->group.n;
    unite(f, &g);
}

/* How many requirements lie between the root and the package: names, so an extra is as near as its base. */
static void measure(struct facts *f, const struct solve *s)
{
    uint32_t *depth = ARENA_ARRAY(f->a, uint32_t, s->pkg.n);
    bool changed = true;

    for (size_t i = 0; i < s->pkg.n; i++)
        depth[i] = i == PKG_ROOT ? 0 : UINT32_MAX - 1;
    while (changed) {
        changed = false;
        for (size_t i = 0; i < f->group.n; i++) {
            const struct facts_group *g = &f->group.p[i];
            uint32_t from = depth[choose_base(&s->choose, g->pkg)];

            if (g->on == PKG_NONE || depth[choose_base(&s->choose, g->on)] <= from + 1)
                continue;
            depth[choose_base(&s->choose, g->on)] = from + 1;
            changed = true;
        }
    }
    for (size_t i = 0; i < f->group.n; i++)
        f->group.p[i].depth = depth[choose_base(&s->choose, f->group.p[i].pkg)];
}

static int reading_order(const void *x, const void *y)
{
    const struct facts_group *a = x, *b = y;
    bool limit_a = a->cause == EXPLAIN_CONSTRAINT, limit_b = b->cause == EXPLAIN_CONSTRAINT;
    uint32_t depth_a = limit_a ? 0 : a->depth, depth_b = limit_b ? 0 : b->depth;

    if (depth_a != depth_b)
        return depth_a < depth_b ? -1 : 1;
    if (depth_a == 0 && limit_a != limit_b)
        return limit_a ? 1 : -1;
    if (a->pkg != b->pkg && depth_a != 0)
        return a->pkg < b->pkg ? -1 : 1;
    if ((a->cause == EXPLAIN_DEPENDENCY) != (b->cause == EXPLAIN_DEPENDENCY))
        return a->cause == EXPLAIN_DEPENDENCY ? 1 : -1;
    return a->seq < b->seq ? -1 : a->seq > b->seq;
}

void facts_sort(struct facts *f, const struct solve *s)
{
    measure(f, s);
    if (f->group.n > 0)
        qsort(f->group.p, f->group.n, sizeof f->group.p[0], reading_order);
}

void facts_clear(struct facts *f)
{
    map_clear(&f->by_key);
    f->group.n = 0;
}
