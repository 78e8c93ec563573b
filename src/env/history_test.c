#include "env/test_env.h"

#include <sys/file.h>
#include <sys/stat.h>
#include "env/history.h"
#include "env/inuse.h"
#include "env/pin.h"

/* Makes the content of an older generation current, as undo and the like do. */
static uint32_t go(struct test_env *t, uint32_t target, enum generation_kind kind)
{
    struct generation old = test_env_load(t, target), g = { .reason = { .command = STR("go"), .actor = STR("cli") } };
    struct err e = { 0 };

    if (!history_place(&t->env, target, kind, &t->a, &g, &e))
        fail_msg("%s", e.text);
    g.packages = old.packages;
    g.n_packages = old.n_packages;
    g.content = old.content;
    assert_true(generation_reuse(&t->env, old.tree, &g, false, &e));
    return g.seq;
}

static bool has_tree(struct test_env *t, uint32_t n)
{
    char path[64];

    (void)snprintf(path, sizeof path, ".gen/%u", n);
    return file_exists(t->env.dir, path);
}

static bool is_known(struct test_env *t, uint32_t seq)
{
    struct generation g;
    struct err e = { 0 };
    bool there;

    assert_true(generation_load(&t->env, seq, &t->a, &g, &there, &e));
    return there;
}

static void undo_pins_until_resume_or_the_next_change(void **state)
{
    struct test_env *t = *state;
    struct err e = { 0 };
    uint32_t seq, first = test_env_publish(&t->env, "1.0");

    (void)test_env_publish(&t->env, "2.0");
    assert_false(pin_get(&t->env, &seq));
    uint32_t undone = go(t, first, GENERATION_UNDO);

    assert_true(pin_get(&t->env, &seq));
    assert_int_equal(seq, undone);
    assert_true(pin_clear(&t->env, &e));
    assert_false(pin_get(&t->env, &seq));
    assert_true(pin_set(&t->env, &e));
    assert_true(pin_get(&t->env, &seq));
    (void)test_env_publish(&t->env, "3.0");
    assert_false(pin_get(&t->env, &seq));
}

static void a_redo_is_pinned_while_more_can_be_redone(void **state)
{
    struct test_env *t = *state;
    uint32_t seq, one = test_env_publish(&t->env, "1.0"), two = test_env_publish(&t->env, "2.0"),
                  three = test_env_publish(&t->env, "3.0");

    (void)go(t, two, GENERATION_UNDO);
    (void)go(t, one, GENERATION_UNDO);
    (void)go(t, two, GENERATION_REDO);
    assert_true(pin_get(&t->env, &seq));
    (void)go(t, three, GENERATION_REDO);
    assert_false(pin_get(&t->env, &seq));
}

static void generations_are_found_by_package_and_by_age(void **state)
{
    struct test_env *t = *state;
    struct err e = { 0 };
    uint32_t seq, one;

    assert_int_equal(setenv("BLAST_NOW", "2026-01-01T00:00:00Z", 1), 0);
    one = test_env_publish(&t->env, "1.0");
    assert_int_equal(setenv("BLAST_NOW", "2026-01-01T03:00:00Z", 1), 0);
    (void)test_env_publish(&t->env, "2.0");
    assert_true(history_find(&t->env, STR("@2h"), &seq, &e));
    assert_int_equal(seq, one);
    assert_true(history_find(&t->env, STR("before:Demo"), &seq, &e));
    assert_int_equal(seq, one);
    assert_true(history_find(&t->env, STR("@"), &seq, &e));
    assert_int_equal(seq, t->env.current);
    static const struct {
        const char *text, *why;
    } wrong[] = {
        { "@2y", "is not understood" },       { "@h", "is not understood" },      { "@-x", "not of the form" },
        { "before:x", "in no generation" },   { "@99w", "does not reach back" },  { "nothing", "neither a generation" },
    };

    for (size_t i = 0; i < COUNT(wrong); i++) {
        struct err why = { 0 };

        assert_false(history_find(&t->env, str_of(wrong[i].text), &seq, &why));
        if (!strstr(why.text, wrong[i].why))
            fail_msg("%s: %s", wrong[i].text, why.text);
    }
    assert_int_equal(unsetenv("BLAST_NOW"), 0);
}

