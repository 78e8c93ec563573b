#include "resolve/partial.h"

#include "base/err.h"

void partial_init(struct partial *ps, struct arena *a)
{
    *ps = (struct partial){ .a = a };
    VEC_PUSH(&ps->level, (struct partial_level){ 0 });
}

void partial_clear(struct partial *ps)
{
    for (size_t i = 0; i < ps->of.n; i++)
        VEC_CLEAR(&ps->of.p[i].at);
    VEC_CLEAR(&ps->of);
    VEC_CLEAR(&ps->trail);
    VEC_CLEAR(&ps->level);
    VEC_CLEAR(&ps->changed);
    VEC_CLEAR(&ps->is_changed);
}

static const struct term nothing; /* about no package in particular: negative, empty */

const struct term *partial_known(const struct partial *ps, uint32_t pkg)
{
    if (pkg >= ps->of.n || ps->of.p[pkg].at.n == 0)
        return &nothing;
    return &ps->trail.p[ps->of.p[pkg].at.p[ps->of.p[pkg].at.n - 1]].known;
}

const struct term *partial_lasting(const struct partial *ps, uint32_t pkg)
{
    const struct term *known = &nothing;

    if (pkg >= ps->of.n)
        return known;
    for (size_t i = 0; i < ps->of.p[pkg].at.n; i++) {
        const struct assignment *as = &ps->trail.p[ps->of.p[pkg].at.p[i]];

        if (as->level > 1)
            break;
        known = &as->known;
    }
    return known;
}

uint32_t partial_decided(const struct partial *ps, uint32_t pkg)
{
    return pkg < ps->of.n ? ps->of.p[pkg].decided : RANK_NONE;
}

uint64_t partial_stamp(const struct partial *ps, uint32_t pkg)
{
    return pkg < ps->of.n ? ps->of.p[pkg].stamp : 0;
}

uint32_t partial_decision_level(const struct partial *ps, uint32_t pkg)
{
    const struct partial_package *p = &ps->of.p[pkg];
    size_t i = p->at.n;

    /* Nothing can be derived about a decided package but what its decision already implies, so it is the last. */
    while (ps->trail.p[p->at.p[i - 1]].cause != INCOMPAT_NONE)
        i--;
    return ps->trail.p[p->at.p[i - 1]].level;
}

static void note_change(struct partial *ps, uint32_t pkg)
{
    ps->of.p[pkg].stamp = ++ps->clock;
    if (!ps->is_changed.p[pkg]) {
        ps->is_changed.p[pkg] = true;
        VEC_PUSH(&ps->changed, pkg);
    }
}

static void append(struct partial *ps, struct assignment as)
{
    while (ps->of.n <= as.pkg) {
        VEC_PUSH(&ps->of, (struct partial_package){ .decided = RANK_NONE });
        VEC_PUSH(&ps->is_changed, false);
    }
    VEC_PUSH(&ps->of.p[as.pkg].at, (uint32_t)ps->trail.n);
    VEC_PUSH(&ps->trail, as);
    note_change(ps, as.pkg);
}

void partial_decide(struct partial *ps, uint32_t pkg, uint32_t rank)
{
    if (!partial_known(ps, pkg)->positive || !set_has(&partial_known(ps, pkg)->set, rank))
        BUG("decision outside of what is allowed");

    VEC_PUSH(&ps->level, (struct partial_level){ ps->trail.n, ++ps->clock });
    append(ps, (struct assignment){ pkg, partial_level(ps), INCOMPAT_NONE, term_yes(pkg, set_one(rank)) });
    ps->of.p[pkg].decided = rank;
}

void partial_derive(struct partial *ps, const struct term *forbidden, uint32_t cause)
{
    struct term derived = term_not(*forbidden);
    const struct term *known = partial_known(ps, forbidden->pkg);

    if (!term_is_any(known))
        derived = term_and(ps->a, known, &derived);
    append(ps, (struct assignment){ forbidden->pkg, partial_level(ps), cause, derived });
}

