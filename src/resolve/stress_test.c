/* Universes of the size and shape that made other resolvers slow. Bounds are on work done, not on time. */
#include "resolve/solve.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/mem.h"
#include "resolve/explain.h"

#define MOST_PACKAGES 2048

/* Dependencies are computed from the numbers when they are asked for. */
struct shape {
    struct arena a;
    uint32_t packages;
    uint32_t versions[MOST_PACKAGES];
    uint32_t proxy_of[MOST_PACKAGES];
    void (*deps)(struct shape *s, uint32_t pkg, uint32_t rank);
    struct solve_dep dep[MOST_PACKAGES];
    size_t n;
    uint64_t seed;
};

static uint32_t random_next(uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*state >> 33);
}

static void need(struct shape *s, uint32_t pkg, uint32_t lo, uint32_t hi)
{
    s->dep[s->n++] = (struct solve_dep){
        .pkg = pkg,
        .allowed = set_span(lo, MIN(hi, s->versions[pkg])),
        .pins = MIN(hi, s->versions[pkg]) == lo + 1,
        .text = arena_printf(&s->a, "p%u>=%u,<%u", pkg, lo, hi),
    };
}

static void tell_package(void *ctx, uint32_t pkg, struct solve_package *out)
{
    struct shape *s = ctx;

    *out = (struct solve_package){
        .name = arena_printf(&s->a, "p%u", pkg),
        .versions = s->versions[pkg],
        .proxy_of = s->proxy_of[pkg],
    };
}

static enum solve_answer choose_newest(void *ctx, uint32_t pkg, const struct set *allowed, struct solve_choice *out)
{
    (void)ctx;
    (void)pkg;
    out->rank = set_max(allowed);
    return SOLVE_HAVE;
}

static enum solve_answer tell_deps(void *ctx, uint32_t pkg, uint32_t rank, struct solve_deps *out)
{
    struct shape *s = ctx;
    struct solve_dep *copy;

    s->n = 0;
    s->deps(s, pkg, rank);
    copy = ARENA_ARRAY(&s->a, struct solve_dep, s->n);
    if (s->n > 0)
        memcpy(copy, s->dep, s->n * sizeof *copy);
    *out = (struct solve_deps){ .dep = copy, .n = s->n };
    return SOLVE_HAVE;
}

static struct str tell_text(void *ctx, uint32_t pkg, uint32_t rank)
{
    struct shape *s = ctx;

    (void)pkg;
    return arena_printf(&s->a, "%u.0", rank);
}

static struct shape *shape_new(uint32_t packages, uint32_t versions)
{
    struct shape *s = mem_zero(1, sizeof *s);

    s->packages = packages;
    for (uint32_t p = 0; p < packages; p++) {
        s->versions[p] = p == PKG_ROOT ? 1 : versions;
        s->proxy_of[p] = PKG_NONE;
    }
    return s;
}

static struct solve *solver_for(struct shape *s)
{
    struct solve_source source = { s, tell_package, choose_newest, tell_deps, tell_text };

    return solve_new(&source);
}

static struct solve_stats figures(const struct solve *solver, const char *name)
{
    struct solve_stats st = solve_stats(solver);

    print_message("%s: %u decisions, %u rejections, %u conflicts, %u backtracks, %u reorders, %u facts\n", name,
                  st.decisions, st.rejections, st.conflicts, st.backtracks, st.reorders, st.facts);
    return st;
}

static void finish(struct shape *s, struct solve *solver)
{
    solve_free(solver);
    arena_clear(&s->a);
    free(s);
}

/* boto3 (1) needs its very series of botocore (2), which limits urllib3 (3) in all but the first series, while the
 * root wants a newer urllib3: every version of both has to be looked at. */
#define BOTO 1500
#define OLD 5

static void boto_deps(struct shape *s, uint32_t pkg, uint32_t rank)
{
    if (pkg == PKG_ROOT) {
        need(s, 1, 0, BOTO);
        need(s, 3, 60, 100);
        need(s, 5, 0, BOTO);
    } else if (pkg == 1) {
        need(s, 2, rank, rank + 1);
        need(s, 4, rank / 100, UINT32_MAX);
    } else if (pkg == 2) {
        need(s, 3, 10, rank < OLD ? 100 : 50);
    } else if (pkg == 4) {
        need(s, 2, rank * 100, BOTO);
    }
}

static void goes_back_over_thousands_of_versions(void **state)
{
    struct shape *s = shape_new(6, BOTO);
    struct solve *solver;
    struct solve_stats st;
    enum solve_state end;

    (void)state;
    s->versions[3] = 100;
    s->versions[4] = BOTO / 100;
    s->deps = boto_deps;
    solver = solver_for(s);
    end = solve_step(solver);
    st = figures(solver, "boto");
    assert_int_equal(end, SOLVE_DONE);
    assert_int_equal(solve_decision(solver, 1), OLD - 1);
    assert_int_equal(solve_decision(solver, 2), OLD - 1);
    assert_true(st.decisions + st.rejections <= 3 * BOTO + 16);
    assert_true(st.backtracks <= 2 * BOTO);
    finish(s, solver);
}

