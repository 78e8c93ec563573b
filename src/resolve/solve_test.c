#include "resolve/solve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/vec.h"
#include "resolve/explain.h"

/* Random universes small enough to try every assignment: the solver must find a solution exactly when there is one,
 * the solution must be valid and hold nothing that is not needed, and waiting must not change it. */

#define PACKAGES 14 /* the root included */
#define VERSIONS 20
#define DEPS 4
#define FEW_PACKAGES 7 /* as many as can be tried out */
#define FEW_VERSIONS 4

struct universe {
    struct arena a;
    uint32_t packages, most_versions;
    uint32_t versions[PACKAGES];
    uint32_t plan[PACKAGES]; /* a solution made on purpose; RANK_NONE everywhere when there is none */
    uint32_t proxy_of[PACKAGES];
    uint32_t constraint[PACKAGES]; /* mask of what is allowed */
    struct solve_dep limit[PACKAGES];
    struct solve_dep dep[PACKAGES][VERSIONS][DEPS];
    uint32_t mask[PACKAGES][VERSIONS][DEPS]; /* of dep.allowed */
    uint32_t deps[PACKAGES][VERSIONS];
    bool unusable[PACKAGES][VERSIONS], hidden[PACKAGES][VERSIONS];
    bool lowest, tells_same;
    uint64_t seed;
    uint32_t patience; /* out of 8 answers, how many come at once */
    uint32_t asked;
};

static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static struct universe big; /* too large for the stack */

static struct set set_from(struct arena *a, uint32_t mask)
{
    struct interval one[32];
    size_t n = 0;

    for (uint32_t k = 0; k < 32; k++)
        if (mask >> k & 1)
            one[n++] = (struct interval){ k, k + 1 };
    return set_of(a, one, n);
}

static bool waits(struct universe *u)
{
    return u->patience < 8 && random_next(&u->seed) % 8 >= u->patience;
}

static void tell_package(void *ctx, uint32_t pkg, struct solve_package *out)
{
    struct universe *u = ctx;

    *out = (struct solve_package){
        .name = arena_printf(&u->a, "p%u", pkg),
        .versions = u->versions[pkg],
        .proxy_of = u->proxy_of[pkg],
        .constraint = &u->limit[pkg],
        .constraints = u->constraint[pkg] == UINT32_MAX ? 0 : 1,
    };
}

static enum solve_answer choose_version(void *ctx, uint32_t pkg, const struct set *allowed, struct solve_choice *out)
{
    struct universe *u = ctx;

    u->asked++;
    assert_false(set_is_empty(allowed));
    if (waits(u))
        return SOLVE_PENDING;
    out->rank = RANK_NONE;
    for (uint32_t k = 0; k < u->versions[pkg]; k++) {
        uint32_t r = u->lowest ? k : u->versions[pkg] - 1 - k;

        if (set_has(allowed, r) && !u->hidden[pkg][r]) {
            out->rank = r;
            break;
        }
    }
    return SOLVE_HAVE;
}

static enum solve_answer tell_deps(void *ctx, uint32_t pkg, uint32_t rank, struct solve_deps *out)
{
    struct universe *u = ctx;

    u->asked++;
    if (waits(u))
        return SOLVE_PENDING;
    if (u->unusable[pkg][rank]) {
        out->reason = STR("is broken");
        for (uint32_t r = 0; u->tells_same && r < u->versions[pkg]; r++) {
            struct set one = set_one(r);

            if (u->unusable[pkg][r])
                out->same = set_unite(&u->a, &out->same, &one);
        }
        return SOLVE_UNUSABLE;
    }
    out->dep = u->dep[pkg][rank];
    out->n = u->deps[pkg][rank];
    return SOLVE_HAVE;
}

static struct str tell_text(void *ctx, uint32_t pkg, uint32_t rank)
{
    struct universe *u = ctx;

    (void)pkg;
    return arena_printf(&u->a, "%u", rank);
}

static struct solve *solver_for(struct universe *u)
{
    struct solve_source source = { u, tell_package, choose_version, tell_deps, tell_text };

    return solve_new(&source);
}

static bool is_planned(const struct universe *u, uint32_t pkg, uint32_t rank)
{
    return u->plan[pkg] == rank;
}

