#include "resolve/set.h"

#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"

/* Results are gathered in ascending order on the stack and copied to the arena once their size is known. Few sets
 * have more than a handful of intervals; larger ones are gathered in the arena itself. */
#define ON_STACK 64

struct gather {
    struct interval room[ON_STACK];
    struct interval *p;
    uint32_t n;
};

static void gather_init(struct gather *g, struct arena *a, size_t most)
{
    g->p = most <= ON_STACK ? g->room : arena_alloc(a, most * sizeof *g->p);
    g->n = 0;
}

static void gather_add(struct gather *g, uint32_t lo, uint32_t hi)
{
    if (g->n > 0 && g->p[g->n - 1].hi >= lo)
        g->p[g->n - 1].hi = MAX(g->p[g->n - 1].hi, hi);
    else
        g->p[g->n++] = (struct interval){ lo, hi };
}

static struct set gather_done(const struct gather *g, struct arena *a)
{
    struct interval *p = g->p;

    if (g->n == 0)
        return set_none();
    if (g->n == 1)
        return (struct set){ .n = 1, .one = p[0] };
    if (p == g->room) {
        p = arena_alloc(a, g->n * sizeof *p);
        memcpy(p, g->room, g->n * sizeof *p);
    }
    return (struct set){ .n = g->n, .many = p };
}

static int interval_order(const void *x, const void *y)
{
    const struct interval *a = x, *b = y;

    return a->lo < b->lo ? -1 : a->lo > b->lo;
}

struct set set_of(struct arena *a, const struct interval *spans, size_t n)
{
    struct interval *sorted = mem_alloc(n * sizeof *sorted);
    struct gather g;
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (spans[i].lo < spans[i].hi)
            sorted[kept++] = spans[i];
    qsort(sorted, kept, sizeof *sorted, interval_order);
    gather_init(&g, a, kept);
    for (size_t i = 0; i < kept; i++)
        gather_add(&g, sorted[i].lo, sorted[i].hi);
    free(sorted);
    return gather_done(&g, a);
}

/* The first interval that ends past the rank: the only one that may hold it; s->n when there is none. */
static uint32_t first_past(const struct set *s, uint32_t rank)
{
    const struct interval *p = set_spans(s);
    uint32_t lo = 0, hi = s->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;

        if (p[mid].hi > rank)
            hi = mid;
        else
            lo = mid + 1;
    }
    return lo;
}

bool set_has(const struct set *s, uint32_t rank)
{
    uint32_t i = first_past(s, rank);

    return i < s->n && set_spans(s)[i].lo <= rank;
}

uint32_t set_count(const struct set *s)
{
    const struct interval *p = set_spans(s);
    uint32_t n = 0;

    for (uint32_t i = 0; i < s->n; i++)
        n += p[i].hi - p[i].lo;
    return n;
}

uint32_t set_min(const struct set *s)
{
    if (s->n == 0)
        BUG("smallest rank of an empty set");
    return set_spans(s)[0].lo;
}

uint32_t set_max(const struct set *s)
{
    if (s->n == 0)
        BUG("largest rank of an empty set");
    return set_spans(s)[s->n - 1].hi - 1;
}

bool set_equal(const struct set *x, const struct set *y)
{
    return x->n == y->n && (x->n == 0 || memcmp(set_spans(x), set_spans(y), x->n * sizeof(struct interval)) == 0);
}

bool set_subset(const struct set *x, const struct set *y)
{
    const struct interval *p = set_spans(x), *q = set_spans(y);
    uint32_t j = 0;

    for (uint32_t i = 0; i < x->n; i++) {
        while (j < y->n && q[j].hi <= p[i].lo)
            j++;
        if (j == y->n || q[j].lo > p[i].lo || q[j].hi < p[i].hi)
            return false;
    }
    return true;
}

bool set_disjoint(const struct set *x, const struct set *y)
{
    const struct interval *p = set_spans(x), *q = set_spans(y);

    for (uint32_t i = 0, j = 0; i < x->n && j < y->n;) {
        if (p[i].hi <= q[j].lo)
            i++;
        else if (q[j].hi <= p[i].lo)
            j++;
        else
            return false;
    }
    return true;
}

uint64_t set_hash(const struct set *s)
{
    return hash_fast(set_spans(s), s->n * sizeof(struct interval));
}

struct set set_intersect(struct arena *a, const struct set *x, const struct set *y)
{
    const struct interval *p = set_spans(x), *q = set_spans(y);
    struct gather g;

    if (x->n == 1 && y->n == 1)
        return set_span(MAX(p->lo, q->lo), MIN(p->hi, q->hi));
    gather_init(&g, a, (size_t)x->n + y->n);
    for (uint32_t i = 0, j = 0; i < x->n && j < y->n;) {
        uint32_t lo = MAX(p[i].lo, q[j].lo), hi = MIN(p[i].hi, q[j].hi);

        if (lo < hi)
            gather_add(&g, lo, hi);
        if (p[i].hi < q[j].hi)
            i++;
        else
            j++;
    }
    return gather_done(&g, a);
}

struct set set_unite(struct arena *a, const struct set *x, const struct set *y)
{
    const struct interval *p = set_spans(x), *q = set_spans(y);
    struct gather g;

    if (x->n == 0 || y->n == 0)
        return x->n == 0 ? *y : *x;
    gather_init(&g, a, (size_t)x->n + y->n);
    for (uint32_t i = 0, j = 0; i < x->n || j < y->n;) {
        const struct interval *next = j == y->n || (i < x->n && p[i].lo <= q[j].lo) ? &p[i++] : &q[j++];

        gather_add(&g, next->lo, next->hi);
    }
    return gather_done(&g, a);
}

struct set set_minus(struct arena *a, const struct set *x, const struct set *y)
{
    const struct interval *p = set_spans(x), *q = set_spans(y);
    struct gather g;
    uint32_t j = 0;

    if (x->n == 0 || y->n == 0)
        return *x;
    gather_init(&g, a, (size_t)x->n + y->n);
    for (uint32_t i = 0; i < x->n; i++) {
        uint32_t lo = p[i].lo;

        while (j < y->n && q[j].hi <= lo)
            j++;
        for (uint32_t k = j; k < y->n && q[k].lo < p[i].hi; k++) {
            if (lo < q[k].lo)
                gather_add(&g, lo, q[k].lo);
            lo = q[k].hi;
        }
        if (lo < p[i].hi)
            gather_add(&g, lo, p[i].hi);
    }
    return gather_done(&g, a);
}

uint32_t set_below(const struct set *s, uint32_t limit)
{
    const struct interval *p = set_spans(s);

    if (s->n == 0 || limit <= p[0].lo)
        return UINT32_MAX;
    uint32_t i = first_past(s, limit - 1);

    if (i < s->n && p[i].lo < limit)
        return limit - 1;
    return p[i - 1].hi - 1;
}

uint32_t set_above(const struct set *s, uint32_t from)
{
    uint32_t i = first_past(s, from);

    if (i == s->n)
        return UINT32_MAX;
    return MAX(from, set_spans(s)[i].lo);
}
