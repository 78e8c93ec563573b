#include "net/queue.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/mem.h"
#include "net/http.h"

#define MANY 500

/* Numbers that look random and are the same in each run. */
static unsigned next_number(unsigned *state)
{
    *state = *state * 1103515245u + 12345u;
    return *state >> 16;
}

static void gives_priority_first_and_keeps_the_order_of_arrival(void **state)
{
    struct http_request *r = mem_zero(MANY, sizeof *r);
    struct queue q = { 0 };
    unsigned seed = 1;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        r[i].seq = i;
        r[i].priority = (int)(next_number(&seed) % 5);
        queue_add(&q, &r[i]);
    }
    struct http_request *last = NULL;

    for (struct http_request *now; (now = queue_peek(&q)); last = now) {
        queue_remove(&q, now);
        assert_true(!last || last->priority > now->priority ||
                    (last->priority == now->priority && last->seq < now->seq));
    }
    queue_clear(&q);
    free(r);
}

static void gives_the_earliest_first_also_after_removals_in_the_middle(void **state)
{
    struct http_request *r = mem_zero(MANY, sizeof *r);
    struct queue q = { .by_time = true };
    unsigned seed = 7;
    size_t n = 0;

    (void)state;
    for (size_t i = 0; i < MANY; i++) {
        r[i].seq = i;
        r[i].due_ms = next_number(&seed);
        queue_add(&q, &r[i]);
    }
    for (size_t i = 0; i < MANY; i += 3)
        queue_remove(&q, &r[i]);
    uint64_t last = 0;

    for (struct http_request *now; (now = queue_peek(&q)); n++) {
        queue_remove(&q, now);
        assert_true(now->due_ms >= last && now->seq % 3 != 0);
        last = now->due_ms;
    }
    assert_int_equal(n, MANY - (MANY + 2) / 3);
    queue_clear(&q);
    free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(gives_priority_first_and_keeps_the_order_of_arrival),
        cmocka_unit_test(gives_the_earliest_first_also_after_removals_in_the_middle),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
