#include "codec/ini.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* "section.name=value@line;" for each, line ends inside values shown as ^ */
static bool render(struct str text, struct arena *a, struct buf *out, struct err *e)
{
    struct ini i;
    struct ini_item item;

    ini_init(&i, text, a, e);
    while (ini_next(&i, &item)) {
        (void)buf_printf(out, STR_FMT "." STR_FMT "=", STR_ARG(item.section), STR_ARG(item.name));
        for (size_t k = 0; k < item.value.n; k++)
            (void)buf_char(out, item.value.p[k] == '\n' ? '^' : item.value.p[k]);
        (void)buf_printf(out, "@%zu;", item.line);
    }
    return !i.failed;
}

static void reads_what_configparser_reads(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "" },
        { "# only a comment\n; and one more\n", "" },
        { "[console_scripts]\nDemo = demo.cli:main [extra]\ndemo=x:y\n",
          "console_scripts.Demo=demo.cli:main [extra]@2;console_scripts.demo=x:y@3;" },
        { "[a]\r\nx = 1\r\n\r\n[b]\r\ny = 2", "a.x=1@2;b.y=2@5;" },
        { "  [a]\n  x=1\n  y=2\n", "a.x=1@2;a.y=2@3;" },
        { "[a]\nx = 1\n  y = 2\n\n  # c\n  z\nb=3\n", "a.x=1^y = 2^^z@2;a.b=3@7;" },
        { "[a]\nx=\n  1\n  2\n", "a.x=^1^2@2;" },
        { "[a]\nx=1\n ;foo\n  b\n\n\n", "a.x=1^b@2;" },
        { "[a] junk\nx=", "a.x=@2;" },
        { "[a]]\nq=1", "a].q=1@2;" },
        { "[a]\nx: y=1\n", "a.x: y=1@2;" },
        { "[a]\nx=1 ; c # d\n", "a.x=1 ; c # d@2;" },
        { "[a]\nx = y == z\n", "a.x=y == z@2;" },
        { "[a]\nx=1\nx=2\n[a]\nx=3\n", "a.x=1@2;a.x=2@3;a.x=3@5;" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b;
        struct err e = { 0 };

        buf_init(&b, 4096);
        if (!render(str_of(cases[i].text), &a, &b, &e))
            fail_msg("%s: %s", cases[i].text, e.text);
        assert_string_equal(buf_done(&b).p, cases[i].want);
    }
}

static void names_the_line_that_is_wrong(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "\nx = 1\n", "line 2: expected a [section] before the first name" },
        { "[]\nx=1", "line 1: expected a [section] before the first name" },
        { "[a]\nx = 1\n  more\nnothing\n", "line 4: expected 'name = value'" },
        { "[a]\n= 1\n", "line 2: expected 'name = value'" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b;
        struct err e = { 0 };

        buf_init(&b, 4096);
        assert_false(render(str_of(cases[i].text), &a, &b, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        assert_string_equal(e.text, cases[i].why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_what_configparser_reads),
        cmocka_unit_test(names_the_line_that_is_wrong),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
