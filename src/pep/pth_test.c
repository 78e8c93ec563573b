#include "pep/pth.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void code_is_found_however_its_line_begins(void **state)
{
    static const struct {
        struct str text;
        bool code;
    } cases[] = {
        { STR_INIT(""), false },
        { STR_INIT("../src\n"), false },
        { STR_INIT("# import x\n important\n import x\nimport"), false },
        { STR_INIT("import x"), true },
        { STR_INIT("import\tx"), true },
        { STR_INIT("a\nimport x"), true },
        { STR_INIT("a\rimport x"), true },
        { STR_INIT("a\r\nimport x"), true },
        { STR_INIT("a\vimport x"), true },
        { STR_INIT("a\fimport x"), true },
        { STR_INIT("a\x1cimport x"), true },
        { STR_INIT("a\xc2\x85import x"), true },
        { STR_INIT("a\x85import x"), true },
        { STR_INIT("a\xe2\x80\xa8import x"), true },
        { STR_INIT("\xef\xbb\xbfimport x"), true },
        { STR_INIT("\n\n\nimport x"), true },
        { STR_INIT("a\0import x"), false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (pth_has_code(cases[i].text) != cases[i].code)
            fail_msg("case %zu: expected %d", i, cases[i].code);
}

static void lines_come_without_their_ends(void **state)
{
    struct str rest = STR("a\r\n\nb"), line;

    (void)state;
    assert_true(pth_next(&rest, &line));
    assert_true(str_eq(line, STR("a")));
    assert_true(pth_next(&rest, &line));
    assert_int_equal(line.n, 0);
    assert_true(pth_next(&rest, &line));
    assert_true(str_eq(line, STR("b")));
    assert_false(pth_next(&rest, &line));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(code_is_found_however_its_line_begins),
        cmocka_unit_test(lines_come_without_their_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
