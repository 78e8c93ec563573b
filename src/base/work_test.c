/* Also the subject of the ThreadSanitizer build: meson setup build/tsan -Db_sanitize=thread && meson test -C build/tsan
 * base-work. */
#include "base/work.h"

#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>
#include "base/err.h"

#define JOBS 2000

struct square {
    struct job job; /* first */
    uint64_t n, result;
    unsigned runs;
};

static void compute(struct job *j)
{
    struct square *s = (struct square *)j;

    s->result = s->n * s->n;
    s->runs++;
}

static struct work *open_pool(unsigned threads)
{
    struct work *w = NULL;
    struct err e = { 0 };

    if (!work_open(threads, &w, &e))
        fail_msg("%s", e.text);
    return w;
}

static void every_job_runs_once_and_comes_back_once(void **state)
{
    static const unsigned threads[] = { 0, 1, 2, 8, 1000 };

    (void)state;
    for (size_t k = 0; k < COUNT(threads); k++) {
        static struct square s[JOBS];
        AUTO_WORK w = open_pool(threads[k]);
        size_t back = 0;

        for (size_t i = 0; i < JOBS; i++) {
            s[i] = (struct square){ .job.run = compute, .n = i };
            work_push(w, &s[i].job);
        }
        assert_int_equal(work_outstanding(w), JOBS);
        for (struct job *j; (j = work_next(w, true)); back++)
            assert_int_equal(((struct square *)j)->runs, 1);
        assert_int_equal(back, JOBS);
        assert_int_equal(work_outstanding(w), 0);
        for (size_t i = 0; i < JOBS; i++)
            assert_int_equal(s[i].result, i * i);
    }
}

static void one_thread_keeps_the_order(void **state)
{
    struct square s[100];
    AUTO_WORK w = open_pool(1);

    (void)state;
    for (size_t i = 0; i < COUNT(s); i++) {
        s[i] = (struct square){ .job.run = compute, .n = i };
        work_push(w, &s[i].job);
    }
    for (size_t i = 0; i < COUNT(s); i++)
        assert_ptr_equal(work_next(w, true), &s[i].job);
}

static void nothing_outstanding_gives_nothing(void **state)
{
    AUTO_WORK w = open_pool(2);

    (void)state;
    assert_null(work_next(w, false));
    assert_null(work_next(w, true)); /* and does not wait for ever */
}

static void its_descriptor_tells_when_results_wait(void **state)
{
    AUTO_WORK w = open_pool(2);
    struct square s = { .job.run = compute, .n = 3 };
    struct pollfd p = { work_fd(w), POLLIN, 0 };

    (void)state;
    assert_int_equal(poll(&p, 1, 0), 0);
    work_push(w, &s.job);
    assert_int_equal(poll(&p, 1, 60000), 1);
    assert_ptr_equal(work_next(w, false), &s.job);
    assert_int_equal(poll(&p, 1, 0), 0);
}

/* A loop that pushes, polls and takes as the product does: no wake-up may be lost. */
static void a_loop_of_polls_sees_every_result(void **state)
{
    static struct square s[JOBS];
    AUTO_WORK w = open_pool(3);
    size_t pushed = 0, back = 0;

    (void)state;
    while (back < JOBS) {
        while (pushed < JOBS && work_outstanding(w) < 5) {
            s[pushed] = (struct square){ .job.run = compute, .n = pushed };
            work_push(w, &s[pushed++].job);
        }
        struct pollfd p = { work_fd(w), POLLIN, 0 };

        if (poll(&p, 1, 60000) != 1)
            fail_msg("no result within a minute, %zu of %d are back", back, JOBS);
        while (work_next(w, false))
            back++;
    }
    assert_null(work_next(w, true));
}

static void a_finished_job_may_be_pushed_again(void **state)
{
    AUTO_WORK w = open_pool(2);
    struct square s = { .job.run = compute };

    (void)state;
    for (unsigned i = 1; i <= 100; i++) {
        work_push(w, &s.job);
        assert_ptr_equal(work_next(w, true), &s.job);
        assert_int_equal(s.runs, i);
    }
}

static void closing_drops_what_has_not_begun(void **state)
{
    static struct square s[JOBS];
    struct work *w = open_pool(2);

    (void)state;
    for (size_t i = 0; i < JOBS; i++) {
        s[i] = (struct square){ .job.run = compute, .n = i };
        work_push(w, &s[i].job);
    }
    work_close(w);
    for (size_t i = 0; i < JOBS; i++)
        assert_in_range(s[i].runs, 0, 1);
    work_close(NULL);
}

static void look_at_signals(struct job *j)
{
    sigset_t set;

    ((struct square *)j)->result = pthread_sigmask(SIG_SETMASK, NULL, &set) == 0 && sigismember(&set, SIGINT) == 1;
}

static void signals_go_to_the_main_thread(void **state)
{
    AUTO_WORK w = open_pool(1);
    struct square s = { .job.run = look_at_signals };
    sigset_t set;

    (void)state;
    work_push(w, &s.job);
    assert_non_null(work_next(w, true));
    assert_int_equal(s.result, 1);
    assert_int_equal(pthread_sigmask(SIG_SETMASK, NULL, &set), 0);
    assert_int_equal(sigismember(&set, SIGINT), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_job_runs_once_and_comes_back_once),
        cmocka_unit_test(one_thread_keeps_the_order),
        cmocka_unit_test(nothing_outstanding_gives_nothing),
        cmocka_unit_test(its_descriptor_tells_when_results_wait),
        cmocka_unit_test(a_loop_of_polls_sees_every_result),
        cmocka_unit_test(a_finished_job_may_be_pushed_again),
        cmocka_unit_test(closing_drops_what_has_not_begun),
        cmocka_unit_test(signals_go_to_the_main_thread),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
