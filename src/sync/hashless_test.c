#include "base/hash.h"
#include "lock/lock.h"
#include "sync/pkg_layer.h"
#include "sync/test_project.h"

#define OTHER "0000000000000000000000000000000000000000000000000000000000000000"

/* A package with one wheel that lies beside the project, and one for another Python. */
struct fixture {
    struct test_project p;
    struct inputs in;
    struct pkg_net net;
    struct timings t;
    struct pkg_job job;
    struct lock_file wheel[2];
    struct lock_package package;
    struct lock lock;
    char hex[HASH_HEX256 + 1];
};

static void open_fixture(struct fixture *f, void **state)
{
    static const char content[] = "as good as a wheel";
    static const struct lock_hash known = { STR_INIT("sha256"), STR_INIT(OTHER) };
    unsigned char sum[HASH_SHA256];
    struct err e = { 0 };

    *f = (struct fixture){ 0 };
    test_init(&f->p, state);
    test_write(f->p.t, "w/demo-1.0-py3-none-any.whl", content);
    struct workspace *w = test_open(&f->p);

    pkg_net_init(&f->net, w);
    f->job = (struct pkg_job){ .w = w, .in = &f->in, .net = &f->net, .timings = &f->t };
    f->wheel[0] = (struct lock_file){
        .name = STR("demo-1.0-cp27-none-any.whl"), .url = STR("https://x.example/a.whl"), .size = LOCK_NO_SIZE,
    };
    f->wheel[1] = (struct lock_file){
        .name = STR("demo-1.0-py3-none-any.whl"), .size = LOCK_NO_SIZE,
        .path = arena_printf(&f->p.a, "%s/w/demo-1.0-py3-none-any.whl", f->p.t->path),
    };
    f->package = (struct lock_package){ .name = STR("demo"), .version = STR("1.0"), .wheel = f->wheel, .n_wheel = 2 };
    f->lock = (struct lock){ .package = &f->package, .n_package = 1 };
    if (!hash_sha256(content, strlen(content), sum, &e))
        fail_msg("%s", e.text);
    hash_hex(sum, sizeof sum, f->hex);
    f->wheel[0].hash = &known;
}

static void close_fixture(struct fixture *f)
{
    pkg_net_close(&f->net);
    test_close(&f->p);
}

static void the_file_for_this_interpreter_gets_its_digest(void **state)
{
    struct fixture f;
    struct err e = { 0 };

    open_fixture(&f, state);
    if (!pkg_hash_missing(&f.job, &f.lock, &e))
        fail_msg("%s", e.text);
    const struct lock_package *p = &f.lock.package[0];

    assert_int_equal(p->n_wheel, 1); /* the other one has none and leaves the lock */
    assert_true(str_eq(p->wheel[0].name, f.wheel[1].name));
    assert_true(str_eq(lock_file_hash(&p->wheel[0], STR("sha256")), str_of(f.hex)));
    assert_int_equal(f.package.n_wheel, 2); /* the caller's own table is as it was */
    /* the install finds it without fetching again */
    assert_non_null(test_read(&f.p, arena_printf(&f.p.a, "home/cache/downloads-v1/%s.whl", f.hex).p));
    close_fixture(&f);
}

static void a_file_with_a_digest_is_left_alone(void **state)
{
    struct fixture f;
    struct err e = { 0 };

    open_fixture(&f, state);
    f.wheel[0].n_hash = 1;
    f.package.n_wheel = 1;
    assert_true(pkg_hash_missing(&f.job, &f.lock, &e));
    assert_ptr_equal(f.lock.package, &f.package); /* nothing was copied */
    f.package.n_wheel = 2;
    assert_true(pkg_hash_missing(&f.job, &f.lock, &e));
    assert_int_equal(f.lock.package[0].n_wheel, 2);
    assert_true(str_eq(lock_file_hash(&f.lock.package[0].wheel[0], STR("sha256")), STR(OTHER)));
    close_fixture(&f);
}

static void a_file_that_cannot_be_had_is_named(void **state)
{
    struct fixture f;
    struct err e = { 0 };

    open_fixture(&f, state);
    f.wheel[1].path = arena_printf(&f.p.a, "%s/w/gone-1.0-py3-none-any.whl", f.p.t->path);
    assert_false(pkg_hash_missing(&f.job, &f.lock, &e));
    assert_non_null(strstr(e.text, "learn the hash of 'demo-1.0-py3-none-any.whl', which the index does not give"));
    close_fixture(&f);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_dir_make, test_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_file_for_this_interpreter_gets_its_digest),
        TEST(a_file_with_a_digest_is_left_alone),
        TEST(a_file_that_cannot_be_had_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
