#include "index/known.h"

#include <unistd.h>
#include "base/arena.h"
#include "base/mem.h"
#include "base/test_dir.h"
#include "pep/metadata.h"
#include "store/cache.h"

static const struct str requires[] = { STR_INIT("a>=1"), STR_INIT(""), STR_INIT("b[x]; extra == 'y'") };
static const struct str extras[] = { STR_INIT("y"), STR_INIT("z-z") };

static struct cache open_cache(void **state)
{
    const struct test_dir *t = *state;
    struct cache c;

    cache_open(t->path, KNOWN_BUCKET, &c);
    assert_true(c.dir >= 0);
    return c;
}

static void add(struct known *k, uint64_t key, bool keep)
{
    struct metadata m = {
        .requires_python = STR(">=3.8"),
        .requires_dist = requires,
        .n_requires_dist = key % 4,
        .provides_extra = extras,
        .n_provides_extra = key % 3,
    };

    assert_true(known_add(k, key, &m, keep));
}

static void expect(const struct known *k, uint64_t key, bool there)
{
    AUTO_ARENA a = { 0 };
    struct known_meta m;

    if (known_find(k, key, &a, &m) != there || known_has(k, key) != there)
        fail_msg("key %llu: want %d", (unsigned long long)key, there);
    if (!there)
        return;
    assert_true(str_eq(m.requires_python, STR(">=3.8")));
    assert_int_equal(m.n_requires, key % 4);
    assert_int_equal(m.n_extra, key % 3);
    for (size_t i = 0; i < m.n_requires; i++)
        assert_true(str_eq(m.requires[i], requires[i]));
    for (size_t i = 0; i < m.n_extra; i++)
        assert_true(str_eq(m.extra[i], extras[i]));
}

/* Adds keys from..to-1 in a life of their own. */
static void learn(const struct cache *c, uint64_t from, uint64_t to)
{
    struct known k;

    known_open(c, STR("demo"), &k);
    for (uint64_t key = from; key < to; key++)
        add(&k, key, true);
    known_close(&k, c, STR("demo"));
}

static void expect_all(const struct cache *c, uint64_t n_there, uint64_t n)
{
    struct known k;

    known_open(c, STR("demo"), &k);
    for (uint64_t key = 1; key < n; key++)
        expect(&k, key, key < n_there);
    known_close(&k, c, STR("demo"));
}

static void finds_what_was_added_before_and_after_it_is_written(void **state)
{
    struct cache c = open_cache(state);
    struct known k;

    known_open(&c, STR("demo"), &k);
    expect(&k, 1, false);
    for (uint64_t key = 1; key < 1000; key++)
        add(&k, key, true);
    for (uint64_t key = 1; key < 1000; key++) /* the bytes have moved many times since */
        expect(&k, key, true);
    expect(&k, 1000, false);
    known_close(&k, &c, STR("demo"));
    expect_all(&c, 1000, 1001);
    cache_close(&c);
}

static void adds_to_what_is_there(void **state)
{
    struct cache c = open_cache(state);

    learn(&c, 1, 10);
    learn(&c, 10, 30);
    learn(&c, 30, 30);
    expect_all(&c, 30, 40);
    cache_close(&c);
}

static void the_later_entry_of_a_key_counts(void **state)
{
    struct cache c = open_cache(state);
    struct known k;
    struct metadata m = { .requires_python = STR(">=3.12") };
    struct known_meta got;
    AUTO_ARENA a = { 0 };

    learn(&c, 1, 10);
    known_open(&c, STR("demo"), &k);
    assert_true(known_add(&k, 5, &m, true));
    known_close(&k, &c, STR("demo"));
    known_open(&c, STR("demo"), &k);
    assert_true(known_find(&k, 5, &a, &got));
    assert_true(str_eq(got.requires_python, STR(">=3.12")));
    known_close(&k, &c, STR("demo"));
    cache_close(&c);
}

