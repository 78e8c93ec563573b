#include "sync/lockfile.h"

#include "index/test_wheel.h"
#include "sync/inputs.h"
#include "sync/test_project.h"

#define PROJECT(dependencies) "[project]\nname = 'p'\nversion = '1'\ndependencies = [" dependencies "]\n"

struct world {
    struct test_project p;
    struct inputs in;
    struct pkg_net net;
    struct timings timings;
    struct lockfile l;
};

static void put_wheel(struct test_dir *t, struct arena *a, const char *name, const char *version, const char *requires)
{
    struct test_member m = {
        arena_printf(a, "%s-%s.dist-info/METADATA", name, version).p,
        arena_printf(a, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n%s", name, version, requires).p,
    };
    AUTO_FD dir = -1;
    struct err e = { 0 };

    assert_true(file_make_dirs(t->fd, "links", 0777, &e) && fd_open_dir(t->fd, "links", &dir, &e));
    assert_true(file_replace(dir, arena_printf(a, "%s-%s-py3-none-any.whl", name, version).p, test_archive(a, &m, 1),
                             0666, FILE_NO_SYNC, &e));
}

/* Two versions each of app and lib; app needs lib. The request may be changed before make(). */
static void init(struct world *x, void **state, const char *pyproject)
{
    static const char *const versions[] = { "1.0", "2.0" };
    static struct str link;

    *x = (struct world){ 0 };
    test_init(&x->p, state);
    for (size_t i = 0; i < COUNT(versions); i++) {
        put_wheel(x->p.t, &x->p.a, "app", versions[i], "Requires-Dist: lib\n");
        put_wheel(x->p.t, &x->p.a, "lib", versions[i], "");
    }
    test_write(x->p.t, "p/pyproject.toml", pyproject);
    link = arena_printf(&x->p.a, "%s/links", x->p.t->path);
    x->p.r.find_links = (struct str_list){ &link, 1 };
    x->p.r.no_index = x->p.r.offline = true;
}

static bool make(struct world *x, const char *path, struct err *e)
{
    struct workspace *w = test_open(&x->p);
    struct pkg_job job = { w, &x->in, &x->net, NULL, &x->timings };

    pkg_net_init(&x->net, w);
    if (!inputs_gather(w, &x->in, e))
        fail_msg("%s", e->text);
    return lockfile_make(&job, path ? arena_printf(&x->p.a, "%s/p/%s", x->p.t->path, path).p : NULL, &x->l, e);
}

static void clear(struct world *x)
{
    pkg_net_close(&x->net);
    test_close(&x->p);
}

static void must_make(struct world *x, const char *path)
{
    struct err e = { 0 };

    if (!make(x, path, &e))
        fail_msg("%s", e.text);
}

static void write_lock(struct world *x)
{
    struct err e = { 0 };

    if (!lockfile_write(&x->l, &e))
        fail_msg("%s", e.text);
}

static void is_locked(struct world *x, const char *name, const char *version)
{
    struct err e = { 0 };

    if (!lockfile_load(&x->p.w, &x->l, &e))
        fail_msg("%s", e.text);
    const struct lock_package *p = lock_find(&x->l.lock, str_of(name));

    if (version ? !p || !str_eq(p->version, str_of(version)) : p != NULL)
        fail_msg("%s: '" STR_FMT "', want '%s'", name, STR_ARG(p ? p->version : STR("")), version ? version : "none");
}

/* A project locked at the versions in `pins`, without anything else. */
static void lock_first(void **state, const char *pyproject)
{
    struct world x;

    init(&x, state, pyproject);
    must_make(&x, NULL);
    assert_true(x.l.changed && !x.l.fresh && x.l.loaded);
    assert_null(x.l.old_text.p);
    write_lock(&x);
    clear(&x);
}

static void a_lock_that_fits_is_not_made_again(void **state)
{
    struct world x;

    lock_first(state, PROJECT("'app'"));
    init(&x, state, "# moved\n" PROJECT("'app'"));
    must_make(&x, NULL);
    assert_true(x.l.fresh && !x.l.changed);
    is_locked(&x, "app", "2.0");
    is_locked(&x, "lib", "2.0");
    clear(&x);
}

static void pins_stay_where_they_fit(void **state)
{
    struct world x;

    lock_first(state, PROJECT("'app==1.0', 'lib==1.0'"));
    init(&x, state, PROJECT("'app>=2'"));
    must_make(&x, NULL);
    assert_true(x.l.changed && !x.l.fresh);
    is_locked(&x, "app", "2.0");
    is_locked(&x, "lib", "1.0");
    clear(&x);
}

static void upgrade_forgets_all_pins_or_the_named(void **state)
{
    static const char *const only_lib[] = { "Lib", NULL };
    struct world x;

    lock_first(state, PROJECT("'app<2', 'lib<2'"));
    init(&x, state, PROJECT("'app', 'lib'"));
    x.p.r.upgrade_only = test_list(&x.p.a, only_lib);
    must_make(&x, NULL);
    is_locked(&x, "app", "1.0");
    is_locked(&x, "lib", "2.0");
    clear(&x);
    init(&x, state, PROJECT("'app', 'lib'"));
    x.p.r.upgrade = true;
    must_make(&x, NULL);
    is_locked(&x, "app", "2.0");
    is_locked(&x, "lib", "2.0");
    clear(&x);
}

static void frozen_takes_a_fitting_lock_and_no_other(void **state)
{
    struct world x;
    struct err e = { 0 };

    init(&x, state, PROJECT("'app'"));
    x.p.r.frozen = true;
    assert_false(make(&x, NULL, &e));
    assert_int_equal(e.kind, ERR_RESOLUTION);
    assert_non_null(strstr(e.text, "--frozen: there is no lock at '"));
    assert_non_null(strstr(e.hint, "run blast lock"));
    clear(&x);
    lock_first(state, PROJECT("'app'"));
    init(&x, state, PROJECT("'app'"));
    x.p.r.frozen = true;
    must_make(&x, NULL);
    assert_true(x.l.fresh);
    clear(&x);
    init(&x, state, PROJECT("'app', 'lib'"));
    x.p.r.frozen = true;
    err_clear(&e);
    assert_false(make(&x, NULL, &e));
    assert_non_null(strstr(e.text, "pylock.toml' does not fit the inputs any more"));
    clear(&x);
}

static void keeps_the_versions_of_other_tools_locks(void **state)
{
    static const char *const names[] = { "uv.lock", "poetry.lock", "pdm.lock" };

    for (size_t i = 0; i < COUNT(names); i++) {
        struct world x;
        struct err e = { 0 };

        init(&x, state, PROJECT("'app'"));
        test_write(x.p.t, arena_printf(&x.p.a, "p/%s", names[i]).p,
                   "version = 1\n[[package]]\nname = 'Lib'\nversion = '1.0'\n[[package]]\nname = 'p'\nsource = {}\n"
                   "[[package]]\nname = 'app'\nversion = '9'\n");
        must_make(&x, NULL);
        is_locked(&x, "app", "2.0");
        is_locked(&x, "lib", "1.0");
        assert_int_equal(x.p.w.warnings.n, 1);
        assert_true(str_eq(x.p.w.warnings.p[0],
                           arena_printf(&x.p.a, "the versions of %s are kept where they fit", names[i])));
        assert_true(file_remove_tree(x.p.w.dir, names[i], &e));
        clear(&x);
    }
}

static void a_broken_lock_of_another_tool_is_passed_over(void **state)
{
    struct world x;

    init(&x, state, PROJECT("'app'"));
    test_write(x.p.t, "p/uv.lock", "<<<<<<< HEAD\n");
    must_make(&x, NULL);
    is_locked(&x, "lib", "2.0");
    assert_int_equal(x.p.w.warnings.n, 0);
    clear(&x);
}

static void a_broken_lock_of_ours_is_named(void **state)
{
    struct world x;
    struct err e = { 0 };

    init(&x, state, PROJECT("'app'"));
    test_write(x.p.t, "p/pylock.toml", "<<<<<<< HEAD\n");
    assert_false(make(&x, NULL, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "p/pylock.toml'"));
    clear(&x);
}

static void writes_requirements_files_and_keeps_their_pins(void **state)
{
    struct world x;

    init(&x, state, PROJECT("'app'"));
    test_write(x.p.t, "p/requirements.txt", "# old\n--pre\nLIB==1.0 \\\n    --hash=sha256:00\napp>=1\nnothere==3\n");
    must_make(&x, "requirements.txt");
    assert_true(x.l.changed && !x.l.fresh);
    write_lock(&x);
    const char *text = test_read(&x.p, "p/requirements.txt");

    assert_non_null(text);
    if (!strstr(text, "app @ file:///") && !strstr(text, "app==2.0\n"))
        fail_msg("%s", text);
    is_locked(&x, "lib", "1.0");
    clear(&x);
}

static void says_why_there_is_no_lock(void **state)
{
    struct world x;
    struct err e = { 0 };

    init(&x, state, PROJECT("'app', 'lib>2'"));
    assert_false(make(&x, NULL, &e));
    assert_int_equal(e.kind, ERR_RESOLUTION);
    assert_non_null(strstr(e.text, "lib>2"));
    clear(&x);
}

/* "x @ url" for one platform beside another for this. */
static void a_direct_reference_for_another_platform_is_left_alone(void **state)
{
    struct world x;

    init(&x, state,
         PROJECT("'lib @ https://files.example/lib-9.0-py3-none-any.whl ; sys_platform == \"win32\"', 'lib'"));
    must_make(&x, NULL);
    is_locked(&x, "lib", "2.0");
    clear(&x);
}

static void a_cutoff_leaves_local_files_in(void **state)
{
    struct world x;

    init(&x, state, PROJECT("'app'"));
    x.p.r.exclude_newer = STR("2020-01-01");
    must_make(&x, NULL);
    is_locked(&x, "lib", "2.0");
    assert_int_equal(lock_find(&x.l.lock, STR("lib"))->n_wheel, 1);
    clear(&x);
}

static void writing_is_left_out_when_nothing_changes(void **state)
{
    struct lockfile l = { .path = STR("/nowhere/pylock.toml") };
    struct err e = { 0 };

    (void)state;
    assert_true(lockfile_write(&l, &e));
    l.changed = true;
    assert_false(lockfile_write(&l, &e));
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_non_null(strstr(e.text, "write the lock '/nowhere/pylock.toml'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(a_lock_that_fits_is_not_made_again),
        TEST_IN_DIR(pins_stay_where_they_fit),
        TEST_IN_DIR(upgrade_forgets_all_pins_or_the_named),
        TEST_IN_DIR(frozen_takes_a_fitting_lock_and_no_other),
        TEST_IN_DIR(keeps_the_versions_of_other_tools_locks),
        TEST_IN_DIR(a_broken_lock_of_another_tool_is_passed_over),
        TEST_IN_DIR(a_broken_lock_of_ours_is_named),
        TEST_IN_DIR(writes_requirements_files_and_keeps_their_pins),
        TEST_IN_DIR(says_why_there_is_no_lock),
        TEST_IN_DIR(a_direct_reference_for_another_platform_is_left_alone),
        TEST_IN_DIR(a_cutoff_leaves_local_files_in),
        cmocka_unit_test(writing_is_left_out_when_nothing_changes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
