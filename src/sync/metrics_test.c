#include "sync/metrics.h"

#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/test_dir.h"
#include "config/dirs.h"

static struct dirs dirs_of(const struct test_dir *t)
{
    return (struct dirs){ .home = t->path, .state = t->path, .cache = t->path, .store = t->path, .config = t->path };
}

static void append(const struct test_dir *t, uint32_t added, uint64_t total_us)
{
    struct dirs d = dirs_of(t);
    struct metrics_record r = { .when = 1000, .total_us = total_us, .added = added, .outcome = METRICS_CHANGED,
                                .us = { 1, 2, 3, 4 }, .hits = 2 };
    struct err e = { 0 };

    if (!metrics_append(&d, &r, &e))
        fail_msg("%s", e.text);
}

static struct str text_of(const struct test_dir *t, struct buf *b)
{
    struct dirs d = dirs_of(t);
    struct err e = { 0 };

    if (!metrics_openmetrics(&d, b, &e))
        fail_msg("%s", e.text);
    return buf_done(b);
}

static void sums_become_openmetrics_text(void **state)
{
    AUTO_BUF b = { .limit = 1 << 20 };

    append(*state, 3, 20000);
    append(*state, 4, 2000000);
    const char *text = text_of(*state, &b).p;

    assert_non_null(strstr(text, "blast_syncs_total{outcome=\"changed\"} 2\n"));
    assert_non_null(strstr(text, "blast_packages_total{change=\"added\"} 7\n"));
    assert_non_null(strstr(text, "blast_store_hits_total 4\n"));
    assert_non_null(strstr(text, "blast_sync_duration_seconds_bucket{le=\"0.03\"} 1\n"));
    assert_non_null(strstr(text, "blast_sync_duration_seconds_bucket{le=\"3.00\"} 2\n"));
    assert_non_null(strstr(text, "blast_sync_duration_seconds_sum 2.020000\n"));
    assert_non_null(strstr(text, "# TYPE blast_syncs counter\n"));
}

static void nothing_recorded_is_no_text(void **state)
{
    AUTO_BUF b = { .limit = 1 << 20 };

    assert_int_equal(text_of(*state, &b).n, 0);
}

static void the_ring_keeps_the_last_ones_and_the_file_its_size(void **state)
{
    const struct test_dir *t = *state;
    struct dirs d = dirs_of(t);
    AUTO_ARENA a = { 0 };
    struct metrics_record *p;
    struct err e = { 0 };
    struct stat st;
    size_t n;

    for (uint32_t i = 0; i < METRICS_RING + 10; i++)
        append(t, i, 1);
    assert_true(metrics_recent(&d, &a, &p, &n, &e));
    assert_int_equal(n, METRICS_RING);
    assert_int_equal(p[0].added, 10);
    assert_int_equal(p[n - 1].added, METRICS_RING + 9);
    assert_int_equal(fstatat(t->fd, "metrics", &st, 0), 0);
    assert_true(st.st_size < 100000);
}

static void a_damaged_file_begins_anew(void **state)
{
    const struct test_dir *t = *state;
    AUTO_BUF b = { .limit = 1 << 20 };
    AUTO_FD fd = -1;
    struct err e = { 0 };

    append(t, 5, 1);
    assert_true(fd_open(t->fd, "metrics", O_WRONLY, 0, &fd, &e));
    assert_int_equal(pwrite(fd, "x", 1, 40), 1);
    append(t, 1, 1);
    assert_non_null(strstr(text_of(t, &b).p, "blast_packages_total{change=\"added\"} 1\n"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(sums_become_openmetrics_text),
        TEST_IN_DIR(nothing_recorded_is_no_text),
        TEST_IN_DIR(the_ring_keeps_the_last_ones_and_the_file_its_size),
        TEST_IN_DIR(a_damaged_file_begins_anew),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
