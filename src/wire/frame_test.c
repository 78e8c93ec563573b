#include "wire/frame.h"

#include <stdarg.h>
#include <setjmp.h>
#include <cmocka.h>
#include "wire/protocol.h"

static void add(struct frame *f, const char *p, size_t n)
{
    while (n) {
        size_t k = MIN(n, (size_t)FRAME_READ);

        memcpy(frame_room(f), p, k);
        frame_added(f, k);
        p += k;
        n -= k;
    }
}

static void gives_lines_however_the_bytes_arrive(void **state)
{
    static const char text[] = "one\n\nthree\nrest";

    (void)state;
    for (size_t step = 1; step <= sizeof text - 1; step++) {
        struct frame f;
        struct str line, got[4] = { { 0 } };
        char copy[4][8] = { 0 };
        size_t n = 0;

        frame_init(&f);
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            add(&f, text + at, MIN(step, sizeof text - 1 - at));
            while (frame_next(&f, &line) == FRAME_LINE) {
                assert_true(n < 4);
                memcpy(copy[n], line.p, line.n);
                got[n] = (struct str){ copy[n], line.n };
                n++;
            }
        }
        assert_int_equal(n, 3);
        assert_true(str_eq(got[0], STR("one")));
        assert_int_equal(got[1].n, 0);
        assert_true(str_eq(got[2], STR("three")));
        assert_true(frame_is_partial(&f));
        frame_clear(&f);
    }
}

static void refuses_the_line_that_is_one_byte_too_long(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        size_t n = WIRE_LINE_MAX - 1 + over; /* and the line end */
        char *text = malloc(n + 1);
        struct frame f;
        struct str line;

        assert_non_null(text);
        memset(text, 'x', n);
        text[n] = '\n';
        frame_init(&f);
        for (size_t at = 0; at < n + 1; at += FRAME_READ) {
            if (at < WIRE_LINE_MAX) /* what reaches the limit without line end is too long already */
                assert_int_equal(frame_next(&f, &line), FRAME_MORE);
            add(&f, text + at, MIN((size_t)FRAME_READ, n + 1 - at));
        }
        assert_int_equal(frame_next(&f, &line), over ? FRAME_TOO_LONG : FRAME_LINE);
        frame_clear(&f);
        free(text);
    }
}

static void finds_that_a_line_is_too_long_before_it_ends(void **state)
{
    struct frame f;
    struct str line;
    size_t given = 0;

    (void)state;
    frame_init(&f);
    while (frame_next(&f, &line) == FRAME_MORE) {
        memset(frame_room(&f), 'x', FRAME_READ);
        frame_added(&f, FRAME_READ);
        given += FRAME_READ;
        assert_true(given <= WIRE_LINE_MAX + FRAME_READ);
    }
    assert_true(frame_memory(&f) <= 2 * (WIRE_LINE_MAX + FRAME_READ));
    frame_clear(&f);
}

static void gives_its_memory_back_when_all_lines_are_taken(void **state)
{
    struct frame f;
    struct str line;

    (void)state;
    frame_init(&f);
    add(&f, "{}\n", 3);
    assert_int_equal(frame_next(&f, &line), FRAME_LINE);
    assert_int_equal(frame_next(&f, &line), FRAME_MORE);
    frame_room(&f)[0] = 0;
    assert_true(frame_memory(&f) <= 2 * FRAME_READ);
    assert_false(frame_is_partial(&f));
    frame_clear(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_lines_however_the_bytes_arrive),
        cmocka_unit_test(refuses_the_line_that_is_one_byte_too_long),
        cmocka_unit_test(finds_that_a_line_is_too_long_before_it_ends),
        cmocka_unit_test(gives_its_memory_back_when_all_lines_are_taken),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
