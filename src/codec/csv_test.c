#include "codec/csv.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

/* "<field><field>;" for each row, with its line before it */
static bool render(struct str text, struct arena *a, struct buf *out, struct err *e)
{
    struct csv c;
    struct str field[4];
    size_t n;

    csv_init(&c, text, a, e);
    while (csv_next(&c, field, COUNT(field), &n)) {
        (void)buf_printf(out, "%zu:", c.line);
        for (size_t i = 0; i < MIN(n, COUNT(field)); i++)
            (void)buf_printf(out, "<" STR_FMT ">", STR_ARG(field[i]));
        (void)buf_str(out, n > COUNT(field) ? STR("+;") : STR(";"));
    }
    return !c.failed;
}

static void reads_rows_as_python_does(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "", "" },
        { "\n\r\n\r", "" },
        { "a", "1:<a>;" },
        { "a,b,c\n", "1:<a><b><c>;" },
        { "a,,\n,\n", "1:<a><><>;2:<><>;" },
        { "a,b\r\nc\rd\n\ne", "1:<a><b>;2:<c>;3:<d>;5:<e>;" },
        { "demo/a.py,sha256=AbC-_,12\ndemo-1.0.dist-info/RECORD,,\n",
          "1:<demo/a.py><sha256=AbC-_><12>;2:<demo-1.0.dist-info/RECORD><><>;" },
        { "\"a,b\",\"c\"\"d\",\"\"\n", "1:<a,b><c\"d><>;" },
        { "\"a\nb\r\nc\",x\ny", "1:<a\nb\r\nc><x>;4:<y>;" },
        { "a\"b,c\"\"\n", "1:<a\"b><c\"\">;" },
        { "\"a\"b\"c\",d\n", "1:<ab\"c\"><d>;" },
        { "\"\"\"\"", "1:<\">;" },
        { " \"a\" ,b", "1:< \"a\" ><b>;" },
        { "1,2,3,4,5,6", "1:<1><2><3><4>+;" },
        { "\xC3\xA9.py,,", "1:<\xC3\xA9.py><><>;" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b;
        struct err e = { 0 };

        buf_init(&b, 4096);
        assert_true(render(str_of(cases[i].text), &a, &b, &e));
        assert_string_equal(buf_done(&b).p, cases[i].want);
    }
}

static void fails_when_the_text_ends_inside_quotes(void **state)
{
    static const char *const cases[] = { "a,b\nc,\"d", "a\n\"", "a\n\"b\n\nc\"\"", "x\n\"a\"\"" };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b;
        struct err e = { 0 };

        buf_init(&b, 4096);
        assert_false(render(str_of(cases[i]), &a, &b, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        assert_string_equal(e.text, "line 2: the text ends inside quotes");
    }
}

static void copies_only_what_had_to_change(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct csv c;
    struct str text = STR("plain,\"quoted\",\"dou\"\"bled\""), field[3];
    size_t n;

    (void)state;
    csv_init(&c, text, &a, &e);
    assert_true(csv_next(&c, field, 3, &n));
    assert_ptr_equal(field[0].p, text.p);
    assert_ptr_equal(field[1].p, text.p + 7);
    assert_true(field[2].p < text.p || field[2].p > text.p + text.n);
}

static void writes_what_it_reads_back(void **state)
{
    const struct str rows[][3] = {
        { STR("a.py"), STR("sha256=x"), STR("1") },
        { STR("com,ma"), STR("quo\"te"), STR("li\nne") },
        { STR(""), STR(""), STR("\"") },
    };
    AUTO_ARENA a = { 0 };
    AUTO_BUF b;
    struct err e = { 0 };
    struct csv c;
    struct str field[3];
    size_t n;

    (void)state;
    buf_init(&b, 4096);
    for (size_t i = 0; i < COUNT(rows); i++)
        assert_true(csv_write(&b, rows[i], 3));
    assert_true(csv_write(&b, rows[2], 1));
    assert_string_equal(buf_done(&b).p,
                        "a.py,sha256=x,1\n\"com,ma\",\"quo\"\"te\",\"li\nne\"\n,,\"\"\"\"\n\"\"\n");
    csv_init(&c, buf_done(&b), &a, &e);
    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_true(csv_next(&c, field, 3, &n) && n == 3);
        for (size_t k = 0; k < 3; k++)
            assert_true(str_eq(field[k], rows[i][k]));
    }
    assert_true(csv_next(&c, field, 3, &n) && n == 1 && field[0].n == 0);
    assert_false(csv_next(&c, field, 3, &n));
}

static void says_when_the_buffer_is_full(void **state)
{
    AUTO_BUF b;
    struct str field = STR("12345");

    (void)state;
    buf_init(&b, 5);
    assert_false(csv_write(&b, &field, 1));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_rows_as_python_does),
        cmocka_unit_test(fails_when_the_text_ends_inside_quotes),
        cmocka_unit_test(copies_only_what_had_to_change),
        cmocka_unit_test(writes_what_it_reads_back),
        cmocka_unit_test(says_when_the_buffer_is_full),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
