#include "resolve/term.h"

struct term term_and(struct arena *a, const struct term *x, const struct term *y)
{
    if (x->positive && y->positive)
        return term_yes(x->pkg, set_intersect(a, &x->set, &y->set));
    if (x->positive)
        return term_yes(x->pkg, set_minus(a, &x->set, &y->set));
    if (y->positive)
        return term_yes(x->pkg, set_minus(a, &y->set, &x->set));
    return term_no(x->pkg, set_unite(a, &x->set, &y->set));
}

struct term term_or(struct arena *a, const struct term *x, const struct term *y)
{
    struct term not_x = term_not(*x), not_y = term_not(*y);

    return term_not(term_and(a, &not_x, &not_y));
}

bool term_implies(const struct term *known, const struct term *t)
{
    if (known->positive)
        return t->positive ? set_subset(&known->set, &t->set) : set_disjoint(&known->set, &t->set);
    return !t->positive && set_subset(&t->set, &known->set);
}

enum term_relation term_relate(const struct term *known, const struct term *t)
{
    struct term opposite = term_not(*t);

    if (term_implies(known, t))
        return TERM_SATISFIED;
    return term_implies(known, &opposite) ? TERM_CONTRADICTED : TERM_OPEN;
}
