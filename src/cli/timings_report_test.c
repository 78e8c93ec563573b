#include "cli/timings_report.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/trace.h"

static void the_critical_path_goes_back_over_what_ended_last_before(void **state)
{
    static const struct trace_span s[] = {
        { TRACE_PHASE, STR_INIT("resolve"), 0, 60, 0 }, { TRACE_PAGE, STR_INIT("a"), 0, 20, 0 },
        { TRACE_PAGE, STR_INIT("b"), 0, 30, 0 },        { TRACE_METADATA, STR_INIT("c"), 30, 60, 0 },
        { TRACE_FETCH, STR_INIT("d"), 61, 100, 0 },     { TRACE_FETCH, STR_INIT("e"), 61, 70, 0 },
        { TRACE_HIT, STR_INIT("f"), 61, 200, 0 },
    };
    static const char *const want[] = { "b", "c", "d" };
    AUTO_ARENA a = { 0 };
    struct timings_chain c = timings_critical(s, COUNT(s), &a);

    (void)state;
    assert_int_equal(c.n, COUNT(want));
    for (size_t i = 0; i < c.n; i++)
        assert_string_equal(c.p[i]->name.p, want[i]);
}

static void nothing_has_an_empty_path(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    assert_int_equal(timings_critical(NULL, 0, &a).n, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_critical_path_goes_back_over_what_ended_last_before),
        cmocka_unit_test(nothing_has_an_empty_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