/* Versions of the package, few or many, now and then none; those of the plan among them when `planned`. */
static uint32_t random_mask(const struct universe *u, uint32_t pkg, bool planned, uint64_t *seed)
{
    uint32_t versions = u->versions[pkg], all = (1u << versions) - 1;

    if (planned)
        return (random_next(seed) & all) | 1u << u->plan[pkg];
    switch (random_next(seed) % 8) {
    case 0:
        return random_next(seed) & random_next(seed) & all;
    case 1:
        return all;
    case 2:
        return 1u << random_next(seed) % (versions ? versions : 1) & all;
    default:
        return random_next(seed) & all;
    }
}

/* The last one or two packages may be extras of an earlier one. */
static void make_proxies(struct universe *u, uint64_t *seed)
{
    for (uint32_t p = u->packages - 2; p < u->packages; p++) {
        if (p < 3 || random_next(seed) % 2)
            continue;
        u->proxy_of[p] = 1 + random_next(seed) % 2;
        u->versions[p] = u->versions[u->proxy_of[p]];
        u->plan[p] = u->plan[u->proxy_of[p]];
        for (uint32_t r = 0; r < VERSIONS; r++) { /* an extra is as usable as its base */
            u->hidden[p][r] = u->hidden[u->proxy_of[p]][r];
            u->unusable[p][r] = u->unusable[u->proxy_of[p]][r];
        }
    }
}

static void make_deps(struct universe *u, uint32_t pkg, uint32_t rank, uint64_t *seed)
{
    uint32_t n = pkg == 0 ? 1 + random_next(seed) % DEPS : random_next(seed) % DEPS;

    u->deps[pkg][rank] = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t on = 1 + random_next(seed) % (u->packages - 1);
        uint32_t mask = random_mask(u, on, is_planned(u, pkg, rank), seed);

        u->mask[pkg][rank][i] = mask;
        u->dep[pkg][rank][i] = (struct solve_dep){
            .pkg = on,
            .allowed = set_from(&u->a, mask),
            .text = arena_printf(&u->a, "p%u in %x", on, mask),
        };
    }
}

/* Other versions of the package with the very same requirement. */
static void find_same(struct universe *u, uint32_t pkg, uint32_t rank)
{
    for (uint32_t i = 0; i < u->deps[pkg][rank]; i++) {
        struct solve_dep *dep = &u->dep[pkg][rank][i];
        uint32_t same = 0;

        for (uint32_t r = 0; r < u->versions[pkg]; r++)
            for (uint32_t k = 0; k < u->deps[pkg][r]; k++)
                if (u->dep[pkg][r][k].pkg == dep->pkg && u->mask[pkg][r][k] == u->mask[pkg][rank][i])
                    same |= 1u << r;
        dep->same = set_from(&u->a, same);
    }
}

static void make_versions(struct universe *u, bool planned, uint64_t *seed)
{
    for (uint32_t p = 1; p < u->packages; p++) {
        u->versions[p] = random_next(seed) % 12 == 0 && !planned ? 0 : 1 + random_next(seed) % u->most_versions;
        if (planned)
            u->plan[p] = random_next(seed) % u->versions[p];
        for (uint32_t r = 0; r < u->versions[p]; r++) {
            u->unusable[p][r] = random_next(seed) % 10 == 0 && !is_planned(u, p, r);
            u->hidden[p][r] = random_next(seed) % 12 == 0 && !is_planned(u, p, r);
        }
    }
}

static void make_universe(struct universe *u, uint64_t seed, bool planned)
{
    memset(u, 0, sizeof *u);
    u->packages = planned ? PACKAGES : 3 + random_next(&seed) % (FEW_PACKAGES - 2);
    u->most_versions = planned ? VERSIONS : FEW_VERSIONS;
    u->seed = seed;
    u->patience = 8;
    u->versions[0] = 1;
    u->lowest = random_next(&seed) % 2;
    for (uint32_t p = 0; p < u->packages; p++) {
        u->proxy_of[p] = PKG_NONE;
        u->constraint[p] = UINT32_MAX;
        u->plan[p] = p == 0 && planned ? 0 : RANK_NONE;
    }
    make_versions(u, planned, &seed);
    make_proxies(u, &seed);
    for (uint32_t p = 1; p < u->packages; p++) {
        if (random_next(&seed) % 5 == 0) {
            u->constraint[p] = random_mask(u, p, planned, &seed);
            u->limit[p] = (struct solve_dep){ .allowed = set_from(&u->a, u->constraint[p]), .text = STR("limit") };
        }
    }
    for (uint32_t p = 0; p < u->packages; p++)
        for (uint32_t r = 0; r < u->versions[p]; r++)
            make_deps(u, p, r, &seed);
    u->tells_same = random_next(&seed) % 2;
    for (uint32_t p = 1; u->tells_same && p < u->packages; p++)
        for (uint32_t r = 0; r < u->versions[p]; r++)
            find_same(u, p, r);
}

