#include "sync/policy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "pep/spec.h"
#include "pep/version.h"
#include "base/err.h"

static void an_update_goes_as_far_as_the_policy_says(void **state)
{
    static const struct {
        const char *from, *to;
        bool minor, patch;
    } cases[] = {
        { "1.2.3", "1.2.4", true, true },   { "1.2.3", "1.3.0", true, false },  { "1.2.3", "2.0", false, false },
        { "0.9", "0.10", true, false },     { "1.2", "1.2.0.post1", true, true }, { "1.2", "1!1.2", false, false },
        { "2024.1", "2024.2", true, false }, { "1", "1.0.1", true, true },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct version from, to;

        assert_true(version_parse(str_of(cases[i].from), &a, &from) && version_parse(str_of(cases[i].to), &a, &to));
        if (!policy_allows(CONFIG_VERSIONS_LATEST, &from, &to) || policy_allows(CONFIG_VERSIONS_LOCKED, &from, &to) ||
            policy_allows(CONFIG_VERSIONS_MINOR, &from, &to) != cases[i].minor ||
            policy_allows(CONFIG_VERSIONS_PATCH, &from, &to) != cases[i].patch)
            fail_msg("%s -> %s", cases[i].from, cases[i].to);
    }
}

/* The requirement that bounds the resolve lets the same versions through that policy_allows() does. */
static void a_bound_says_the_same_as_the_policy(void **state)
{
    static const char *const versions[] = { "1.2.3", "1.2.4", "1.3", "2.0a1", "2.0", "1!1.2.3", "1!2.0", "0.9" };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (enum config_versions p = CONFIG_VERSIONS_MINOR; p <= CONFIG_VERSIONS_LOCKED; p++) {
        for (size_t i = 0; i < COUNT(versions); i++) {
            for (size_t k = 0; k < COUNT(versions); k++) {
                struct version from, to;
                struct spec spec;
                struct err e = { 0 };

                assert_true(version_parse(str_of(versions[i]), &a, &from));
                assert_true(version_parse(str_of(versions[k]), &a, &to));
                struct str text = policy_bound(p, STR("x"), &from, &a);

                assert_true(spec_parse(str_sub(text, 1, text.n), &a, &spec, &e));
                bool bounded = spec_contains(&spec, &to, SPEC_PRE_ALLOW);

                if (version_cmp(&to, &from) >= 0 && bounded != policy_allows(p, &from, &to))
                    fail_msg("%s: " STR_FMT " and %s -> %s", policy_word(p), STR_ARG(text), versions[i], versions[k]);
            }
        }
    }
    assert_int_equal(policy_bound(CONFIG_VERSIONS_LATEST, STR("x"), NULL, &a).n, 0);
}

static void the_environment_stays_or_goes_by_the_word(void **state)
{
    static const struct {
        enum config_env_layer layer;
        bool fits, command;
        enum policy_env want;
    } cases[] = {
        { CONFIG_ENV_STRICT, true, false, POLICY_ENV_REMAKE },  { CONFIG_ENV_STRICT, false, false, POLICY_ENV_REMAKE },
        { CONFIG_ENV_RELAXED, true, false, POLICY_ENV_KEEP },   { CONFIG_ENV_RELAXED, false, false, POLICY_ENV_REMAKE },
        { CONFIG_ENV_RELAXED, true, true, POLICY_ENV_REMAKE },  { CONFIG_ENV_MANUAL, true, false, POLICY_ENV_KEEP },
        { CONFIG_ENV_MANUAL, false, false, POLICY_ENV_ASK },    { CONFIG_ENV_MANUAL, false, true, POLICY_ENV_REMAKE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (policy_env(cases[i].layer, cases[i].fits, cases[i].command) != cases[i].want)
            fail_msg("case %zu", i);
}

static void nothing_happens_in_the_background_when_the_settings_say_so(void **state)
{
    struct config c = { .sync_pkg_layer = CONFIG_PKG_AUTOMATIC, .pkg_layer_auto_sync = true };

    (void)state;
    assert_int_equal(policy_background(&c).n, 0);
    c.sync_pkg_layer = CONFIG_PKG_LOCKED; /* a lock that fits is installed */
    assert_int_equal(policy_background(&c).n, 0);
    c.sync_pkg_layer = CONFIG_PKG_MANUAL;
    assert_non_null(strstr(policy_background(&c).p, "pkg_layer is manual"));
    c = (struct config){ .sync_pkg_layer = CONFIG_PKG_AUTOMATIC };
    assert_non_null(strstr(policy_background(&c).p, "auto_sync is false"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_update_goes_as_far_as_the_policy_says),
        cmocka_unit_test(a_bound_says_the_same_as_the_policy),
        cmocka_unit_test(the_environment_stays_or_goes_by_the_word),
        cmocka_unit_test(nothing_happens_in_the_background_when_the_settings_say_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