void partial_backtrack(struct partial *ps, uint32_t level)
{
    if (level >= partial_level(ps))
        return;

    size_t keep = ps->level.p[level + 1].start;

    while (ps->trail.n > keep) {
        const struct assignment *as = &ps->trail.p[--ps->trail.n];

        ps->of.p[as->pkg].at.n--;
        if (as->cause == INCOMPAT_NONE)
            ps->of.p[as->pkg].decided = RANK_NONE;
        note_change(ps, as->pkg);
    }
    ps->level.n = level + 1;
}

bool partial_take_changed(struct partial *ps, uint32_t *pkg)
{
    if (ps->changed.n == 0)
        return false;
    *pkg = ps->changed.p[--ps->changed.n];
    ps->is_changed.p[*pkg] = false;
    return true;
}

enum partial_relation partial_relate(const struct partial *ps, const struct incompat *ic, const struct term **open)
{
    uint32_t n_open = 0;

    for (uint32_t i = 0; i < ic->n; i++) {
        switch (term_relate(partial_known(ps, ic->term[i].pkg), &ic->term[i])) {
        case TERM_CONTRADICTED:
            return PARTIAL_CONTRADICTED;
        case TERM_OPEN:
            *open = &ic->term[i];
            n_open++;
            break;
        case TERM_SATISFIED:
            break;
        }
    }
    if (n_open == 0)
        return PARTIAL_SATISFIED;
    return n_open == 1 ? PARTIAL_ALMOST : PARTIAL_OPEN;
}

bool partial_would_satisfy(const struct partial *ps, const struct incompat *ic, uint32_t pkg, uint32_t rank)
{
    for (uint32_t i = 0; i < ic->n; i++) {
        const struct term *t = &ic->term[i];

        if (t->pkg == pkg ? set_has(&t->set, rank) != t->positive : !term_implies(partial_known(ps, t->pkg), t))
            return false;
    }
    return true;
}

/* The trail index of the package's first entry that, together with `also` (when there is one), implies the term.
 * Entries only ever say more than those before, so this is a partition point. */
static uint32_t first_implying(const struct partial *ps, const struct term *t, const struct term *also)
{
    const struct partial_package *p = &ps->of.p[t->pkg];
    size_t lo = 0, hi = p->at.n;
    struct term goal = *t;

    if (also) {
        struct term not_also = term_not(*also);

        goal = term_or(ps->a, t, &not_also);
    }
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;

        if (term_implies(&ps->trail.p[p->at.p[mid]].known, &goal))
            hi = mid;
        else
            lo = mid + 1;
    }
    if (lo == p->at.n)
        BUG("satisfier of a term that is not satisfied");
    return p->at.p[lo];
}

/* What the entry itself added, apart from what was known before. */
static struct term own_part(const struct partial *ps, const struct incompat_store *store, uint32_t at)
{
    const struct assignment *as = &ps->trail.p[at];

    if (as->cause == INCOMPAT_NONE)
        return as->known;
    return term_not(*incompat_term(incompat_get(store, as->cause), as->pkg));
}

struct satisfier partial_satisfier(const struct partial *ps, const struct incompat_store *store,
                                   const struct incompat *ic)
{
    uint32_t last = 0, previous = 1, own = 0;

    for (uint32_t i = 0; i < ic->n; i++) {
        uint32_t at = first_implying(ps, &ic->term[i], NULL);

        if (i == 0 || at > last) {
            last = at;
            own = i;
        }
    }
    for (uint32_t i = 0; i < ic->n; i++)
        if (i != own)
            previous = MAX(previous, ps->trail.p[first_implying(ps, &ic->term[i], NULL)].level);

    const struct assignment *as = &ps->trail.p[last];
    struct term part = own_part(ps, store, last);

    if (!term_implies(&part, &ic->term[own]))
        previous = MAX(previous, ps->trail.p[first_implying(ps, &ic->term[own], &part)].level);
    return (struct satisfier){ as->pkg, as->cause, as->level, previous };
}
