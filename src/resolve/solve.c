/* PubGrub: unit propagation, decision, conflict-driven learning.
 *
 * Everything known is a set of incompatibilities: terms that cannot all be true. flask 3 needing werkzeug >= 3 is
 * {flask in 3, not werkzeug in >=3}. When all terms but one hold, the negation of that one follows (propagation).
 * When nothing follows any more, a version of some open package is decided on and its dependencies become known. When
 * all terms hold there is a conflict: the incompatibility is combined with the cause of the latest assignment that
 * made it hold, and so on until the conclusion would have prevented an earlier step; that far is gone back and the
 * conclusion is kept. A conclusion that forbids the root itself is the proof that there is no solution.
 *
 * What is done beyond the text, and why:
 * - Incompatibilities of a package are looked at newest first: conclusions cut deepest.
 * - One with a false term is not looked at again while the level of that moment lasts (struct solve_mark), and taken
 *   out of the lists when that is for good: otherwise going back over n versions costs n squared.
 * - Before the first backtrack a version is decided on without looking at what its dependencies contradict: most
 *   solves meet no conflict. After it such a version is refused without being decided on. One with a dependency that
 *   nothing can satisfy is refused at once in any case.
 * - An extra in a set forces its base into that set, so that the base is known to be needed, and limited, before any
 *   version of the extra is tried; and the extra is offered only versions its base may still have.
 * - Packages that keep conflicting are re-ordered (choose.h).
 */
#include "resolve/solve.h"

#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "resolve/priv.h"

#define FORGET_FROM 16 /* entries of a list that will never matter again, before they are taken out */

struct solve *solve_new(const struct solve_source *source)
{
    struct solve *s = mem_zero(1, sizeof *s);

    s->source = *source;
    arena_init(&s->a);
    incompat_init(&s->store, &s->a);
    partial_init(&s->ps, &s->a);
    s->failure = INCOMPAT_NONE;
    return s;
}

void solve_free(struct solve *s)
{
    if (!s)
        return;
    VEC_CLEAR(&s->pkg);
    VEC_CLEAR(&s->mark);
    VEC_CLEAR(&s->queue);
    map_clear(&s->ties);
    choose_clear(&s->choose);
    partial_clear(&s->ps);
    incompat_clear(&s->store);
    arena_clear(&s->a);
    free(s);
}

static void queue_push(struct solve *s, uint32_t pkg)
{
    if (s->pkg.p[pkg].queued)
        return;
    s->pkg.p[pkg].queued = true;
    VEC_PUSH(&s->queue, pkg);
}

static uint32_t queue_pop(struct solve *s)
{
    uint32_t pkg = s->queue.p[--s->queue.n];

    s->pkg.p[pkg].queued = false;
    return pkg;
}

static void queue_clear(struct solve *s)
{
    while (s->queue.n > 0)
        (void)queue_pop(s);
}

/* ---- what the source says ---- */

static void add_constraints(struct solve *s, uint32_t pkg)
{
    const struct solve_package *fact = &s->pkg.p[pkg].fact;
    struct set all = set_span(0, fact->versions);

    for (size_t i = 0; i < fact->constraints; i++) {
        const struct solve_dep *c = &fact->constraint[i];
        struct set excluded = set_minus(&s->a, &all, &c->allowed);

        if (!set_is_empty(&excluded))
            (void)incompat_add_constraint(&s->store, pkg, excluded, c);
        if (c->pins)
            (void)choose_raise(&s->choose, pkg, CHOOSE_SINGLETON);
    }
}

/* Asks for the package's facts if it is new. */
static void learn_package(struct solve *s, uint32_t pkg)
{
    struct solve_package fact = { .proxy_of = PKG_NONE };

    if (choose_knows(&s->choose, pkg))
        return;
    s->source.package(s->source.ctx, pkg, &fact);
    if (fact.proxy_of != PKG_NONE)
        learn_package(s, fact.proxy_of); /* a base is no extra: this goes one deep */
    while (s->pkg.n <= pkg)
        VEC_PUSH(&s->pkg, (struct solve_entry){ 0 });
    s->pkg.p[pkg].fact = fact;
    s->pkg.p[pkg].tried = ARENA_ARRAY(&s->a, uint64_t, fact.versions / 64 + 1);
    choose_add(&s->choose, pkg, fact.proxy_of == PKG_NONE ? pkg : fact.proxy_of);
    if (pkg == PKG_ROOT)
        (void)choose_raise(&s->choose, pkg, CHOOSE_FIXED);
    if (fact.url)
        (void)choose_raise(&s->choose, pkg, CHOOSE_URL);
    add_constraints(s, pkg);
}

