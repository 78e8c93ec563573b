#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "cli/options.h"

#define WORDS 12

/* "add" takes what install takes, "run" hands words on, "raw" reads nothing itself. */
static uint64_t where_of(struct str command)
{
    if (str_eq(command, STR("add")))
        return W_ALL | W_INDEX | W_FILES | W_ADD;
    if (str_eq(command, STR("run")))
        return W_ALL | W_RUN;
    if (str_eq(command, STR("raw")))
        return W_ALL | W_RAW;
    return 0;
}

static bool parse(const char *const *word, struct arena *a, struct options *o, struct err *e)
{
    char *argv[WORDS + 1] = { arena_cstr(a, STR("blast")) };
    int n = 1;

    for (; n < WORDS && word[n - 1]; n++)
        argv[n] = arena_cstr(a, str_of(word[n - 1]));
    return options_parse(n, argv, where_of, a, o, e);
}

static void reads_values_in_every_spelling(void **state)
{
    static const char *const cases[][WORDS] = {
        { "add", "--index-url", "https://index.example/simple/" },
        { "add", "--index-url=https://index.example/simple/" },
        { "add", "-i", "https://index.example/simple/" },
        { "add", "-ihttps://index.example/simple/" },
        { "add", "-qi", "https://index.example/simple/" },
        { "add", "-i", "https://index.example/old/", "-i", "https://index.example/simple/" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct options o;
        struct err e = { 0 };

        if (!parse(cases[i], &a, &o, &e))
            fail_msg("case %zu: %s", i, e.text);
        assert_true(str_eq(option_value(&o, OPT_INDEX_URL), STR("https://index.example/simple/")));
        assert_true(str_eq(o.command, STR("add")));
        assert_int_equal(o.words.n, 0);
    }
}

static void says_what_is_wrong(void **state)
{
    static const struct {
        const char *word[WORDS], *text, *hint;
    } cases[] = {
        { { "add", "--index-ur", "x" }, "unknown option '--index-ur'", "did you mean --index-url?" },
        { { "add", "--zzzzzz" }, "unknown option '--zzzzzz'", "lists the options" },
        { { "add", "-Z" }, "unknown option '-Z'", "" },
        { { "add", "--depth", "3" }, "option --depth does not belong to this command", "--help" },
        { { "add", "--index-url" }, "option --index-url wants a value: --index-url URL", "" },
        { { "add", "--offline=yes" }, "option --offline takes no value", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct options o;
        struct err e = { 0 };

        assert_false(parse(cases[i].word, &a, &o, &e));
        if (!strstr(e.text, cases[i].text) || !strstr(e.hint, cases[i].hint))
            fail_msg("case %zu: %s, %s", i, e.text, e.hint);
        assert_int_equal(err_exit_code(&e), 2);
    }
}

static void words_of_a_child_are_its_own(void **state)
{
    static const char *const run[WORDS] = { "--offline", "run", "-q", "python", "-q", "--json", "--" };
    static const char *const dashes[WORDS] = { "add", "--", "--offline", "-x" };
    static const char *const raw[WORDS] = { "raw", "--json", "1.0" };
    AUTO_ARENA a = { 0 };
    struct options o;
    struct err e = { 0 };

    (void)state;
    assert_true(parse(run, &a, &o, &e));
    assert_int_equal(o.words.n, 4);
    assert_true(str_eq(o.words.p[1], STR("-q")));
    assert_true(option_flag(&o, OPT_OFFLINE) && option_flag(&o, OPT_QUIET) && !option_flag(&o, OPT_JSON));
    assert_true(parse(dashes, &a, &o, &e));
    assert_int_equal(o.words.n, 2);
    assert_false(option_flag(&o, OPT_OFFLINE));
    assert_true(parse(raw, &a, &o, &e));
    assert_int_equal(o.words.n, 2);
}

static void a_word_beats_the_variable(void **state)
{
    static const char *const without[WORDS] = { "add", "x" };
    static const char *const with[WORDS] = { "add", "-i", "https://index.example/word/" };
    AUTO_ARENA a = { 0 };
    struct options o;
    struct err e = { 0 };

    (void)state;
    assert_int_equal(setenv("BLAST_INDEX_URL", "https://index.example/variable/", 1), 0);
    assert_int_equal(setenv("BLAST_REQUIREMENT", "a.txt b.txt", 1), 0);
    assert_int_equal(setenv("BLAST_OFFLINE", "0", 1), 0);
    assert_true(parse(without, &a, &o, &e));
    assert_true(str_eq(option_value(&o, OPT_INDEX_URL), STR("https://index.example/variable/")));
    assert_int_equal(o.at[OPT_REQUIREMENT].values.n, 2);
    assert_false(option_flag(&o, OPT_OFFLINE));
    assert_true(parse(with, &a, &o, &e));
    assert_true(str_eq(option_value(&o, OPT_INDEX_URL), STR("https://index.example/word/")));
    assert_int_equal(unsetenv("BLAST_INDEX_URL") | unsetenv("BLAST_REQUIREMENT") | unsetenv("BLAST_OFFLINE"), 0);
}

static void repeated_options_add_up(void **state)
{
    static const char *const word[WORDS] = { "add", "-vv", "-v", "-r", "a", "-rb" };
    AUTO_ARENA a = { 0 };
    struct options o;
    struct err e = { 0 };

    (void)state;
    assert_true(parse(word, &a, &o, &e));
    assert_int_equal(option_count(&o, OPT_VERBOSE), 3);
    assert_int_equal(o.at[OPT_REQUIREMENT].values.n, 2);
    assert_true(str_eq(o.at[OPT_REQUIREMENT].values.p[1], STR("b")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_values_in_every_spelling), cmocka_unit_test(says_what_is_wrong),
        cmocka_unit_test(words_of_a_child_are_its_own),   cmocka_unit_test(a_word_beats_the_variable),
        cmocka_unit_test(repeated_options_add_up),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