/* Is choosing at[p] (RANK_NONE: not at all) for every package allowed? */
static bool is_valid(const struct universe *u, const uint32_t *at)
{
    for (uint32_t p = 0; p < u->packages; p++) {
        uint32_t r = at[p];

        if (r == RANK_NONE)
            continue;
        if (u->unusable[p][r] || u->hidden[p][r] || (u->constraint[p] >> r & 1) == 0)
            return false;
        if (u->proxy_of[p] != PKG_NONE && at[u->proxy_of[p]] != r)
            return false;
        for (uint32_t i = 0; i < u->deps[p][r]; i++) {
            uint32_t on = at[u->dep[p][r][i].pkg];

            if (on == RANK_NONE || (u->mask[p][r][i] >> on & 1) == 0)
                return false;
        }
    }
    return at[0] == 0;
}

static bool has_solution(const struct universe *u)
{
    uint32_t at[PACKAGES] = { 0 };

    for (uint32_t p = 1; p < u->packages; p++)
        at[p] = RANK_NONE;
    for (;;) {
        uint32_t p = 1;

        if (is_valid(u, at))
            return true;
        while (p < u->packages && (u->versions[p] == 0 || at[p] == u->versions[p] - 1))
            at[p++] = RANK_NONE;
        if (p == u->packages)
            return false;
        at[p]++; /* RANK_NONE + 1 is rank 0 */
    }
}

/* Chosen packages that the root's requirements do not lead to. */
static uint32_t count_idle(const struct universe *u, const uint32_t *at)
{
    bool needed[PACKAGES] = { true };
    uint32_t idle = 0;

    for (uint32_t round = 0; round < u->packages; round++)
        for (uint32_t p = 0; p < u->packages; p++) {
            if (!needed[p] || at[p] == RANK_NONE)
                continue;
            if (u->proxy_of[p] != PKG_NONE)
                needed[u->proxy_of[p]] = true;
            for (uint32_t i = 0; i < u->deps[p][at[p]]; i++)
                needed[u->dep[p][at[p]][i].pkg] = true;
        }
    for (uint32_t p = 0; p < u->packages; p++)
        idle += at[p] != RANK_NONE && !needed[p];
    return idle;
}

static enum solve_state run(struct universe *u, uint32_t *at, uint32_t *waited)
{
    struct solve *s = solver_for(u);
    enum solve_state state;

    *waited = 0;
    while ((state = solve_step(s)) == SOLVE_WANTS)
        ++*waited;
    for (uint32_t p = 0; p < u->packages; p++)
        at[p] = solve_decision(s, p);
    assert_int_equal(solve_step(s), state);
    solve_free(s);
    return state;
}

#define CHECK(condition)                                                                                               \
    do {                                                                                                               \
        if (!(condition))                                                                                              \
            fail_msg("seed %llu: %s", (unsigned long long)seed, #condition);                                           \
    } while (0)

static void agrees_with_trying_everything(void **state)
{
    uint32_t solved = 0, rounds = 8000;

    (void)state;
    for (uint64_t seed = 1; seed <= rounds; seed++) {
        uint32_t at[PACKAGES], again[PACKAGES], waited;

        make_universe(&big, seed, false);

        enum solve_state end = run(&big, at, &waited);

        CHECK(waited == 0);
        CHECK((end == SOLVE_DONE) == has_solution(&big));
        if (end == SOLVE_DONE) {
            CHECK(is_valid(&big, at));
            CHECK(count_idle(&big, at) == 0);
            solved++;
        }
        big.patience = 1 + (uint32_t)seed % 6;
        CHECK(run(&big, again, &waited) == end);
        CHECK(memcmp(at, again, big.packages * sizeof *at) == 0 || end == SOLVE_FAILED);
        arena_clear(&big.a);
    }
    assert_true(solved > rounds / 10 && solved < rounds - rounds / 10); /* both outcomes are really tested */
}

/* Larger ones that have a solution by construction: going back, forgetting and re-ordering all happen. */
static void finds_the_solution_that_was_hidden(void **state)
{
    uint32_t backtracks = 0, reorders = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        uint32_t at[PACKAGES], again[PACKAGES], waited;

        make_universe(&big, seed, true);

        struct solve *s = solver_for(&big);

        CHECK(is_valid(&big, big.plan));
        CHECK(solve_step(s) == SOLVE_DONE);
        for (uint32_t p = 0; p < big.packages; p++)
            at[p] = solve_decision(s, p);
        backtracks += solve_stats(s).backtracks;
        reorders += solve_stats(s).reorders;
        solve_free(s);
        CHECK(is_valid(&big, at));
        CHECK(count_idle(&big, at) == 0);
        big.patience = 4;
        CHECK(run(&big, again, &waited) == SOLVE_DONE);
        CHECK(memcmp(at, again, big.packages * sizeof *at) == 0);
        arena_clear(&big.a);
    }
    print_message("%u backtracks, %u reorders\n", backtracks, reorders);
    assert_true(backtracks > 1000 && reorders > 100);
}

