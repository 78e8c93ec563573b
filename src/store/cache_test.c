#include "store/cache.h"

#include <sys/stat.h>
#include <unistd.h>
#include "base/mem.h"
#include "base/test_dir.h"

static struct cache open_bucket(void **state)
{
    struct test_dir *t = *state;
    char root[300];
    struct cache c;

    (void)snprintf(root, sizeof root, "%s/deep/down", t->path); /* made on the way */
    cache_open(root, "bucket-v1", &c);
    assert_true(c.dir >= 0);
    return c;
}

static void expect(const struct cache *c, const char *name, const char *want)
{
    struct str got;
    int fd = -1;
    bool there = cache_map(c, name, &got, &fd);

    assert_int_equal(there, want != NULL);
    assert_int_equal(fd >= 0, want != NULL);
    if (!there)
        return;
    if (!str_eq(got, str_of(want)))
        fail_msg("%s: '" STR_FMT "', want '%s'", name, STR_ARG(got), want);
    fd_unmap(&got);
    fd_close(&fd);
}

static void gives_back_what_was_put(void **state)
{
    struct cache c = open_bucket(state);

    expect(&c, "a", NULL);
    assert_true(cache_put(&c, "a", STR("one")));
    expect(&c, "a", "one");
    assert_true(cache_put(&c, "a", STR("two, longer")));
    expect(&c, "a", "two, longer");
    cache_drop(&c, "a");
    cache_drop(&c, "a");
    expect(&c, "a", NULL);
    cache_close(&c);
}

static void an_empty_record_is_a_miss(void **state)
{
    struct cache c = open_bucket(state);

    assert_true(cache_put(&c, "a", STR("")));
    expect(&c, "a", NULL);
    cache_close(&c);
}

static void appends_at_the_end_and_makes_the_record(void **state)
{
    struct cache c = open_bucket(state);

    assert_true(cache_append(&c, "a", STR("one")));
    assert_true(cache_append(&c, "a", STR(" two")));
    expect(&c, "a", "one two");
    cache_close(&c);
}

static void patches_in_place(void **state)
{
    struct cache c = open_bucket(state);
    struct str map;
    int fd = -1;

    assert_true(cache_put(&c, "a", STR("0123456789")));
    assert_true(cache_map(&c, "a", &map, &fd));
    assert_true(cache_patch(fd, 3, STR("xyz")));
    fd_unmap(&map);
    fd_close(&fd);
    expect(&c, "a", "012xyz6789");
    assert_false(cache_patch(-1, 0, STR("x")));
    cache_close(&c);
}

static void a_mapping_survives_a_new_record(void **state)
{
    struct cache c = open_bucket(state);
    struct str map;
    int fd = -1;

    assert_true(cache_put(&c, "a", STR("old")));
    assert_true(cache_map(&c, "a", &map, &fd));
    assert_true(cache_put(&c, "a", STR("new")));
    assert_true(str_eq(map, STR("old")));
    fd_unmap(&map);
    fd_close(&fd);
    expect(&c, "a", "new");
    cache_close(&c);
}

static void without_a_folder_everything_misses(void **state)
{
    char long_path[5000];
    const char *roots[] = { "/proc/nothing", "/dev/null", long_path };

    (void)state;
    memset(long_path, 'x', sizeof long_path - 1);
    long_path[sizeof long_path - 1] = '\0';
    for (size_t i = 0; i < COUNT(roots); i++) {
        struct cache c;

        cache_open(roots[i], "bucket-v1", &c);
        assert_int_equal(c.dir, -1);
        expect(&c, "a", NULL);
        assert_false(cache_put(&c, "a", STR("x")));
        assert_false(cache_append(&c, "a", STR("x")));
        cache_drop(&c, "a");
        cache_close(&c);
    }
}

static void makes_names_of_any_text(void **state)
{
    static const struct {
        const char *text, *suffix, *name; /* NULL: hashed */
    } cases[] = {
        { "demo", "", "demo" },       { "my-demo.x_1", ".json", "my-demo.x_1.json" },
        { "", "", NULL },             { ".hidden", "", NULL },
        { "..", "", NULL },           { "a/b", "", NULL },
        { "Upper", "", NULL },        { "sp ace", ".x", NULL },
        { "=1234", "", NULL },
        { "a23456789b123456789c123456789d123456789e123456789f123456789g123456789h123456789i123456789j12345678901",
          "", NULL },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char name[128];

        cache_name(str_of(cases[i].text), cases[i].suffix, name);
        if (cases[i].name ? strcmp(name, cases[i].name) != 0
                          : name[0] != '=' || strlen(name) != 17 + strlen(cases[i].suffix) || strchr(name, '/'))
            fail_msg("'%s': '%s'", cases[i].text, name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(gives_back_what_was_put),
        TEST_IN_DIR(an_empty_record_is_a_miss),
        TEST_IN_DIR(appends_at_the_end_and_makes_the_record),
        TEST_IN_DIR(patches_in_place),
        TEST_IN_DIR(a_mapping_survives_a_new_record),
        cmocka_unit_test(without_a_folder_everything_misses),
        cmocka_unit_test(makes_names_of_any_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
