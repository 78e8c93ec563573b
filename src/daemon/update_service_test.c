#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/str.h"
#include "daemon/ignore.h"
#include "daemon/update_service.h"

static void looks_once_a_day_at_a_moment_of_the_projects_own(void **state)
{
    int64_t now = 2000000000, first, other;

    (void)state;
    first = update_next_check("/a", now, 0, now);
    assert_true(first >= now + UPDATE_FIRST && first <= now + UPDATE_FIRST + UPDATE_JITTER);
    first = update_next_check("/a", 0, now, now);
    other = update_next_check("/b", 0, now, now);
    assert_true(first >= now + UPDATE_EVERY && first < now + UPDATE_EVERY + UPDATE_JITTER);
    assert_true(first != other);
    assert_int_equal(first, update_next_check("/a", 0, now, now + 100)); /* the same moment, however often asked */
    assert_int_equal(update_next_check("/a", 0, now - 10 * UPDATE_EVERY, now), now); /* long ago: now */
    assert_true(update_next_check("/a", 0, now + 100 * UPDATE_EVERY, now) <= now + UPDATE_EVERY + UPDATE_JITTER);
}

static void variables_forbid_looking(void **state)
{
    static const struct {
        const char *const env[2];
        bool wanted;
    } cases[] = {
        { { "HOME=/x" }, true },
        { { "CI=true" }, false },
        { { "CI=" }, true },
        { { "CI=false" }, true },
        { { "NO_UPDATE_NOTIFIER=1" }, false },
        { { "BLAST_NO_UPDATE_NOTIFIER=yes" }, false },
        { { "BLAST_OFFLINE=1" }, false },
        { { "BLAST_OFFLINE=0" }, true },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (update_is_wanted(cases[i].env) != cases[i].wanted)
            fail_msg("%s", cases[i].env[0]);
}

#define ROUTES "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n"

static void a_default_route_is_a_way_out(void **state)
{
    static const struct {
        const char *route, *route6;
        bool online;
    } cases[] = {
        { "", "", false },
        { ROUTES, "", false },
        { ROUTES "eth0\t00000000\t010011AC\t0003\t0\t0\t0\t00000000\t0\t0\t0\n", "", true },
        { ROUTES "eth0\t000011AC\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n", "", false },
        { ROUTES "*\t00000000\t00000000\t0200\t0\t0\t0\t00000000\t0\t0\t0\n", "", false },
        { ROUTES "tun\t00000000\t00000000\t0001\t0\t0\t0\t00000080\t0\t0\t0\n", "", false },
        { "",
          "00000000000000000000000000000000 00 00000000000000000000000000000000 00 fe800000000000000000000000000001 "
          "00000400 00000001 00000000 00000003     eth0\n", true },
        { "",
          "00000000000000000000000000000000 00 00000000000000000000000000000000 00 00000000000000000000000000000000 "
          "ffffffff 00000001 00000000 00200200       lo\n", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (update_has_route(cases[i].route, cases[i].route6) != cases[i].online)
            fail_msg("case %zu", i);
}

static void changes_that_never_end_cost_one_sync_an_interval(void **state)
{
    struct update_pace p = { 0 };

    (void)state;
    for (unsigned i = 0; i < UPDATE_FREE_SYNCS; i++)
        assert_int_equal(update_pace_next(&p, 60, 1000 + i), 1000 + i);
    assert_int_equal(update_pace_next(&p, 60, 1010), 1060);
    assert_int_equal(update_pace_next(&p, 60, 1059), 1060);
    assert_int_equal(update_pace_next(&p, 60, 1060), 1060);
    assert_int_equal(update_pace_next(&p, 60, 500), 500); /* the clock was set back */
}

static void snapshots_keep_their_distance(void **state)
{
    (void)state;
    assert_int_equal(update_next_snapshot(0, 300, 1000), 1000);
    assert_int_equal(update_next_snapshot(900, 300, 1000), 1200);
    assert_int_equal(update_next_snapshot(100, 300, 1000), 1000);
    assert_int_equal(update_next_snapshot(900, 0, 1000), 0);
    assert_int_equal(update_next_snapshot(5000, 300, 1000), 1000);
}

static void reads_the_simple_lines_of_gitignore(void **state)
{
    static const struct {
        const char *line, *pattern;
        bool anchored;
    } cases[] = {
        { "out/", "out", false }, { "/out", "out", true },     { "*.egg-info/  ", "*.egg-info", false },
        { "", NULL, false },      { "# note", NULL, false },   { "!keep", NULL, false },
        { "a/b", NULL, false },   { "*", NULL, false },        { "/", NULL, false },
        { "x\r", "x", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str pattern = { 0 };
        bool anchored = false;
        bool got = ignore_line(str_of(cases[i].line), &pattern, &anchored);

        if (got != (cases[i].pattern != NULL) ||
            (got && (!str_eq(pattern, str_of(cases[i].pattern)) || anchored != cases[i].anchored)))
            fail_msg("'%s': '" STR_FMT "'", cases[i].line, STR_ARG(pattern));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(looks_once_a_day_at_a_moment_of_the_projects_own),
        cmocka_unit_test(variables_forbid_looking),
        cmocka_unit_test(a_default_route_is_a_way_out),
        cmocka_unit_test(changes_that_never_end_cost_one_sync_an_interval),
        cmocka_unit_test(snapshots_keep_their_distance),
        cmocka_unit_test(reads_the_simple_lines_of_gitignore),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