/* What is shown to whoever fetches ahead: needed, undecided, never empty, inside of what the root leaves for good. */
static uint32_t check_open(const struct solve *s, uint64_t seed, uint64_t *stamp, struct set *seen)
{
    struct solve_open open;
    uint32_t at = 0, n = 0;

    while (solve_open_next(s, &at, &open)) {
        CHECK(open.pkg != PKG_ROOT && solve_decision(s, open.pkg) == RANK_NONE);
        CHECK(!set_is_empty(&open.allowed) && set_subset(&open.allowed, &open.lasting));
        CHECK(open.tried == solve_tried(s, open.pkg));
        CHECK(open.stamp != stamp[open.pkg] || set_equal(&open.allowed, &seen[open.pkg]));
        stamp[open.pkg] = open.stamp;
        seen[open.pkg] = open.allowed;
        n++;
    }
    return n;
}

static void shows_what_will_be_wanted(void **state)
{
    uint32_t shown = 0;

    (void)state;
    for (uint64_t seed = 1; seed <= 300; seed++) {
        uint64_t stamp[PACKAGES] = { 0 };
        struct set seen[PACKAGES] = { { 0 } };

        make_universe(&big, seed, true);
        big.patience = 4;

        struct solve *s = solver_for(&big);

        while (solve_step(s) == SOLVE_WANTS)
            shown += check_open(s, seed, stamp, seen);
        CHECK(check_open(s, seed, stamp, seen) == 0); /* all is decided */
        CHECK(solve_packages(s) <= big.packages);
        solve_free(s);
        arena_clear(&big.a);
    }
    assert_true(shown > 300);
}

/* Relaxing nothing but requirements that are said not to matter never helps. */
static void names_the_requirements_that_take_part(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 3000; seed++) {
        uint32_t index[DEPS], n, lines;

        make_universe(&big, seed * 7919, false);

        struct solve *s = solver_for(&big);

        if (solve_step(s) == SOLVE_FAILED) {
            AUTO_ARENA a = { 0 };
            struct explain x = explain_new(s, &a);
            struct str text = explain_text(&x, EXPLAIN_LINES, &a), full = explain_full(s, &a);

            CHECK(x.n > 0 && text.n > 0 && full.n > 0);
            CHECK(x.fact[0].cause == EXPLAIN_REQUIREMENT);
            for (size_t i = lines = 0; i < text.n; i++)
                lines += text.p[i] == '\n';
            CHECK(lines < EXPLAIN_LINES);
            n = solve_culprits(s, index, DEPS);
            CHECK(n >= 1 && n <= big.deps[0][0]);
            for (uint32_t i = 0; i < n; i++) {
                CHECK(i == 0 || index[i - 1] < index[i]);
                big.dep[0][0][i] = big.dep[0][0][index[i]];
                big.mask[0][0][i] = big.mask[0][0][index[i]];
            }
            big.deps[0][0] = n;
            CHECK(!has_solution(&big));
        }
        solve_free(s);
        arena_clear(&big.a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_trying_everything),
        cmocka_unit_test(finds_the_solution_that_was_hidden),
        cmocka_unit_test(shows_what_will_be_wanted),
        cmocka_unit_test(names_the_requirements_that_take_part),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
