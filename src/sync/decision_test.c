#include "sync/decision.h"

#include "env/env.h"
#include "sync/test_project.h"

#define PROJECT "[project]\nname = 'p'\nversion = '1'\n"

/* The project with an environment for an interpreter that need not be there. */
static struct workspace *open_project(struct test_project *p, void **state)
{
    struct env env;
    struct err e = { 0 };

    test_init(p, state);
    test_write(p->t, "p/pyproject.toml", PROJECT);
    struct workspace *w = test_open(p);
    struct env_new spec = {
        .path = w->env_path,
        .state = w->dirs.state,
        .python = { .executable = STR("/nowhere/python3"), .version = STR("3.12.4"), .major = 3, .minor = 12 },
    };

    if (!env_create(&spec, &env, &e))
        fail_msg("%s", e.text);
    env_close(&env);
    return w;
}

static struct decision one(enum decision_kind kind, const char *text)
{
    static struct decision_choice choice[2] = {
        { .label = STR_INIT("move dep 1 -> 2"), .where = STR_INIT("pyproject.toml:14"), .later = true,
          .price = { .add = 1, .change = 2, .bytes = 4096, .changes = STR_INIT("+x 1 ~dep 1 -> 2") },
          .pyproject = STR_INIT("a \"quoted\"\ntext\n"), .lock = STR_INIT("the lock") },
        { .label = STR_INIT("remove x"), .where = STR_INIT(""), .price = { .remove = 1, .changes = STR_INIT("-x 1") },
          .remake = true },
    };

    return (struct decision){ .kind = kind, .text = str_of(text), .why = STR("two\nlines"), .choice = choice, .n = 2 };
}

static void park(struct workspace *w, enum decision_kind kind, const char *text, uint32_t want_id)
{
    struct decision d = one(kind, text);
    struct err e = { 0 };

    if (!decision_park(w, &d, &e))
        fail_msg("%s", e.text);
    assert_int_equal(d.id, want_id);
}

static size_t list(struct workspace *w, struct decision **out)
{
    struct err e = { 0 };
    size_t n;

    if (!decision_list(w, out, &n, &e))
        fail_msg("%s", e.text);
    return n;
}

static void a_parked_decision_comes_back_whole(void **state)
{
    struct test_project p;
    struct workspace *w = open_project(&p, state);
    struct decision *d;

    park(w, DECISION_CONFLICT, "they exclude each other", 1);
    assert_int_equal(list(w, &d), 1);
    assert_int_equal(d->kind, DECISION_CONFLICT);
    assert_true(str_eq(d->text, STR("they exclude each other")) && str_eq(d->why, STR("two\nlines")));
    assert_int_equal(d->n, 2);
    assert_true(str_eq(d->choice[0].pyproject, STR("a \"quoted\"\ntext\n")));
    assert_true(str_eq(d->choice[0].lock, STR("the lock")) && d->choice[0].later && !d->choice[0].remake);
    assert_int_equal(d->choice[0].price.change, 2);
    assert_int_equal(d->choice[0].price.bytes, 4096);
    assert_true(str_eq(d->choice[0].price.changes, STR("+x 1 ~dep 1 -> 2")));
    assert_null(d->choice[1].pyproject.p); /* not the same as an empty text */
    assert_true(d->choice[1].remake);
    test_close(&p);
}

static void the_newest_of_a_kind_takes_the_place(void **state)
{
    struct test_project p;
    struct workspace *w = open_project(&p, state);
    struct decision *d;
    struct err e = { 0 };

    park(w, DECISION_CONFLICT, "first", 1);
    park(w, DECISION_RELOCK, "other", 2);
    park(w, DECISION_CONFLICT, "second", 1);
    assert_int_equal(list(w, &d), 2);
    assert_true(str_eq(d[0].text, STR("second")) && str_eq(d[1].text, STR("other")));
    struct str notice = decision_notice(&d[1], 1, &p.a);

    assert_string_equal(notice.p, "decision 2: other (and 1 more) -> blast resolve");
    assert_true(decision_drop(w, 1, &e) && decision_drop(w, 1, &e));
    assert_int_equal(list(w, &d), 1);
    test_close(&p);
}

static void other_inputs_make_it_void(void **state)
{
    static const char *const files[] = { "p/pyproject.toml", "p/pylock.toml", "p/requirements.txt", "p/blast.toml",
                                         "p/.python-version" };
    struct test_project p;
    struct workspace *w = open_project(&p, state);
    struct decision *d;

    for (size_t i = 0; i < COUNT(files); i++) {
        park(w, DECISION_UPDATE, "news", 1);
        assert_int_equal(list(w, &d), 1);
        test_write(p.t, files[i], arena_printf(&p.a, PROJECT "# %zu\n", i).p);
        if (list(w, &d) != 0)
            fail_msg("still in force after a change of %s", files[i]);
    }
    test_close(&p);
}

static void a_damaged_file_is_removed(void **state)
{
    struct test_project p;
    struct workspace *w = open_project(&p, state);
    struct env env;
    struct err e = { 0 };
    struct decision *d;

    park(w, DECISION_UPDATE, "news", 1);
    assert_true(env_open(w->env_path, w->dirs.state, &env, &e));
    assert_true(file_replace(env.state, "decision-1.json", STR("{\"schema\":"), 0600, FILE_NO_SYNC, &e));
    assert_int_equal(list(w, &d), 0);
    assert_false(file_exists(env.state, "decision-1.json"));
    env_close(&env);
    test_close(&p);
}

static void without_an_environment_there_is_nothing_to_keep_it_in(void **state)
{
    struct test_project p;
    struct decision d = one(DECISION_UPDATE, "news");
    struct err e = { 0 };

    test_init(&p, state);
    test_write(p.t, "p/pyproject.toml", PROJECT);
    struct workspace *w = test_open(&p);

    assert_false(decision_park(w, &d, &e));
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_int_equal(list(w, &(struct decision *){ NULL }), 0);
    test_close(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, test_dir_make, test_dir_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_parked_decision_comes_back_whole),
        TEST(the_newest_of_a_kind_takes_the_place),
        TEST(other_inputs_make_it_void),
        TEST(a_damaged_file_is_removed),
        TEST(without_an_environment_there_is_nothing_to_keep_it_in),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
