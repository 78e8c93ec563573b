#include "codec/mail.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"

/* "name=value|name=value|>body", line ends inside values shown as ^ */
static void render(struct str text, struct buf *out)
{
    struct str name, value, rest = text;

    while (mail_next(&rest, &name, &value)) {
        (void)buf_printf(out, STR_FMT "=", STR_ARG(name));
        for (size_t i = 0; i < value.n; i++)
            (void)buf_char(out, value.p[i] == '\n' || value.p[i] == '\r' ? '^' : value.p[i]);
        (void)buf_char(out, '|');
    }
    (void)buf_char(out, '>');
    (void)buf_str(out, rest.n ? rest : STR(""));
}

static void reads_fields_and_leaves_the_body(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", ">" },
        { "Name: demo", "Name=demo|>" },
        { "Name: demo\nVersion: 1.0\n\nThe body\n", "Name=demo|Version=1.0|>The body\n" },
        { "Name:demo\r\nVersion:\t 1.0 \r\n\r\nBody: no field\r\n", "Name=demo|Version=1.0|>Body: no field\r\n" },
        { "Name: demo\rVersion: 1\r\rbody", "Name=demo|Version=1|>body" },
        { "Summary: a: b\nEmpty:\nx: y", "Summary=a: b|Empty=|x=y|>" },
        { "License: one\n  two\n\tthree\nX: 1\n", "License=one^  two^\tthree|X=1|>" },
        { "License:\n  two\n", "License=two|>" },
        { "A: 1\n \nB: 2\n", "A=1|B=2|>" }, /* a line of blanks goes on with the field: RFC 5322, 3.2.2 */
        { "\nName: body\n", ">Name: body\n" },
        { "Name: demo\nno field here\nX: 1\n", "Name=demo|>no field here\nX: 1\n" },
        { "Name: demo\nno field: here\n", "Name=demo|>no field: here\n" },
        { ": nameless\n more\nName: demo\n", "Name=demo|>" },
        { "  stray\nName: demo\n", "Name=demo|>" },
        { "Author: J\xC3\xBCrgen \xFF\n", "Author=J\xC3\xBCrgen \xFF|>" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF b;

        buf_init(&b, 4096);
        render(str_of(cases[i].text), &b);
        assert_string_equal(buf_done(&b).p, cases[i].want);
    }
}

static void unfolds_into_trimmed_lines(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str one = STR("one line");

    (void)state;
    assert_ptr_equal(mail_unfold(one, &a).p, one.p);
    assert_string_equal(mail_unfold(STR("one \n  two\r\n\tthree\r   \n four"), &a).p, "one\ntwo\nthree\n\nfour");
}

static void finds_the_first_field_whatever_its_case(void **state)
{
    struct str text = STR("Wheel-Version: 1.0\nTag: py3-none-any\ntag: second\n\nBuild: 7\n");
    struct str value = { 0 };

    (void)state;
    assert_true(mail_find(text, STR("TAG"), &value));
    assert_true(str_eq(value, STR("py3-none-any")));
    assert_false(mail_find(text, STR("Build"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_fields_and_leaves_the_body),
        cmocka_unit_test(unfolds_into_trimmed_lines),
        cmocka_unit_test(finds_the_first_field_whatever_its_case),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
