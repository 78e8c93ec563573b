#include "env/test_env.h"

#include "env/stamp.h"

static void site_path(struct env *env, const char *below, char out[300])
{
    (void)snprintf(out, 300, "%s/%s", env->site.p, below);
}

static struct stamp_changes compare(struct test_env *t, uint32_t seq)
{
    struct generation g = test_env_load(t, seq);
    struct stamp_changes c;
    struct err e = { 0 };

    if (!stamp_compare(&t->env, &g, &t->a, &c, &e))
        fail_msg("%s", e.text);
    return c;
}

static bool is_kept(struct test_env *t, uint32_t seq)
{
    struct generation g = test_env_load(t, seq);

    return stamp_is_kept(&t->env, &g);
}

static void an_untouched_tree_is_kept(void **state)
{
    struct test_env *t = *state;
    char path[300];
    uint32_t seq = test_env_publish(&t->env, "1.0");

    assert_true(is_kept(t, seq));
    assert_int_equal(compare(t, seq).n, 0);
    site_path(&t->env, "__pycache__/x.pyc", path);
    test_env_write(t->env.dir, path, "");
    site_path(&t->env, "demo/__pycache__/x.pyc", path);
    test_env_write(t->env.dir, path, "");
    assert_true(is_kept(t, seq));
}

static void every_kind_of_change_is_seen(void **state)
{
    struct test_env *t = *state;
    struct err e = { 0 };
    char path[300];
    uint32_t seq = test_env_publish(&t->env, "1.0");

    test_env_install(&t->env, t->env.dir, "other", "2.0", "other/__init__.py,,0\n");
    struct stamp_changes c = compare(t, seq);

    assert_false(is_kept(t, seq));
    assert_int_equal(c.n, 1);
    assert_int_equal(c.p[0].kind, STAMP_ADDED);
    assert_true(str_eq(c.p[0].name, STR("other")) && str_eq(c.p[0].to, STR("2.0")));
    site_path(&t->env, "demo-1.0.dist-info", path);
    assert_true(file_remove_tree(t->env.dir, path, &e));
    c = compare(t, seq);
    assert_int_equal(c.n, 2);
    assert_int_equal(c.p[1].kind, STAMP_REMOVED);
    assert_true(str_eq(c.p[1].name, STR("demo")) && str_eq(c.p[1].from, STR("1.0")));
    test_env_install(&t->env, t->env.dir, "demo", "3.0", "demo/__init__.py,,0\n");
    c = compare(t, seq);
    assert_int_equal(c.p[0].kind, STAMP_CHANGED);
    assert_true(str_eq(c.p[0].from, STR("1.0")) && str_eq(c.p[0].to, STR("3.0")));
}

static void the_same_version_installed_again_is_a_change(void **state)
{
    struct test_env *t = *state;
    uint32_t seq = test_env_publish(&t->env, "1.0");

    test_env_install(&t->env, t->env.dir, "demo", "1.0", "demo/__init__.py,,0\ndemo/more.py,,0\n");
    struct stamp_changes c = compare(t, seq);

    assert_false(is_kept(t, seq));
    assert_int_equal(c.n, 1);
    assert_int_equal(c.p[0].kind, STAMP_CHANGED);
    assert_true(str_eq(c.p[0].from, c.p[0].to));
}

static void files_of_no_package_are_named_also_beside_a_new_package(void **state)
{
    struct test_env *t = *state;
    char path[300];
    uint32_t seq = test_env_publish(&t->env, "1.0");

    site_path(&t->env, "mine.pth", path);
    test_env_write(t->env.dir, path, "");
    struct stamp_changes c = compare(t, seq);

    assert_int_equal(c.n, 1);
    assert_int_equal(c.p[0].kind, STAMP_FILE_ADDED);
    assert_true(str_eq(c.p[0].name, STR("mine.pth")));
    test_env_install(&t->env, t->env.dir, "other", "2.0", "other/__init__.py,,0\n");
    c = compare(t, seq);
    assert_int_equal(c.n, 2);
    assert_true(str_eq(c.p[0].name, STR("other")) && str_eq(c.p[1].name, STR("mine.pth")));
}

static void a_scratch_generation_takes_the_tree_and_the_old_one_is_not_hot(void **state)
{
    struct test_env *t = *state;
    struct err e = { 0 };
    uint32_t seq = test_env_publish(&t->env, "1.0");
    struct generation_package p[2] = {
        { .name = STR("demo"), .version = STR("1.0"), .sha256 = STR(TEST_SHA) },
        { .name = STR("other"), .version = STR("2.0"), .sha256 = STR("") },
    };
    struct generation g = { .kind = GENERATION_SCRATCH, .reason = { .command = STR("drift"), .actor = STR("pip") },
                            .packages = p, .n_packages = 2 };

    test_env_install(&t->env, t->env.dir, "other", "2.0", "other/__init__.py,,0\n");
    assert_true(generation_reuse(&t->env, t->env.tree, &g, false, &e));
    assert_int_equal(g.tree, seq);
    assert_true(is_kept(t, g.seq));
    assert_false(is_kept(t, seq));
    assert_int_equal(compare(t, g.seq).n, 0);
    assert_int_equal(compare(t, seq).n, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, test_env_set_up, test_env_tear_down)
        T(an_untouched_tree_is_kept),
        T(every_kind_of_change_is_seen),
        T(the_same_version_installed_again_is_a_change),
        T(files_of_no_package_are_named_also_beside_a_new_package),
        T(a_scratch_generation_takes_the_tree_and_the_old_one_is_not_hot),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
