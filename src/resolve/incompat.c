#include "resolve/incompat.h"

#include "base/hash.h"
#include "resolve/source.h"

void incompat_init(struct incompat_store *s, struct arena *a)
{
    *s = (struct incompat_store){ .a = a };
}

void incompat_clear(struct incompat_store *s)
{
    for (size_t i = 0; i < s->of.n; i++)
        VEC_CLEAR(&s->of.p[i].id);
    VEC_CLEAR(&s->of);
    VEC_CLEAR(&s->all);
    map_clear(&s->merged);
}

const struct term *incompat_term(const struct incompat *ic, uint32_t pkg)
{
    for (uint32_t i = 0; i < ic->n; i++)
        if (ic->term[i].pkg == pkg)
            return &ic->term[i];
    return NULL;
}

const uint32_t *incompat_list(const struct incompat_store *s, uint32_t pkg, size_t *n)
{
    *n = pkg < s->of.n ? s->of.p[pkg].id.n : 0;
    return *n ? s->of.p[pkg].id.p : NULL;
}

static struct incompat_list *list_of(struct incompat_store *s, uint32_t pkg)
{
    while (s->of.n <= pkg)
        VEC_PUSH(&s->of, (struct incompat_list){ 0 });
    return &s->of.p[pkg];
}

static uint32_t store(struct incompat_store *s, struct incompat ic, const struct term *term, uint32_t n)
{
    struct term *copy = arena_alloc(s->a, n * sizeof *copy);

    memcpy(copy, term, n * sizeof *copy);
    ic.term = copy;
    ic.n = n;
    VEC_PUSH(&s->all, ic);
    return (uint32_t)s->all.n - 1;
}

void incompat_publish(struct incompat_store *s, uint32_t id)
{
    const struct incompat *ic = incompat_get(s, id);

    for (uint32_t i = 0; i < ic->n; i++)
        VEC_PUSH(&list_of(s, ic->term[i].pkg)->id, id);
}

void incompat_forget(struct incompat_store *s, uint32_t pkg, bool (*is_over)(const void *ctx, uint32_t id),
                     const void *ctx)
{
    struct incompat_list *list = list_of(s, pkg);
    size_t n = 0;

    for (size_t i = 0; i < list->id.n; i++)
        if (!is_over(ctx, list->id.p[i]))
            list->id.p[n++] = list->id.p[i];
    list->id.n = n;
}

/* The entry to drop is nearly always near the end: merging happens while versions are tried one after another. */
static void withdraw(struct incompat_store *s, uint32_t id)
{
    const struct incompat *ic = incompat_get(s, id);

    for (uint32_t i = 0; i < ic->n; i++) {
        struct incompat_list *list = list_of(s, ic->term[i].pkg);
        size_t k = list->id.n;

        while (k > 0 && list->id.p[k - 1] != id)
            k--;
        if (k == 0)
            continue; /* forgotten */
        memmove(&list->id.p[k - 1], &list->id.p[k], (list->id.n - k) * sizeof list->id.p[0]);
        list->id.n--;
    }
}

static uint32_t add(struct incompat_store *s, struct incompat ic, const struct term *term, uint32_t n)
{
    uint32_t id = store(s, ic, term, n);

    incompat_publish(s, id);
    return id;
}

uint32_t incompat_add_root(struct incompat_store *s)
{
    struct term t = term_no(PKG_ROOT, set_one(0));

    return add(s, (struct incompat){ .cause = CAUSE_ROOT }, &t, 1);
}

uint32_t incompat_add_proxy(struct incompat_store *s, uint32_t proxy, struct set set, uint32_t base)
{
    struct term t[2] = { term_yes(proxy, set), term_no(base, set) };

    return add(s, (struct incompat){ .cause = CAUSE_PROXY }, t, 2);
}

uint32_t incompat_add_constraint(struct incompat_store *s, uint32_t pkg, struct set excluded,
                                 const struct solve_dep *dep)
{
    struct term t = term_yes(pkg, excluded);

    return add(s, (struct incompat){ .cause = CAUSE_CONSTRAINT, .dep = dep }, &t, 1);
}

uint32_t incompat_add_unusable(struct incompat_store *s, enum incompat_cause cause, uint32_t pkg, struct set set,
                               struct str reason)
{
    uint64_t parts[2] = { (uint64_t)pkg << 32 | cause, hash_fast(reason.p, reason.n) };
    uint64_t key = hash_fast(parts, sizeof parts);
    uint32_t old = map_find_u64(&s->merged, key);
    const struct incompat *twin = old == MAP_NONE ? NULL : &s->all.p[old];

