#include "pep/tag.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"

static struct tag_input cpython(unsigned minor)
{
    return (struct tag_input){
        .implementation = STR("cpython"), .major = 3, .minor = minor, .machine = STR("x86_64"), .libc = TAG_GLIBC,
        .libc_major = 2, .libc_minor = 36,
    };
}

static struct str text_of(struct arena *a, struct tag t)
{
    return arena_printf(a, STR_FMT "-" STR_FMT "-" STR_FMT, STR_ARG(t.python), STR_ARG(t.abi), STR_ARG(t.platform));
}

static void assert_tag(const struct tag_set *s, struct arena *a, size_t at, const char *want)
{
    struct str got = text_of(a, tag_set_at(s, at));

    if (!str_eq(got, str_of(want)))
        fail_msg("tag %zu is '" STR_FMT "', wanted '%s'", at, STR_ARG(got), want);
}

/* Blocks in order: the tags with the first platform, and the tail with "any". */
static void assert_blocks(const struct tag_input *in, const char *const *want, size_t n)
{
    AUTO_ARENA a = { 0 };
    const struct tag_set *s = tag_set_new(in, &a);
    const struct str *platform;
    size_t platforms = tag_set_platforms(s, &platform), block = 0, at = 0;

    for (; at < n && !strstr(want[at], "-any"); at++)
        assert_tag(s, &a, block++ * platforms, want[at]);
    for (size_t i = block * platforms; at < n; at++)
        assert_tag(s, &a, i++, want[at]);
    assert_int_equal(tag_set_count(s), block * platforms + (n - block));
}

static void cpython_prefers_its_own_then_stable_then_pure_tags(void **state)
{
    static const char *const want[] = {
        "cp34-cp34m-linux_x86_64", "cp34-abi3-linux_x86_64", "cp34-none-linux_x86_64", "cp33-abi3-linux_x86_64",
        "cp32-abi3-linux_x86_64",  "py34-none-linux_x86_64", "py3-none-linux_x86_64",  "py33-none-linux_x86_64",
        "py32-none-linux_x86_64",  "py31-none-linux_x86_64", "py30-none-linux_x86_64", "cp34-none-any",
        "py34-none-any",           "py3-none-any",           "py33-none-any",          "py32-none-any",
        "py31-none-any",           "py30-none-any",
    };
    struct tag_input in = cpython(4);

    (void)state;
    assert_blocks(&in, want, COUNT(want));
}

static void pypy_has_its_abi_and_pure_tags(void **state)
{
    struct tag_input in = cpython(1);
    static const char *const want[] = {
        "pp31-pypy31_pp73-linux_x86_64", "pp31-none-linux_x86_64", "py31-none-linux_x86_64", "py3-none-linux_x86_64",
        "py30-none-linux_x86_64", "pp3-none-any", "py31-none-any", "py3-none-any", "py30-none-any",
    };

    (void)state;
    in.implementation = STR("pypy");
    in.soabi = STR("pypy31-pp73-x86_64-linux-gnu");
    assert_blocks(&in, want, COUNT(want));
}

static void assert_has(const struct tag_input *in, const char *tag, bool want)
{
    AUTO_ARENA a = { 0 };
    const struct tag_set *s = tag_set_new(in, &a);
    struct str part[3];
    uint32_t rank;

    assert_int_equal(str_split(str_of(tag), '-', part, 3), 3);
    if (tag_set_rank(s, part[0], part[1], part[2], &rank, NULL) != want)
        fail_msg("'%s' is %s", tag, want ? "missing" : "accepted");
    if (want && tag_set_count(s) > rank) {
        struct tag t = tag_set_at(s, rank);

        assert_true(str_eq(t.python, part[0]) && str_eq(t.abi, part[1]) && str_eq(t.platform, part[2]));
    }
}

