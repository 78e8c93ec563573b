#include "index/wheel_meta.h"

#include "base/mem.h"
#include "base/test_dir.h"
#include "codec/zip.h"
#include "index/test_wheel.h"

#define META "Metadata-Version: 2.1\nName: demo\nVersion: 1\n"

static void reads_the_metadata_of_the_only_dist_info(void **state)
{
    static const struct test_member m[] = {
        { "demo/x.dist-info/METADATA", "inner" },
        { "demo-1.dist-info/METADATA", META },
        { "demo-1.dist-info/RECORD", "" },
    };
    AUTO_ARENA a = { 0 };
    struct str text;
    struct err e = { 0 };

    (void)state;
    if (!wheel_meta_of(test_archive(&a, m, COUNT(m)), &a, &text, &e))
        fail_msg("%s", e.text);
    assert_true(str_eq(text, STR(META)));
}

static void refuses_what_is_no_wheel(void **state)
{
    static const struct {
        struct test_member m[2];
        const char *why;
    } cases[] = {
        { { { "demo.py", "" }, { "demo-1.dist-info/RECORD", "" } }, "the wheel has no METADATA" },
        { { { "demo-1.dist-info/METADATA", META }, { "other-1.dist-info/METADATA", META } },
          "the wheel has more than one .dist-info" },
    };
    AUTO_ARENA a = { 0 };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str text;
        struct err e = { 0 };

        assert_false(wheel_meta_of(test_archive(&a, cases[i].m, 2), &a, &text, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        assert_non_null(strstr(e.text, cases[i].why));
    }
}

static void refuses_bytes_that_are_no_archive(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str text;
    struct err e = { 0 };

    (void)state;
    assert_false(wheel_meta_of(STR("hello"), &a, &text, &e));
    assert_int_equal(e.kind, ERR_PACKAGE);
    err_clear(&e);
    assert_false(wheel_meta_of(STR(""), &a, &text, &e));
    assert_int_equal(e.kind, ERR_PACKAGE);
}

static void refuses_metadata_of_a_size_nobody_needs(void **state)
{
    struct zip_entry huge = { .name = STR("demo-1.dist-info/METADATA"), .size = (uint64_t)1 << 40 };
    struct zip z = { .entry = &huge, .n = 1 };
    struct err e = { 0 };

    (void)state;
    assert_null(wheel_meta_entry(&z, &e));
    assert_non_null(strstr(e.text, "METADATA has 1099511627776 bytes, the limit is 33554432"));
}

static void names_the_file_that_cannot_be_read(void **state)
{
    static const struct test_member m[] = { { "demo-1.dist-info/METADATA", META } };
    const struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct str text;
    struct err e = { 0 };
    const char *path = arena_printf(&a, "%s/demo-1-py3-none-any.whl", t->path).p;

    assert_false(wheel_meta_read(path, &a, &text, &e));
    assert_int_equal(e.kind, ERR_IO);
    assert_non_null(strstr(e.text, "demo-1-py3-none-any.whl"));
    err_clear(&e);
    assert_true(file_replace(t->fd, "demo-1-py3-none-any.whl", STR("hello"), 0666, FILE_NO_SYNC, &e));
    assert_false(wheel_meta_read(path, &a, &text, &e));
    assert_non_null(strstr(e.text, "demo-1-py3-none-any.whl"));
    err_clear(&e);
    assert_true(file_replace(t->fd, "demo-1-py3-none-any.whl", test_archive(&a, m, 1), 0666, FILE_NO_SYNC, &e));
    assert_true(wheel_meta_read(path, &a, &text, &e));
    assert_true(str_eq(text, STR(META)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_the_metadata_of_the_only_dist_info),
        cmocka_unit_test(refuses_what_is_no_wheel),
        cmocka_unit_test(refuses_bytes_that_are_no_archive),
        cmocka_unit_test(refuses_metadata_of_a_size_nobody_needs),
        TEST_IN_DIR(names_the_file_that_cannot_be_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