/* An extra in `set` is at its base's version: the base is in it too. */
static void add_tie(struct solve *s, uint32_t proxy, struct set set)
{
    uint64_t parts[2] = { proxy, set_hash(&set) };
    uint64_t key = hash_fast(parts, sizeof parts);
    uint32_t id = map_find_u64(&s->ties, key);

    if (id != MAP_NONE) {
        const struct term *t = &incompat_get(&s->store, id)->term[0];

        if (t->pkg == proxy && set_equal(&t->set, &set))
            return;
    }
    id = incompat_add_proxy(&s->store, proxy, set, s->pkg.p[proxy].fact.proxy_of);
    map_put_u64(&s->ties, key, id);
}

static bool is_proxy(const struct solve *s, uint32_t pkg)
{
    return s->pkg.p[pkg].fact.proxy_of != PKG_NONE;
}

static void add_dep(struct solve *s, uint32_t pkg, uint32_t rank, const struct solve_dep *dep, uint32_t index)
{
    struct set of = set_one(rank);

    learn_package(s, dep->pkg);
    if (is_proxy(s, pkg) && dep->pkg == s->pkg.p[pkg].fact.proxy_of && set_equal(&dep->allowed, &of))
        return; /* the tie says it */
    if (!set_is_empty(&dep->same))
        of = set_unite(&s->a, &of, &dep->same);
    (void)incompat_add_dep(&s->store, pkg, of, dep, index);
    if (dep->pins)
        (void)choose_raise(&s->choose, dep->pkg, CHOOSE_SINGLETON);
    if (is_proxy(s, dep->pkg) && !set_is_empty(&dep->allowed))
        add_tie(s, dep->pkg, dep->allowed);
}

/* Returns an addition that the decision would bring into conflict, or INCOMPAT_NONE. */
static uint32_t add_deps(struct solve *s, uint32_t pkg, uint32_t rank, const struct solve_deps *deps)
{
    uint32_t first = (uint32_t)s->store.all.n;

    if (is_proxy(s, pkg))
        add_tie(s, pkg, set_one(rank));
    for (size_t i = 0; i < deps->n; i++)
        add_dep(s, pkg, rank, &deps->dep[i], (uint32_t)i);
    for (uint32_t id = first; id < s->store.all.n; id++) {
        const struct incompat *ic = incompat_get(&s->store, id);

        if ((ic->n == 1 || s->stats.backtracks > 0) && partial_would_satisfy(&s->ps, ic, pkg, rank))
            return id;
    }
    return INCOMPAT_NONE;
}

/* ---- conflicts ---- */

static void backtrack(struct solve *s, uint32_t level)
{
    if (level < partial_level(&s->ps))
        s->stats.backtracks++;
    partial_backtrack(&s->ps, level);
}

static void count_conflict(struct solve *s, uint32_t affected, uint32_t id)
{
    const struct incompat *ic = incompat_get(&s->store, id);
    bool real = false;

    for (uint32_t i = 0; i < ic->n; i++)
        if (ic->term[i].pkg != affected && choose_blame(&s->choose, affected, ic->term[i].pkg))
            real = true;
    if (real)
        choose_suffer(&s->choose, affected);
}

static bool is_final(const struct incompat *ic)
{
    return ic->n == 0 || (ic->n == 1 && ic->term[0].pkg == PKG_ROOT && ic->term[0].positive);
}

/* Goes back to where the conflict, or what can be concluded from it, leaves one term open, and derives its negation.
 * False when the conclusion is that there is no solution. */
static bool resolve_conflict(struct solve *s, uint32_t conflict)
{
    uint32_t id = conflict;

    s->stats.conflicts++;
    for (;;) {
        const struct incompat *ic = incompat_get(&s->store, id);

        if (is_final(ic)) {
            s->failure = id;
            return false;
        }

        struct satisfier by = partial_satisfier(&s->ps, &s->store, ic);

        if (by.cause == INCOMPAT_NONE || by.previous < by.level) {
            count_conflict(s, by.pkg, id);
            backtrack(s, by.previous);
            if (id != conflict)
                incompat_publish(&s->store, id);
            queue_clear(s);
            partial_derive(&s->ps, incompat_term(incompat_get(&s->store, id), by.pkg), id);
            queue_push(s, by.pkg);
            return true;
        }
        id = incompat_resolve(&s->store, id, by.cause, by.pkg);
        count_conflict(s, by.pkg, id);
    }
}

/* ---- propagation ---- */

static void mark(struct solve *s, uint32_t id)
{
    uint32_t level = partial_level(&s->ps);

    while (s->mark.n <= id)
        VEC_PUSH(&s->mark, (struct solve_mark){ 0 });
    s->mark.p[id] = (struct solve_mark){ level, s->ps.level.p[level].serial + 1 };
}

static bool is_marked(const struct solve *s, uint32_t id)
{
    if (id >= s->mark.n)
        return false;

    const struct solve_mark *m = &s->mark.p[id];

    return m->serial != 0 && m->level <= partial_level(&s->ps) && s->ps.level.p[m->level].serial + 1 == m->serial;
}