static void forgets_at_the_end_what_is_not_to_be_kept(void **state)
{
    struct cache c = open_cache(state);
    struct known k;

    known_open(&c, STR("demo"), &k);
    add(&k, 1, true);
    add(&k, 2, false);
    add(&k, 3, true);
    expect(&k, 2, true);
    known_close(&k, &c, STR("demo"));
    known_open(&c, STR("demo"), &k);
    expect(&k, 1, true);
    expect(&k, 2, false);
    expect(&k, 3, true);
    known_close(&k, &c, STR("demo"));
    cache_close(&c);
}

static void a_torn_tail_ends_the_record_and_the_next_writer_mends_it(void **state)
{
    struct cache c = open_cache(state);
    struct str whole;
    int fd = -1;

    learn(&c, 1, 4);
    assert_true(cache_map(&c, "demo", &whole, &fd));
    size_t three = whole.n;

    fd_unmap(&whole);
    fd_close(&fd);
    learn(&c, 4, 6);
    for (size_t cut = three + 1; cut < three + 40; cut += 7) {
        fd = openat(c.dir, "demo", O_RDWR | O_CLOEXEC);
        assert_int_equal(ftruncate(fd, (off_t)cut), 0);
        fd_close(&fd);
        expect_all(&c, 4, 8);
        learn(&c, 4, 6);
        expect_all(&c, 6, 8);
    }
    cache_close(&c);
}

static void believes_no_byte_that_was_changed(void **state)
{
    struct cache c = open_cache(state);
    AUTO_ARENA a = { 0 };
    struct str whole;
    int fd = -1;

    learn(&c, 1, 6);
    assert_true(cache_map(&c, "demo", &whole, &fd));
    char *copy = mem_dup(whole.p, whole.n);
    size_t n = whole.n;

    fd_unmap(&whole);
    fd_close(&fd);
    for (size_t i = 8; i < n; i++) { /* a changed key is another key */
        struct known k;
        struct known_meta m;
        char old = copy[i];

        copy[i] ^= 0x21;
        assert_true(cache_put(&c, "demo", (struct str){ copy, n }));
        known_open(&c, STR("demo"), &k);
        for (uint64_t key = 1; key < 6; key++)
            if (known_find(&k, key, &a, &m) && (m.n_requires != key % 4 || m.n_extra != key % 3))
                fail_msg("byte %zu changed: entry %llu is believed", i, (unsigned long long)key);
        known_close(&k, &c, STR("demo"));
        copy[i] = old;
    }
    free(copy);
    cache_close(&c);
}

static void works_without_a_cache(void **state)
{
    struct cache c;
    struct known k;

    (void)state;
    cache_open("/proc/nothing", KNOWN_BUCKET, &c);
    assert_int_equal(c.dir, -1);
    known_open(&c, STR("demo"), &k);
    add(&k, 7, true);
    expect(&k, 7, true);
    known_close(&k, &c, STR("demo"));
}

static void refuses_more_requirements_than_it_would_read_back(void **state)
{
    struct cache c = { -1 };
    struct known k;
    struct metadata m = { .n_requires_dist = 100001 };

    (void)state;
    known_open(&c, STR("demo"), &k);
    assert_false(known_add(&k, 7, &m, true));
    expect(&k, 7, false);
    known_close(&k, &c, STR("demo"));
}

static void keys_differ_by_name_and_by_hash(void **state)
{
    unsigned char none[32] = { 0 }, other[32] = { 1 };

    (void)state;
    assert_true(known_key(STR("a"), none) != known_key(STR("b"), none));
    assert_true(known_key(STR("a"), none) != known_key(STR("a"), other));
    assert_true(known_key(STR("a"), other) == known_key(STR("a"), other));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(finds_what_was_added_before_and_after_it_is_written),
        TEST_IN_DIR(adds_to_what_is_there),
        TEST_IN_DIR(the_later_entry_of_a_key_counts),
        TEST_IN_DIR(forgets_at_the_end_what_is_not_to_be_kept),
        TEST_IN_DIR(a_torn_tail_ends_the_record_and_the_next_writer_mends_it),
        TEST_IN_DIR(believes_no_byte_that_was_changed),
        cmocka_unit_test(works_without_a_cache),
        cmocka_unit_test(refuses_more_requirements_than_it_would_read_back),
        cmocka_unit_test(keys_differ_by_name_and_by_hash),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
