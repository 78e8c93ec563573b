#include "daemon/worker.h"

#include <signal.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <uv.h>
#include "base/err.h"

#define ROUNDS 200

struct watch {
    unsigned ended, told;
    int exit_code;
};

static void on_ended(void *ctx, const struct job_result *r)
{
    struct watch *w = ctx;

    w->ended++;
    w->exit_code = r->exit_code;
}

static void on_term(uv_signal_t *h, int number)
{
    struct watch *w = h->data;

    (void)number;
    w->told++;
}

/* The loop handles SIGTERM, as the daemon's does, and the handler writes into a pipe that fork() shares. */
static void to_end_a_job_at_once_ends_nothing_else(void **state)
{
    const struct worker_spec spec = { .blast = "/bin/true", .project = "/", .priority = PRIORITY_USER };
    struct watch seen = { 0 };
    const struct worker_calls calls = { .ended = on_ended, .ctx = &seen };
    uv_signal_t term = { .data = &seen };
    uv_loop_t loop;

    (void)state;
    assert_int_equal(uv_loop_init(&loop), 0);
    assert_int_equal(uv_signal_init(&loop, &term), 0);
    assert_int_equal(uv_signal_start(&term, on_term, SIGTERM), 0);
    for (unsigned i = 0; i < ROUNDS; i++) {
        struct worker *w;
        struct err e = { 0 };

        if (!worker_start(&loop, &spec, &calls, &w, &e))
            fail_msg("%s", e.text);
        worker_stop(w);
        while (seen.ended == i)
            (void)uv_run(&loop, UV_RUN_ONCE);
        if (seen.told)
            fail_msg("round %u: the signal for the job came to the daemon", i);
        assert_true(seen.exit_code == 128 + SIGTERM || seen.exit_code == 0); /* by the signal, or before it */
    }
    uv_close((uv_handle_t *)&term, NULL);
    (void)uv_run(&loop, UV_RUN_DEFAULT);
    assert_int_equal(uv_loop_close(&loop), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(to_end_a_job_at_once_ends_nothing_else),
    };

    return cmocka_run_group_tests_name("worker", tests, NULL, NULL);
}
