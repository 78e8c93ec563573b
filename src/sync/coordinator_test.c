#include "sync/coordinator.h"

#include "env/env.h"
#include "index/test_wheel.h"
#include "sync/test_project.h"

#define PROJECT(dependencies) "[project]\nname = 'p'\nversion = '1'\ndependencies = [" dependencies "]\n"
#define SECTIONS "[env]\n[container]\n[sandbox]\n[security]\n"

/* A project whose packages lie in a folder: resolved without an index, and never installed, since the interpreter is
 * made up. What is looked at here is what a run decides before it would install. */
struct world {
    struct test_project p;
    struct timings timings;
    struct sync_job job;
    struct sync_outcome o;
};

static void put_wheel(struct world *x, const char *name, const char *version)
{
    struct arena *a = &x->p.a;
    struct test_member m = {
        arena_printf(a, "%s-%s.dist-info/METADATA", name, version).p,
        arena_printf(a, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n", name, version).p,
    };
    AUTO_FD dir = -1;
    struct err e = { 0 };

    assert_true(file_make_dirs(x->p.t->fd, "links", 0777, &e) && fd_open_dir(x->p.t->fd, "links", &dir, &e));
    assert_true(file_replace(dir, arena_printf(a, "%s-%s-py3-none-any.whl", name, version).p, test_archive(a, &m, 1),
                             0666, FILE_NO_SYNC, &e));
}

static void init(struct world *x, void **state, const char *pyproject, const char *settings)
{
    static struct str link;

    *x = (struct world){ 0 };
    test_init(&x->p, state);
    put_wheel(x, "app", "1.0");
    put_wheel(x, "app", "1.1");
    put_wheel(x, "app", "2.0");
    test_write(x->p.t, "p/pyproject.toml", pyproject);
    if (settings)
        test_write(x->p.t, "p/blast.toml", arena_printf(&x->p.a, SECTIONS "%s", settings).p);
    link = arena_printf(&x->p.a, "%s/links", x->p.t->path);
    x->p.r.find_links = (struct str_list){ &link, 1 };
    x->p.r.no_index = x->p.r.offline = true;
    x->job = (struct sync_job){ .command = STR("test"), .timings = &x->timings, .check = true, .price_only = true };
}

static void run(struct world *x)
{
    struct err e = { 0 };

    if (!sync_run(x->p.open ? &x->p.w : test_open(&x->p), &x->job, &x->o, &e))
        fail_msg("%s", e.text);
}

/* Makes the lock that the project asks for now the one on disk. */
static void lock(struct world *x)
{
    struct sync_lock_job job = { .timings = &x->timings };
    struct lockfile l;
    struct err e = { 0 };

    if (!sync_lock(test_open(&x->p), &job, &l, &e))
        fail_msg("%s", e.text);
    workspace_close(&x->p.w);
    x->p.open = false;
}

static void a_price_is_what_would_come_and_nothing_is_written(void **state)
{
    struct world x;

    init(&x, state, PROJECT("'app<2'"), NULL);
    run(&x);
    assert_int_equal(x.o.held, SYNC_HELD_LOCK);
    assert_int_equal(x.o.price.add, 1);
    assert_string_equal(x.o.price.changes.p, "+app 1.1");
    assert_true(x.o.lock.changed);
    assert_null(test_read(&x.p, "p/pylock.toml"));
    assert_false(file_exists(x.p.t->fd, "p/.venv"));
    test_close(&x.p);
}

static void a_lock_that_fits_is_not_held(void **state)
{
    struct world x;
    struct err e = { 0 };

    init(&x, state, PROJECT("'app<2'"), NULL);
    lock(&x);
    x.job.price_only = false;
    x.job.hold_lock = true;
    assert_false(sync_run(test_open(&x.p), &x.job, &x.o, &e));
    assert_int_equal(x.o.held, SYNC_NOT_HELD);
    assert_non_null(strstr(e.text, "unpack 'app-1.1")); /* it went on, to wheels that are none */
    test_close(&x.p);
    init(&x, state, PROJECT("'app<2'"), NULL);
    test_write(x.p.t, "p/pyproject.toml", PROJECT("'app>=2'"));
    x.job.price_only = false;
    x.job.hold_lock = true;
    run(&x);
    assert_int_equal(x.o.held, SYNC_HELD_LOCK);
    test_close(&x.p);
}

static void a_lock_made_before_is_taken_only_for_its_inputs(void **state)
{
    struct world x;

    init(&x, state, PROJECT("'app'"), NULL);
    x.p.r.upgrade = true;
    run(&x);
    struct str made = arena_printf(&x.p.a, STR_FMT "# kept\n", STR_ARG(x.o.lock.text));

    workspace_close(&x.p.w);
    x.p.open = false;
    x.job.lock_new = made;
    run(&x);
    assert_true(str_eq(x.o.lock.text, made)); /* even with --upgrade: it was solved already */
    workspace_close(&x.p.w);
    x.p.open = false;
    test_write(x.p.t, "p/pyproject.toml", PROJECT("'app<2'"));
    run(&x);
    assert_false(str_eq(x.o.lock.text, made));
    assert_string_equal(x.o.price.changes.p, "+app 1.1");
    test_close(&x.p);
}

static void the_policy_bounds_what_the_lock_has(void **state)
{
    static const struct {
        const char *policy, *want;
    } cases[] = {
        { "latest", "+app 2.0" }, { "minor", "+app 1.1" }, { "patch", "+app 1.0" }, { "locked", "+app 1.0" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world x;

        init(&x, state, PROJECT("'app==1.0'"),
             "[sync]\n[pkg_layer]\nversion_policy = 'latest'\n");
        lock(&x);
        test_write(x.p.t, "p/blast.toml", arena_printf(&x.p.a, SECTIONS "[sync]\n[pkg_layer]\nversion_policy = '%s'\n",
                                                       cases[i].policy).p);
        test_write(x.p.t, "p/pyproject.toml", PROJECT("'app'"));
        x.p.r.upgrade = true;
        x.job.bounded = true;
        run(&x);
        if (!str_eq(x.o.price.changes, str_of(cases[i].want)))
            fail_msg("%s: '" STR_FMT "', want '%s'", cases[i].policy, STR_ARG(x.o.price.changes), cases[i].want);
        test_close(&x.p);
    }
}

static void an_interpreter_that_is_held_stops_the_run(void **state)
{
    struct world x;
    struct err e = { 0 };

    init(&x, state, PROJECT("'app'"), "[sync]\nenv_layer = 'manual'\n");
    test_open(&x.p);
    x.p.w.python_held = true;
    x.job.decide = true;
    run(&x);
    assert_int_equal(x.o.held, SYNC_HELD_PYTHON);
    x.job.decide = false;
    assert_false(sync_run(&x.p.w, &x.job, &x.o, &e));
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_non_null(strstr(e.text, "env_layer = manual"));
    assert_non_null(strstr(e.hint, "--python"));
    test_close(&x.p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_dir_make, test_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_price_is_what_would_come_and_nothing_is_written),
        TEST(a_lock_that_fits_is_not_held),
        TEST(a_lock_made_before_is_taken_only_for_its_inputs),
        TEST(the_policy_bounds_what_the_lock_has),
        TEST(an_interpreter_that_is_held_stops_the_run),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