    if (twin && twin->cause == cause && twin->term[0].pkg == pkg && str_eq(twin->reason, reason)) {
        set = set_unite(s->a, &set, &twin->term[0].set);
        withdraw(s, old);
    }

    struct term t = term_yes(pkg, set);
    uint32_t id = add(s, (struct incompat){ .cause = cause, .reason = reason }, &t, 1);

    map_put_u64(&s->merged, key, id);
    return id;
}

static uint64_t merge_key(uint32_t pkg, const struct solve_dep *dep)
{
    /* Nothing fits an empty set, whatever was asked for; the texts keep such demands apart for the message. */
    uint64_t key[3] = { (uint64_t)pkg << 32 | dep->pkg, set_hash(&dep->allowed),
                        dep->allowed.n == 0 ? hash_fast(dep->text.p, dep->text.n) : 0 };

    return hash_fast(key, sizeof key);
}

/* The older entry that says the same of other versions, or INCOMPAT_NONE. */
static uint32_t find_twin(struct incompat_store *s, uint32_t pkg, const struct solve_dep *dep, uint64_t key)
{
    uint32_t id = map_find_u64(&s->merged, key);

    if (id == MAP_NONE)
        return INCOMPAT_NONE;

    const struct incompat *twin = &s->all.p[id];

    if (twin->cause != CAUSE_DEPENDENCY || twin->term[0].pkg != pkg || twin->dep->pkg != dep->pkg ||
        !set_equal(&twin->dep->allowed, &dep->allowed))
        return INCOMPAT_NONE;
    return dep->allowed.n == 0 && !str_eq(twin->dep->text, dep->text) ? INCOMPAT_NONE : id;
}

uint32_t incompat_add_dep(struct incompat_store *s, uint32_t pkg, struct set of, const struct solve_dep *dep,
                          uint32_t index)
{
    struct incompat ic = { .cause = CAUSE_DEPENDENCY, .dep = dep, .index = index };
    struct term term[2];
    bool merges = pkg != PKG_ROOT && dep->pkg != pkg; /* each requirement of the root keeps its own origin */
    uint64_t key = merges ? merge_key(pkg, dep) : 0;

    if (dep->pkg == pkg) {
        of = set_minus(s->a, &of, &dep->allowed);
        if (set_is_empty(&of))
            return INCOMPAT_NONE;
    }

    uint32_t old = merges ? find_twin(s, pkg, dep, key) : INCOMPAT_NONE;

    if (old != INCOMPAT_NONE) {
        const struct incompat *twin = &s->all.p[old];

        ic.dep = twin->dep;
        of = set_unite(s->a, &of, &twin->term[0].set);
        withdraw(s, old);
    }
    term[0] = term_yes(pkg, of);
    term[1] = term_no(dep->pkg, dep->allowed);

    uint32_t id = add(s, ic, term, dep->pkg == pkg || dep->allowed.n == 0 ? 1 : 2);

    if (merges)
        map_put_u64(&s->merged, key, id);
    return id;
}

uint32_t incompat_resolve(struct incompat_store *s, uint32_t left, uint32_t right, uint32_t pkg)
{
    const struct incompat *x = incompat_get(s, left), *y = incompat_get(s, right);
    struct term *term = arena_alloc(s->a, ((size_t)x->n + y->n) * sizeof *term);
    uint32_t n = 0;

    for (uint32_t i = 0; i < x->n; i++) {
        const struct term *other = incompat_term(y, x->term[i].pkg);

        if (!other)
            term[n++] = x->term[i];
        else if (x->term[i].pkg != pkg)
            term[n++] = term_and(s->a, &x->term[i], other);
        else {
            struct term either = term_or(s->a, &x->term[i], other);

            if (!term_is_any(&either))
                term[n++] = either;
        }
    }
    for (uint32_t i = 0; i < y->n; i++)
        if (!incompat_term(x, y->term[i].pkg))
            term[n++] = y->term[i];

    VEC_PUSH(&s->all, (struct incompat){ .term = term, .n = n, .cause = CAUSE_DERIVED, .left = left, .right = right });
    return (uint32_t)s->all.n - 1;
}