/* The same, but the old series are gone: the failure must be found and told in few lines. */
static void boto_dead_end(struct shape *s, uint32_t pkg, uint32_t rank)
{
    boto_deps(s, pkg, pkg == 2 && rank < OLD ? OLD : rank);
}

static void explains_a_failure_of_thousands_of_versions(void **state)
{
    struct shape *s = shape_new(6, BOTO);
    struct solve *solver;
    AUTO_ARENA a = { 0 };
    size_t lines = 1;

    (void)state;
    s->versions[3] = 100;
    s->versions[4] = BOTO / 100;
    s->deps = boto_dead_end;
    solver = solver_for(s);
    assert_int_equal(solve_step(solver), SOLVE_FAILED);
    (void)figures(solver, "boto, dead end");

    struct explain x = explain_new(solver, &a);
    struct str text = explain_text(&x, EXPLAIN_LINES, &a), full = explain_full(solver, &a);

    for (size_t i = 0; i < text.n; i++)
        lines += text.p[i] == '\n';
    assert_true(lines <= EXPLAIN_LINES);
    assert_true(str_search(text, STR("every version of p2 depends on p3")) < text.n);
    assert_true(full.n > text.n);
    finish(s, solver);
}

/* A large application with all its extras: hundreds of packages over a common ground, each version with its own
 * bounds on some of the others, no bound that excludes the newest but for a few. */
#define AIRFLOW 1400
#define GROUND 200

static void airflow_deps(struct shape *s, uint32_t pkg, uint32_t rank)
{
    uint64_t seed = (uint64_t)pkg << 20 | (pkg == PKG_ROOT ? 0 : rank);

    if (pkg == PKG_ROOT) {
        for (uint32_t p = GROUND; p < AIRFLOW; p += 2)
            need(s, p, 0, UINT32_MAX);
        return;
    }
    if (pkg >= AIRFLOW) {
        need(s, 1 + pkg % (GROUND - 1), 0, UINT32_MAX);
        return;
    }
    for (uint32_t i = 0; i < 8; i++) {
        uint32_t on = 1 + random_next(&seed) % (GROUND - 1);
        bool capped = random_next(&seed) % 200 == 0;

        if (pkg < GROUND && on <= pkg)
            continue; /* no rings */
        need(s, on, random_next(&seed) % 20, capped ? 38 : UINT32_MAX);
    }
    if (random_next(&seed) % 4 == 0)
        need(s, AIRFLOW + random_next(&seed) % GROUND, 0, UINT32_MAX);
}

static void solves_a_large_application_with_all_its_extras(void **state)
{
    struct shape *s = shape_new(AIRFLOW + GROUND, 40);
    struct solve *solver;
    struct solve_stats st;
    enum solve_state end;
    uint32_t chosen = 0;

    (void)state;
    for (uint32_t p = AIRFLOW; p < s->packages; p++)
        s->proxy_of[p] = 1 + (p - AIRFLOW) % (GROUND - 1);
    s->deps = airflow_deps;
    solver = solver_for(s);
    end = solve_step(solver);
    st = figures(solver, "airflow");
    assert_int_equal(end, SOLVE_DONE);
    for (uint32_t p = 1; p < s->packages; p++)
        chosen += solve_decision(solver, p) != RANK_NONE;
    assert_true(chosen >= 700);
    assert_true(st.decisions + st.rejections <= 4 * chosen);
    finish(s, solver);
}

/* Two packages in lock step, limited from elsewhere, among many that have nothing to do with it: what was decided
 * between is not to be tried again for every version. */
static void crowd_deps(struct shape *s, uint32_t pkg, uint32_t rank)
{
    if (pkg == PKG_ROOT) {
        need(s, 1, 0, UINT32_MAX);
        for (uint32_t p = 10; p < 400; p++)
            need(s, p, 0, UINT32_MAX);
        need(s, 2, 0, UINT32_MAX);
    } else if (pkg == 1) {
        need(s, 3, rank, UINT32_MAX);
    } else if (pkg == 2) {
        need(s, 3, 0, rank % 7 == 0 ? 20 : 10);
    }
}

static void leaves_bystanders_alone(void **state)
{
    struct shape *s = shape_new(400, 200);
    struct solve *solver;
    struct solve_stats st;
    enum solve_state end;

    (void)state;
    s->deps = crowd_deps;
    solver = solver_for(s);
    end = solve_step(solver);
    st = figures(solver, "crowd");
    assert_int_equal(end, SOLVE_DONE);
    assert_int_equal(solve_decision(solver, 1), 9);
    assert_true(st.decisions + st.rejections <= 4000);
    assert_true(st.reorders > 0);
    finish(s, solver);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(goes_back_over_thousands_of_versions),
        cmocka_unit_test(explains_a_failure_of_thousands_of_versions),
        cmocka_unit_test(solves_a_large_application_with_all_its_extras),
        cmocka_unit_test(leaves_bystanders_alone),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
