#include "resolve/term.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"

/* A package of four versions has five states: rank 0 .. 3, or not chosen (bit 4). A term is the states it allows. */
#define VERSIONS 4
#define STATES (1u << (VERSIONS + 1))

static struct term term_from(struct arena *a, uint32_t states)
{
    bool positive = !(states >> VERSIONS & 1);
    uint32_t ranks = (positive ? states : ~states) & ((1u << VERSIONS) - 1);
    struct interval one[VERSIONS];
    size_t n = 0;

    for (uint32_t k = 0; k < VERSIONS; k++)
        if (ranks >> k & 1)
            one[n++] = (struct interval){ k, k + 1 };
    return (struct term){ 7, positive, set_of(a, one, n) };
}

static uint32_t states_of(const struct term *t)
{
    uint32_t ranks = 0;

    for (uint32_t k = 0; k < VERSIONS; k++)
        if (set_has(&t->set, k))
            ranks |= 1u << k;
    return t->positive ? ranks : ~ranks & (STATES - 1);
}

static void agrees_with_sets_of_states(void **state)
{
    AUTO_ARENA a = { 0 };

    (void)state;
    for (uint32_t x = 0; x < STATES; x++) {
        for (uint32_t y = 0; y < STATES; y++) {
            struct term tx = term_from(&a, x), ty = term_from(&a, y);
            struct term both = term_and(&a, &tx, &ty), any = term_or(&a, &tx, &ty), not_x = term_not(tx);
            enum term_relation r = term_relate(&tx, &ty);

            assert_int_equal(states_of(&both), x & y);
            assert_int_equal(states_of(&any), x | y);
            assert_int_equal(states_of(&not_x), ~x & (STATES - 1));
            assert_int_equal(both.pkg, 7);
            /* "Chosen at no version" is no state of knowledge: the solver never knows an empty positive term. A
             * package may have versions that nobody has asked for yet, so a negative term never implies a positive
             * one, even where the states of this small package would. */
            if (x == 0 || y == 0 || tx.set.n == 0)
                continue;
            assert_int_equal(r == TERM_SATISFIED, (x & ~y) == 0);
            assert_int_equal(r == TERM_CONTRADICTED, (x & y) == 0);
        }
    }
}

static void knows_the_term_that_says_nothing(void **state)
{
    struct term any = term_no(3, set_none()), some = term_yes(3, set_one(1));

    (void)state;
    assert_true(term_is_any(&any));
    assert_false(term_is_any(&some));
    assert_int_equal(term_relate(&some, &any), TERM_SATISFIED);
    assert_int_equal(term_relate(&any, &some), TERM_OPEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(agrees_with_sets_of_states),
        cmocka_unit_test(knows_the_term_that_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