static void builds_of_python_accept_what_they_can_load(void **state)
{
    struct tag_input plain = cpython(13), threaded = cpython(13), debug = cpython(11), old = cpython(7);

    (void)state;
    assert_has(&plain, "cp313-cp313-linux_x86_64", true);
    assert_has(&plain, "cp313-cp313t-linux_x86_64", false);
    assert_has(&plain, "cp32-abi3-linux_x86_64", true);
    assert_has(&plain, "cp31-abi3-linux_x86_64", false);
    assert_has(&plain, "cp314-abi3-linux_x86_64", false);
    threaded.free_threaded = true;
    assert_has(&threaded, "cp313-cp313t-linux_x86_64", true);
    assert_has(&threaded, "cp313-cp313-linux_x86_64", false);
    assert_has(&threaded, "cp313-abi3-linux_x86_64", false);
    assert_has(&threaded, "cp312-abi3t-linux_x86_64", true);
    assert_has(&threaded, "py3-none-any", true);
    debug.debug = true;
    assert_has(&debug, "cp311-cp311d-linux_x86_64", true);
    assert_has(&debug, "cp311-cp311-linux_x86_64", true);
    assert_has(&old, "cp37-cp37m-linux_x86_64", true);
    old.debug = true;
    assert_has(&old, "cp37-cp37dm-linux_x86_64", true);
    assert_has(&old, "cp37-cp37m-linux_x86_64", false);
}

static void assert_platforms(const struct tag_input *in, const char *first, const char *last, size_t n)
{
    AUTO_ARENA a = { 0 };
    const struct str *platform;
    size_t got = tag_set_platforms(tag_set_new(in, &a), &platform);

    if (got != n || !str_eq(platform[0], str_of(first)) || !str_eq(platform[n - 1], str_of(last)))
        fail_msg("%zu from '" STR_FMT "' to '" STR_FMT "', wanted %zu from '%s' to '%s'", got, STR_ARG(platform[0]),
                 STR_ARG(platform[got - 1]), n, first, last);
}

static void platforms_follow_machine_and_libc(void **state)
{
    struct tag_input in = cpython(12);

    (void)state;
    assert_platforms(&in, "linux_x86_64", "manylinux1_x86_64", 1 + 32 + 3);
    in.libc_minor = 17;
    assert_platforms(&in, "linux_x86_64", "manylinux1_x86_64", 1 + 13 + 3);
    in.machine = STR("aarch64");
    assert_platforms(&in, "linux_aarch64", "manylinux2014_aarch64", 3);
    in.libc_minor = 16;
    assert_platforms(&in, "linux_aarch64", "linux_aarch64", 1);
    in.machine = STR("mips64");
    in.libc_minor = 36;
    assert_platforms(&in, "linux_mips64", "linux_mips64", 1);
    in.machine = STR("x86_64");
    in.libc = TAG_MUSL;
    in.libc_major = 1;
    in.libc_minor = 2;
    assert_platforms(&in, "linux_x86_64", "musllinux_1_0_x86_64", 4);
    in.libc = TAG_LIBC_NONE;
    assert_platforms(&in, "linux_x86_64", "linux_x86_64", 1);
}

static void a_32_bit_interpreter_gets_its_own_machine(void **state)
{
    struct tag_input in = cpython(12);

    (void)state;
    in.is_32bit = true;
    assert_platforms(&in, "linux_i686", "manylinux1_i686", 1 + 32 + 3);
    in.machine = STR("aarch64");
    assert_platforms(&in, "linux_armv8l", "linux_armv7l", 2);
    in.arm_hard_float = true;
    assert_platforms(&in, "linux_armv8l", "manylinux2014_armv7l", 2 + 2 * (20 + 1));
}

static void a_module_can_veto_manylinux(void **state)
{
    struct tag_input in = cpython(12);

    (void)state;
    in.manylinux_denied = STR("2_5 2_36");
    assert_has(&in, "cp312-cp312-manylinux_2_36_x86_64", false);
    assert_has(&in, "cp312-cp312-manylinux1_x86_64", false);
    assert_has(&in, "cp312-cp312-manylinux_2_35_x86_64", true);
}