/* The first level is never gone back on: what has a false term there has it for good. */
static bool is_over(const void *ctx, uint32_t id)
{
    const struct solve *s = ctx;

    return is_marked(s, id) && s->mark.p[id].level <= 1;
}

/* Derives what follows from the package's incompatibilities; the first one that cannot hold, or INCOMPAT_NONE. */
static uint32_t propagate_package(struct solve *s, uint32_t pkg)
{
    size_t n, total, over = 0;
    const uint32_t *id = incompat_list(&s->store, pkg, &n);

    total = n;
    while (n-- > 0) {
        const struct term *open = NULL;

        if (is_marked(s, id[n])) {
            over += s->mark.p[id[n]].level <= 1;
            continue;
        }
        switch (partial_relate(&s->ps, incompat_get(&s->store, id[n]), &open)) {
        case PARTIAL_SATISFIED:
            return id[n];
        case PARTIAL_ALMOST:
            partial_derive(&s->ps, open, id[n]);
            queue_push(s, open->pkg);
            mark(s, id[n]);
            break;
        case PARTIAL_CONTRADICTED:
            mark(s, id[n]);
            break;
        case PARTIAL_OPEN:
            break;
        }
    }
    if (over > FORGET_FROM && over > total / 4)
        incompat_forget(&s->store, pkg, is_over, s);
    return INCOMPAT_NONE;
}

static bool propagate(struct solve *s)
{
    while (s->queue.n > 0) {
        uint32_t conflict = propagate_package(s, queue_pop(s));

        if (conflict != INCOMPAT_NONE && !resolve_conflict(s, conflict))
            return false;
    }
    return true;
}

/* Moves the packages that conflicted often; true when a decision was undone for it and propagation must start over:
 * what was added since that decision may say something about what stood before it. */
static bool reorder(struct solve *s)
{
    uint32_t base;
    bool undone = false;

    while (choose_take_early(&s->choose, &base))
        if (choose_move(&s->choose, base, CHOOSE_CONFLICT_EARLY))
            s->stats.reorders++;
    while (choose_take_late(&s->choose, &base)) {
        if (!choose_move(&s->choose, base, CHOOSE_CONFLICT_LATE))
            continue;
        s->stats.reorders++;
        if (partial_decided(&s->ps, base) != RANK_NONE) {
            backtrack(s, partial_decision_level(&s->ps, base) - 1);
            undone = true;
        }
    }
    for (uint32_t pkg = 0; undone && pkg < s->pkg.n; pkg++)
        if (!term_is_any(partial_known(&s->ps, pkg)))
            queue_push(s, pkg);
    return undone;
}

/* ---- decisions ---- */

static bool is_open(const struct solve *s, uint32_t pkg)
{
    return partial_known(&s->ps, pkg)->positive && partial_decided(&s->ps, pkg) == RANK_NONE;
}

static bool next_open(struct solve *s, uint32_t *pkg)
{
    while (partial_take_changed(&s->ps, pkg))
        if (is_open(s, *pkg))
            choose_push(&s->choose, *pkg);
    while (choose_pop(&s->choose, pkg))
        if (is_open(s, *pkg))
            return true;
    return false;
}

/* What the package may be; for an extra, what its base may be as well. */
static struct set candidates(struct solve *s, uint32_t pkg)
{
    struct set own = partial_known(&s->ps, pkg)->set;

    if (!is_proxy(s, pkg))
        return own;

    const struct term *base = partial_known(&s->ps, s->pkg.p[pkg].fact.proxy_of);

    return base->positive ? set_intersect(&s->a, &own, &base->set) : own;
}

enum outcome { NEXT, WAIT };

static enum outcome try_version(struct solve *s, uint32_t pkg, uint32_t rank)
{
    struct solve_entry *entry = &s->pkg.p[pkg];
    struct solve_deps deps = { 0 };
    uint64_t bit = 1ull << rank % 64;

    if (!(entry->tried[rank / 64] & bit)) {
        enum solve_answer answer = s->source.deps(s->source.ctx, pkg, rank, &deps);

        if (answer == SOLVE_PENDING)
            return WAIT;
        entry->tried[rank / 64] |= bit;
        entry->tries++;
        if (answer == SOLVE_UNUSABLE) {
            struct set one = set_one(rank), unusable = set_unite(&s->a, &one, &deps.same);

            (void)incompat_add_unusable(&s->store, CAUSE_UNUSABLE, pkg, unusable, deps.reason);
            return NEXT;
        }

        uint32_t conflict = add_deps(s, pkg, rank, &deps);

        if (conflict != INCOMPAT_NONE) {
            s->stats.rejections++;
            count_conflict(s, pkg, conflict);
            return NEXT;
        }
    }
    s->stats.decisions++;
    partial_decide(&s->ps, pkg, rank);
    return NEXT;
}

