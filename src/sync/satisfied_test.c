#include "sync/satisfied.h"

#include "env/env.h"
#include "lock/lock.h"
#include "sync/inputs.h"
#include "sync/test_project.h"

#define SITE "e/lib/python3.12/site-packages"

/* A plain environment at e/, as `python -m venv` makes it, and its packages. */
static void install(struct test_project *p, const char *name, const char *version, const char *requires)
{
    const char *folder = arena_printf(&p->a, SITE "/%s-%s.dist-info", name, version).p;

    test_write(p->t, arena_printf(&p->a, "%s/METADATA", folder).p,
               arena_printf(&p->a, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s", name, version, requires).p);
    test_write(p->t, arena_printf(&p->a, "%s/RECORD", folder).p, "");
}

struct place {
    struct workspace *w;
    struct env env;
    struct env_packages have;
};

static void open_place(struct test_project *p, struct place *at)
{
    struct err e = { 0 };

    test_write(p->t, "e/pyvenv.cfg", "home = /nowhere\nversion = 3.12.4\n");
    test_write(p->t, "e/bin/python", "");
    p->r.env = arena_printf(&p->a, "%s/e", p->t->path);
    at->w = test_open(p);
    if (!env_open(at->w->env_path, NULL, &at->env, &e) || !env_installed(&at->env, &p->a, &at->have, &e))
        fail_msg("%s", e.text);
}

static void installed_packages_meet_requirements_or_not(void **state)
{
    static const struct {
        const char *package;
        bool want;
    } cases[] = {
        { "demo", true },           { "demo>=1", true },      { "demo>=2", false },
        { "Demo==1.*", true },      { "absent", false },      { "absent; python_version<'3'", true },
        { "demo[web]", false },     { "demo[json]", true },   { "broken", false },
        { "demo @ https://x.example/demo-1.0.zip", false },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_project p;
        struct place at;
        struct inputs in;
        struct err e = { 0 };
        const char *words[] = { cases[i].package, NULL };

        test_init(&p, state);
        install(&p, "demo", "1.0", "Requires-Dist: dep>=1\nRequires-Dist: absent; extra == 'web'\n"
                                   "Requires-Dist: dep>=1.5; extra == 'json'\n"
                                   "Requires-Dist: old; python_version<'3'\n");
        install(&p, "dep", "1.5", "");
        install(&p, "broken", "1.0", "Requires-Dist: dep>=2\n");
        p.r.package = test_list(&p.a, words);
        open_place(&p, &at);
        if (!inputs_gather(at.w, &in, &e))
            fail_msg("%s: %s", cases[i].package, e.text);
        if (satisfied(at.w, &at.env, &at.have, &in) != cases[i].want)
            fail_msg("'%s' should%s be satisfied", cases[i].package, cases[i].want ? "" : " not");
        env_close(&at.env);
        test_close(&p);
    }
}

static void an_upgrade_or_required_hashes_are_never_satisfied(void **state)
{
    struct test_project p;
    struct place at;
    struct inputs in;
    struct err e = { 0 };
    const char *words[] = { "dep", NULL };

    test_init(&p, state);
    install(&p, "dep", "1.5", "");
    p.r.package = test_list(&p.a, words);
    open_place(&p, &at);
    assert_true(inputs_gather(at.w, &in, &e));
    assert_true(satisfied(at.w, &at.env, &at.have, &in));
    p.r.upgrade = true;
    assert_false(satisfied(at.w, &at.env, &at.have, &in));
    p.r.upgrade = false;
    in.require_hashes = true;
    assert_false(satisfied(at.w, &at.env, &at.have, &in));
    env_close(&at.env);
    test_close(&p);
}

static void exactly_means_these_and_no_others(void **state)
{
    static const struct {
        const char *name, *version;
        bool want;
    } cases[] = {
        { "dep", "1.5", true }, { "dep", "1.5.0", true }, { "dep", "1.6", false }, { "other", "1.5", false },
    };

    for (size_t i = 0; i < COUNT(cases) + 2; i++) {
        struct test_project p;
        struct place at;
        struct lock_package package = { .name = str_of(cases[i % COUNT(cases)].name),
                                        .version = str_of(cases[i % COUNT(cases)].version) };
        const struct lock_package *list[] = { &package };
        bool want = i < COUNT(cases) && cases[i].want;

        test_init(&p, state);
        install(&p, "dep", "1.5", "");
        if (i == COUNT(cases)) /* one more than the lock has */
            install(&p, "extra", "1", "");
        if (i == COUNT(cases) + 1) /* not from an index */
            test_write(p.t, SITE "/dep-1.5.dist-info/direct_url.json", "{}");
        open_place(&p, &at);
        if (satisfied_exactly(at.w, &at.env, &(struct lock_selection){ list, 1 }) != want)
            fail_msg("case %zu should%s be satisfied", i, want ? "" : " not");
        env_close(&at.env);
        test_close(&p);
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_dir_make, test_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(installed_packages_meet_requirements_or_not),
        TEST(an_upgrade_or_required_hashes_are_never_satisfied),
        TEST(exactly_means_these_and_no_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
