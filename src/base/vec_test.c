#include "base/vec.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct pair {
    int a, b;
};

static void keeps_all_elements_in_order_on_the_heap(void **state)
{
    VEC(struct pair) v = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++)
        VEC_PUSH(&v, (struct pair){ i, -i });
    assert_int_equal(v.n, 1000);
    for (int i = 0; i < 1000; i++)
        assert_true(v.p[i].a == i && v.p[i].b == -i);
    VEC_CLEAR(&v);
    assert_null(v.p);
    assert_int_equal(v.n + v.cap, 0);
}

static void keeps_all_elements_in_order_in_an_arena(void **state)
{
    AUTO_ARENA a = { 0 };
    VEC(int) v = { 0 }, w = { 0 };

    (void)state;
    for (int i = 0; i < 1000; i++) { /* two that grow by turns push each other away */
        VEC_PUSH_IN(&a, &v, i);
        VEC_PUSH_IN(&a, &w, 2 * i);
    }
    for (int i = 0; i < 1000; i++)
        assert_true(v.p[i] == i && w.p[i] == 2 * i);
}

static void reserves_at_least_what_is_wanted(void **state)
{
    VEC(char) v = { 0 };

    (void)state;
    VEC_RESERVE(&v, 100);
    assert_in_range(v.cap, 100, 1000);
    char *before = v.p;

    VEC_RESERVE(&v, 50);
    assert_ptr_equal(v.p, before);
    VEC_CLEAR(&v);
}

static void doubles_so_that_pushing_stays_cheap(void **state)
{
    (void)state;
    assert_int_equal(vec_cap(0, 1), 8);
    assert_int_equal(vec_cap(8, 9), 16);
    assert_int_equal(vec_cap(8, 100), 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keeps_all_elements_in_order_on_the_heap),
        cmocka_unit_test(keeps_all_elements_in_order_in_an_arena),
        cmocka_unit_test(reserves_at_least_what_is_wanted),
        cmocka_unit_test(doubles_so_that_pushing_stays_cheap),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