static enum outcome decide(struct solve *s, uint32_t pkg)
{
    struct set allowed = candidates(s, pkg);
    struct solve_choice choice = { .rank = pkg == PKG_ROOT ? 0 : RANK_NONE };

    if (set_is_empty(&allowed)) {
        add_tie(s, pkg, partial_known(&s->ps, pkg)->set);
        return NEXT;
    }
    if (pkg != PKG_ROOT && s->source.choose(s->source.ctx, pkg, &allowed, &choice) == SOLVE_PENDING)
        return WAIT;
    if (choice.rank == RANK_NONE) {
        (void)incompat_add_unusable(&s->store, CAUSE_NONE, pkg, allowed, choice.none);
        return NEXT;
    }
    if (!set_has(&allowed, choice.rank))
        BUG("the source chose a version outside of the set");
    return try_version(s, pkg, choice.rank);
}

static void start(struct solve *s)
{
    learn_package(s, PKG_ROOT);
    (void)incompat_add_root(&s->store);
    queue_push(s, PKG_ROOT);
}

static enum solve_state end(struct solve *s, enum solve_state state)
{
    s->ended = true;
    s->end = state;
    return state;
}

enum solve_state solve_step(struct solve *s)
{
    uint32_t pkg;

    if (s->ended)
        return s->end;
    if (s->store.all.n == 0)
        start(s);
    for (;;) {
        if (!propagate(s))
            return end(s, SOLVE_FAILED);
        if (reorder(s))
            continue;
        if (!next_open(s, &pkg))
            return end(s, SOLVE_DONE);

        enum outcome outcome = decide(s, pkg);

        if (is_open(s, pkg))
            choose_push(&s->choose, pkg);
        if (outcome == WAIT)
            return SOLVE_WANTS;
        queue_push(s, pkg);
    }
}

/* ---- results ---- */

uint32_t solve_decision(const struct solve *s, uint32_t pkg)
{
    return partial_decided(&s->ps, pkg);
}

uint32_t solve_packages(const struct solve *s)
{
    return (uint32_t)s->pkg.n;
}

bool solve_open_next(const struct solve *s, uint32_t *at, struct solve_open *out)
{
    for (; *at < s->pkg.n; ++*at) {
        uint32_t pkg = *at;

        if (pkg == PKG_ROOT || !is_open(s, pkg))
            continue;

        const struct term *lasting = partial_lasting(&s->ps, pkg);

        *out = (struct solve_open){
            .pkg = pkg,
            .allowed = partial_known(&s->ps, pkg)->set,
            .lasting = lasting->positive ? lasting->set : set_span(0, s->pkg.p[pkg].fact.versions),
            .stamp = partial_stamp(&s->ps, pkg),
            .tried = s->pkg.p[pkg].tries,
        };
        ++*at;
        return true;
    }
    return false;
}

uint32_t solve_tried(const struct solve *s, uint32_t pkg)
{
    return pkg < s->pkg.n ? s->pkg.p[pkg].tries : 0;
}

struct solve_stats solve_stats(const struct solve *s)
{
    struct solve_stats stats = s->stats;

    stats.facts = (uint32_t)s->store.all.n;
    return stats;
}

const uint32_t *solve_proof(const struct solve *s, struct arena *a, size_t *n)
{
    uint32_t *id = ARENA_ARRAY(a, uint32_t, s->failure + 1);
    bool *needed = ARENA_ARRAY(a, bool, s->failure + 1);

    /* Causes have smaller numbers than what follows from them: one sweep downwards finds all. */
    *n = 0;
    needed[s->failure] = true;
    for (uint32_t i = s->failure + 1; i-- > 0;) {
        const struct incompat *ic = incompat_get(&s->store, i);

        if (needed[i] && ic->cause == CAUSE_DERIVED)
            needed[ic->left] = needed[ic->right] = true;
    }
    for (uint32_t i = 0; i <= s->failure; i++)
        if (needed[i])
            id[(*n)++] = i;
    return id;
}

uint32_t solve_culprits(const struct solve *s, uint32_t *index, uint32_t max)
{
    AUTO_ARENA a = { 0 };
    size_t n;
    uint32_t count = 0;

    if (!s->ended || s->end != SOLVE_FAILED)
        return 0;

    /* The root's requirements were stated in the order of their indices, so ascending ids are ascending indices. */
    const uint32_t *id = solve_proof(s, &a, &n);

    for (size_t i = 0; i < n; i++) {
        const struct incompat *ic = incompat_get(&s->store, id[i]);

        if (ic->cause != CAUSE_DEPENDENCY || ic->term[0].pkg != PKG_ROOT)
            continue;
        if (count < max)
            index[count] = ic->index;
        count++;
    }
    return count;
}