static void a_failed_trial_is_kept_but_leads_nowhere(void **state)
{
    struct test_env *t = *state;
    struct generation g = { .reason = { .command = STR("update"), .actor = STR("cli") } };
    struct generation_stage stage;
    struct err e = { 0 };
    uint32_t seq, one = test_env_publish(&t->env, "1.0"), two = test_env_publish(&t->env, "2.0");

    assert_true(generation_begin(&t->env, &stage, &e));
    assert_true(generation_set_aside(&t->env, &stage, &g, &e));
    assert_int_equal(t->env.current, two);
    uint32_t three = test_env_publish(&t->env, "3.0");

    assert_int_equal(test_env_load(t, three).parent, two);
    assert_true(history_undo_target(&t->env, 2, &seq, &e));
    assert_int_equal(seq, one);
    assert_true(history_prune(&t->env, 1, 1, &e));
    assert_true(is_known(t, g.seq) && has_tree(t, g.seq));
    assert_true(generation_begin(&t->env, &stage, &e));
    struct generation again = { .reason = g.reason };

    assert_true(generation_set_aside(&t->env, &stage, &again, &e));
    assert_true(history_prune(&t->env, 1, 1, &e));
    assert_true(has_tree(t, again.seq));
    assert_false(is_known(t, g.seq) || has_tree(t, g.seq));
}

static void what_an_undo_led_away_from_is_kept_a_while(void **state)
{
    struct test_env *t = *state;
    struct generation back = { .kind = GENERATION_UNDO, .reason = { .command = STR("undo"), .actor = STR("cli") } };
    struct err e = { 0 };
    uint32_t one = test_env_publish(&t->env, "1.0"), two = test_env_publish(&t->env, "2.0");

    back.position = back.restores = one;
    assert_true(generation_reuse(&t->env, one, &back, false, &e));
    (void)test_env_publish(&t->env, "3.0"); /* from here on redo does not lead to two */
    assert_true(history_prune(&t->env, 5, 1, &e));
    assert_true(is_known(t, two));
    for (int i = 0; i < 5; i++)
        (void)test_env_publish(&t->env, "4.0");
    assert_true(history_prune(&t->env, 5, 1, &e));
    assert_false(is_known(t, two));
}

static void a_tree_in_use_stays_with_its_manifest(void **state)
{
    struct test_env *t = *state;
    struct inuse *users;
    struct err e = { 0 };
    size_t n;
    int held;
    char path[64];
    uint32_t one = test_env_publish(&t->env, "1.0");

    (void)snprintf(path, sizeof path, ".gen/%u", one);
    assert_true(inuse_share(&t->env, path, &held));
    assert_true(held >= 0);
    for (int i = 0; i < 6; i++)
        (void)test_env_publish(&t->env, i % 2 ? "2.0" : "3.0");
    assert_true(history_prune(&t->env, 1, 1, &e));
    assert_true(is_known(t, one) && has_tree(t, one));
    assert_true(inuse_list(&t->env, &t->a, &users, &n, &e));
    assert_int_equal(n, 0); /* it is this process, which does not count itself */
    fd_close(&held);
    assert_true(history_prune(&t->env, 1, 1, &e));
    assert_false(is_known(t, one) || has_tree(t, one));
}

static void what_is_only_in_a_tree_keeps_that_tree(void **state)
{
    struct test_env *t = *state;
    struct generation g = { .kind = GENERATION_SCRATCH, .only_here = true,
                            .reason = { .command = STR("drift"), .actor = STR("unknown") } };
    struct err e = { 0 };
    uint32_t one = test_env_publish(&t->env, "1.0");

    assert_true(generation_reuse(&t->env, t->env.tree, &g, false, &e));
    for (int i = 0; i < 5; i++)
        (void)test_env_publish(&t->env, i % 2 ? "2.0" : "3.0");
    assert_true(history_prune(&t->env, 8, 1, &e));
    assert_true(has_tree(t, one));
    assert_true(history_prune(&t->env, 1, 1, &e));
    assert_false(has_tree(t, one));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(f) cmocka_unit_test_setup_teardown(f, test_env_set_up, test_env_tear_down)
        T(undo_pins_until_resume_or_the_next_change),
        T(a_redo_is_pinned_while_more_can_be_redone),
        T(generations_are_found_by_package_and_by_age),
        T(a_failed_trial_is_kept_but_leads_nowhere),
        T(what_an_undo_led_away_from_is_kept_a_while),
        T(a_tree_in_use_stays_with_its_manifest),
        T(what_is_only_in_a_tree_keeps_that_tree),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
