#include "codec/line_diff.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"

#define HEAD "--- a\n+++ b\n"

static void writes_what_diff_writes(void **state)
{
    static const struct {
        const char *old, *new, *diff;
    } cases[] = {
        { "a\nb\n", "a\nb\n", "" },
        { "", "a\n", HEAD "@@ -0,0 +1 @@\n+a\n" },
        { "a\n", "", HEAD "@@ -1 +0,0 @@\n-a\n" },
        { "a\nb\nc\n", "a\nc\n", HEAD "@@ -1,3 +1,2 @@\n a\n-b\n c\n" },
        { "a\n", "a", HEAD "@@ -1 +1 @@\n-a\n+a\n\\ No newline at end of file\n" },
        { "a\nb", "x\na\nb", HEAD "@@ -1,2 +1,3 @@\n+x\n a\n b\n\\ No newline at end of file\n" },
        { "1\n2\n3\n4\n5\n6\n7\n8\n9\n", "1\n2\n3\n4\nx\n6\n7\n8\n9\n",
          HEAD "@@ -2,7 +2,7 @@\n 2\n 3\n 4\n-5\n+x\n 6\n 7\n 8\n" },
        /* six lines between two changes: one hunk; seven: two */
        { "a\n1\n2\n3\n4\n5\n6\nb\n", "A\n1\n2\n3\n4\n5\n6\nB\n",
          HEAD "@@ -1,8 +1,8 @@\n-a\n+A\n 1\n 2\n 3\n 4\n 5\n 6\n-b\n+B\n" },
        { "a\n1\n2\n3\n4\n5\n6\n7\nb\n", "A\n1\n2\n3\n4\n5\n6\n7\nB\n",
          HEAD "@@ -1,4 +1,4 @@\n-a\n+A\n 1\n 2\n 3\n@@ -6,4 +6,4 @@\n 5\n 6\n 7\n-b\n+B\n" },
        { "a\nb\nc\na\nb\nb\na\n", "c\nb\na\nb\na\nc\n",
          HEAD "@@ -1,7 +1,6 @@\n-a\n-b\n c\n-a\n b\n+a\n b\n a\n+c\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF out = { .limit = 4096 };

        arena_init(&a);
        assert_true(line_diff(str_of(cases[i].old), str_of(cases[i].new), "a", "b", &a, &out));
        assert_string_equal(out.n ? buf_done(&out).p : "", cases[i].diff);
    }
}

/* What the new lines of a diff and its kept ones give is the new text, whatever the texts are. */
static void covers_large_changes_too(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF old = { .limit = 1 << 20 }, new = { .limit = 1 << 20 };
    AUTO_BUF out = { .limit = 1 << 20 }, back = { .limit = 1 << 20 };

    (void)state;
    arena_init(&a);
    for (unsigned i = 0; i < 3000; i++) {
        (void)buf_printf(&old, "old %u\n", i);
        (void)buf_printf(&new, "new %u\n", i);
    }
    assert_true(line_diff(buf_done(&old), buf_done(&new), "a", "b", &a, &out));
    for (struct str line, rest = buf_done(&out); str_next_line(&rest, &line);)
        if (line.p[0] == '+' && !str_starts(line, STR("+++")))
            (void)buf_printf(&back, STR_FMT "\n", STR_ARG(str_sub(line, 1, line.n)));
    assert_true(str_eq(buf_done(&back), buf_done(&new)));
}

static void says_when_there_is_no_room(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF out = { .limit = 8 };

    (void)state;
    arena_init(&a);
    assert_false(line_diff(STR("a\n"), STR("b\n"), "a", "b", &a, &out));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_diff_writes),
        cmocka_unit_test(covers_large_changes_too),
        cmocka_unit_test(says_when_there_is_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
