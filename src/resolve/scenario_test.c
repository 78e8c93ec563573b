/* Runs every scenario of tests/resolve/: once with all answers at hand, once with waits in between. */
#include "resolve/scenario.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define FILE_MAX (1u << 20)

static unsigned count, wrong;

static void show(const char *file, const struct scenario_result *r, const char *what)
{
    print_error("%s: %.*s: %s\n--- expected\n%.*s--- got\n%.*s", file, STR_ARG(r->name), what, STR_ARG(r->expect),
                STR_ARG(r->output));
    wrong++;
}

static void run_one(const char *file, struct str one, unsigned line)
{
    AUTO_ARENA a = { 0 };
    struct scenario_result at_once = { 0 }, waiting = { 0 };
    struct err e = { 0 };

    count++;
    if (!scenario_run(one, line, 0, &a, &at_once, &e) || !scenario_run(one, line, 3, &a, &waiting, &e)) {
        print_error("%s: %s\n", file, e.text);
        wrong++;
        return;
    }
    if (at_once.name.n == 0 || at_once.expect.n == 0)
        show(file, &at_once, "has no name or no @EXPECT");
    else if (!str_eq(at_once.output, at_once.expect))
        show(file, &at_once, "another outcome");
    else if (!str_eq(waiting.output, at_once.output))
        show(file, &waiting, "waiting changed the outcome");
    else if (at_once.steps > at_once.max_steps) {
        print_error("%s: %.*s: tried %u versions, at most %u expected\n", file, STR_ARG(at_once.name), at_once.steps,
                    at_once.max_steps);
        wrong++;
    }
}

static void run_file(int dir, const char *name)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str rest, one = { 0 };
    unsigned line = 1;

    if (!fd_read_file(dir, name, FILE_MAX, &a, &rest, &e))
        fail_msg("%s", e.text);
    while (scenario_next(&rest, &one, &line))
        run_one(name, one, line);
}

static void every_scenario_has_the_expected_outcome(void **state)
{
    const char *vectors = getenv("BLAST_VECTORS");
    AUTO_ARENA a = { 0 };
    AUTO_FILE_LIST list = { 0 };
    AUTO_FD dir = -1;
    const struct dirent *entry;
    struct err e = { 0 };

    (void)state;
    if (!vectors) {
        print_message("SKIP: BLAST_VECTORS does not say where the scenarios are\n");
        exit(77);
    }

    struct str path = arena_printf(&a, "%s/../resolve", vectors);

    if (!fd_open_dir(AT_FDCWD, path.p, &dir, &e) || !file_list_open(AT_FDCWD, path.p, &list, &e))
        fail_msg("%s", e.text);
    while (file_list_next(&list, &entry, &e))
        if (str_ends(str_of(entry->d_name), STR(".test")))
            run_file(dir, entry->d_name);
    assert_int_equal(e.kind, ERR_NONE);
    print_message("%u scenarios\n", count);
    assert_int_equal(wrong, 0);
    assert_true(count >= 150);
}

static void names_the_line_that_cannot_be_read(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "@UNIVERSE\na 1.0\na one\n", "line 3 of the scenario" },
        { "@UNIVERSE\na 1.0 jolly\n", "'jolly' is not python, yanked or unusable" },
        { "@WANT\na ==\n", "line 2 of the scenario" },
        { "@OPTIONS\nspeed high\n", "unknown option 'speed'" },
        { "@UNIVERS\n", "unknown heading '@UNIVERS'" },
        { "a 1.0\n", "stands before any heading" },
        { "@UNIVERSE\na 1.0\na 1\n", "version '1' of 'a' is there twice" },
        { "@UNIVERSE\na 1.0 : [x b\n", "no ']' in '[x b'" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct scenario_result out;
        struct err e = { 0 };

        assert_false(scenario_run(str_of(cases[i].text), 1, 0, &a, &out, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        if (!strstr(e.text, cases[i].why))
            fail_msg("'%s' is not in '%s'", cases[i].why, e.text);
    }
}

static void takes_a_text_apart_at_its_names(void **state)
{
    struct str rest = STR("# head\n@NAME one\n@UNIVERSE\n@NAME two\n@WANT\n\n@NAME three\n"), one = { 0 };
    static const unsigned lines[] = { 1, 4, 7 };
    unsigned line = 1;

    (void)state;
    for (size_t i = 0; i < COUNT(lines); i++) {
        assert_true(scenario_next(&rest, &one, &line));
        assert_int_equal(line, lines[i]);
    }
    assert_false(scenario_next(&rest, &one, &line));
    assert_true(str_eq(one, STR("@NAME three\n")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_scenario_has_the_expected_outcome),
        cmocka_unit_test(names_the_line_that_cannot_be_read),
        cmocka_unit_test(takes_a_text_apart_at_its_names),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
