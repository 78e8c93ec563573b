#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "install/plan.h"

static struct plan_package package(const char *name, const char *version, const char *sha256, const char *url)
{
    return (struct plan_package){ str_of(name), str_of(version), str_of(sha256), str_of(url), false };
}

/* One letter a step: Keep, Add, Remove, Update (replace), by name. */
static void decides_by_digest_then_version_and_origin(void **state)
{
    const struct {
        struct plan_package have[2], want[2];
        size_t n_have, n_want;
        bool keep_others;
        const char *steps;
    } cases[] = {
        { .want = { package("a", "1", "x", "") }, .n_want = 1, .steps = "A" },
        { .have = { package("a", "1", "x", "") }, .n_have = 1, .steps = "R" },
        { .have = { package("a", "1", "x", "") }, .n_have = 1, .keep_others = true, .steps = "K" },
        { .have = { package("a", "1", "x", "") }, .want = { package("a", "1", "x", "") }, .n_have = 1, .n_want = 1,
          .steps = "K" },
        /* another file of the same version */
        { .have = { package("a", "1", "x", "") }, .want = { package("a", "1", "y", "") }, .n_have = 1, .n_want = 1,
          .steps = "U" },
        /* installed by another tool: no digest is known */
        { .have = { package("a", "1", "", "") }, .want = { package("a", "1", "y", "") }, .n_have = 1, .n_want = 1,
          .steps = "K" },
        { .have = { package("a", "2", "", "") }, .want = { package("a", "1", "y", "") }, .n_have = 1, .n_want = 1,
          .steps = "U" },
        { .have = { package("a", "1", "", "u") }, .want = { package("a", "1", "y", "") }, .n_have = 1, .n_want = 1,
          .steps = "U" },
        { .have = { package("b", "1", "x", ""), package("a", "1", "z", "") }, .want = { package("c", "1", "x", "") },
          .n_have = 2, .n_want = 1, .steps = "RRA" },
        /* two dist-infos of one name: the second goes */
        { .have = { package("a", "1", "", ""), package("a", "2", "", "") }, .want = { package("a", "1", "y", "") },
          .n_have = 2, .n_want = 1, .steps = "KR" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct plan_side have = { cases[i].have, cases[i].n_have }, want = { cases[i].want, cases[i].n_want };
        AUTO_ARENA a = { 0 };
        char steps[8] = "";
        struct plan p;

        arena_init(&a);
        plan_make(&have, &want, cases[i].keep_others, &a, &p);
        for (size_t k = 0; k < p.n; k++)
            steps[k] = "KARU"[p.steps[k].kind];
        if (strcmp(steps, cases[i].steps) != 0)
            fail_msg("case %zu: '%s', not '%s'", i, steps, cases[i].steps);
        assert_int_equal(p.keep + p.add + p.remove + p.replace, p.n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(decides_by_digest_then_version_and_origin) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