static void the_best_of_compressed_tags_counts_and_a_miss_has_a_reason(void **state)
{
    static const struct {
        const char *python, *abi, *platform;
        enum tag_miss miss;
        const char *best; /* of those that fit */
    } cases[] = {
        { "py2.py3", "none", "any", TAG_FITS, "py3-none-any" },
        { "cp311.cp312", "cp311.cp312", "manylinux_2_17_x86_64.manylinux2014_x86_64", TAG_FITS,
          "cp312-cp312-manylinux_2_17_x86_64" },
        { "cp39", "none.abi3", "any.linux_x86_64", TAG_FITS, "cp39-abi3-linux_x86_64" },
        { "CP312", "CP312", "Linux_X86_64", TAG_FITS, "cp312-cp312-linux_x86_64" },
        { "cp27", "cp27mu", "manylinux1_x86_64", TAG_MISS_PYTHON, NULL },
        { "pp310", "pypy310_pp73", "linux_x86_64", TAG_MISS_PYTHON, NULL },
        { "cp312", "cp312d", "linux_x86_64", TAG_MISS_ABI, NULL },
        { "cp311", "cp311", "linux_x86_64", TAG_MISS_ABI, NULL },
        { "cp311", "none", "any", TAG_MISS_ABI, NULL },
        { "cp312", "cp312", "macosx_11_0_arm64.win_amd64", TAG_MISS_PLATFORM, NULL },
        { "cp312", "cp312", "manylinux_2_99_x86_64", TAG_MISS_PLATFORM, NULL },
        { "cp312", "cp312", "any", TAG_MISS_PLATFORM, NULL },
        { "", "", "", TAG_MISS_PYTHON, NULL },
    };
    AUTO_ARENA a = { 0 };
    struct tag_input in = cpython(12);
    const struct tag_set *s = tag_set_new(&in, &a);

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum tag_miss miss;
        uint32_t rank = 0;
        bool fits = tag_set_rank(s, str_of(cases[i].python), str_of(cases[i].abi), str_of(cases[i].platform), &rank,
                                 &miss);

        if (miss != cases[i].miss || fits != (miss == TAG_FITS))
            fail_msg("%s-%s-%s: %s, wanted %s", cases[i].python, cases[i].abi, cases[i].platform, tag_miss_word(miss),
                     tag_miss_word(cases[i].miss));
        if (fits)
            assert_tag(s, &a, rank, cases[i].best);
    }
}

static void every_listed_tag_has_its_own_place_as_rank(void **state)
{
    AUTO_ARENA a = { 0 };
    struct tag_input in = cpython(12);
    const struct tag_set *s = tag_set_new(&in, &a);

    (void)state;
    assert_true(tag_set_count(s) > 900);
    for (size_t i = 0; i < tag_set_count(s); i++) {
        struct tag t = tag_set_at(s, i);
        uint32_t rank;

        if (!tag_set_rank(s, t.python, t.abi, t.platform, &rank, NULL) || rank != i)
            fail_msg("'" STR_FMT "' at %zu has another rank", STR_ARG(text_of(&a, t)), i);
    }
}

static void a_part_of_any_length_is_looked_up(void **state)
{
    AUTO_ARENA a = { 0 };
    struct tag_input in = cpython(12);
    const struct tag_set *s = tag_set_new(&in, &a);
    char long_part[300];
    uint32_t rank;

    (void)state;
    memset(long_part, 'x', sizeof long_part);
    for (size_t n = 0; n < sizeof long_part; n++)
        assert_false(tag_set_rank(s, STR("py3"), STR("none"), (struct str){ long_part, n }, &rank, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cpython_prefers_its_own_then_stable_then_pure_tags),
        cmocka_unit_test(pypy_has_its_abi_and_pure_tags),
        cmocka_unit_test(builds_of_python_accept_what_they_can_load),
        cmocka_unit_test(platforms_follow_machine_and_libc),
        cmocka_unit_test(a_32_bit_interpreter_gets_its_own_machine),
        cmocka_unit_test(a_module_can_veto_manylinux),
        cmocka_unit_test(the_best_of_compressed_tags_counts_and_a_miss_has_a_reason),
        cmocka_unit_test(every_listed_tag_has_its_own_place_as_rank),
        cmocka_unit_test(a_part_of_any_length_is_looked_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
