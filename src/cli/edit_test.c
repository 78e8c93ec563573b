/* Edits that fail before an index is asked: the message names the way out, and the project's file stays as it was. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include "base/test_dir.h"
#include "cli/common.h"
#include "cli/edit.h"

static const char text[] = "[project]\nname = \"app\"\nversion = \"1\"\ndependencies = [\"Flask>=3\"] # mine\n"
                           "[project.optional-dependencies]\nweb = [\"gunicorn\"]\n"
                           "[dependency-groups]\ndev = [\"pytest\"]\n";

struct place {
    struct arena a;
    struct request request;
    struct workspace w;
    struct cmd c;
    struct sync_job job;
    struct sync_outcome out;
};

static void open_place(struct test_dir *t, const char *command, struct str word, struct place *p)
{
    struct err e = { 0 };
    char home[256];

    (void)snprintf(home, sizeof home, "%s/home", t->path);
    assert_int_equal(setenv("BLAST_HOME", home, 1), 0);
    assert_true(file_replace(t->fd, "pyproject.toml", str_of(text), 0666, FILE_NO_SYNC, &e));
    *p = (struct place){ .request = { .project = str_of(t->path) } };
    arena_init(&p->a);
    p->c = (struct cmd){ .a = &p->a, .command = command_find(str_of(command)) };
    VEC_PUSH_IN(&p->a, &p->c.options.words, word);
    if (!workspace_open(&p->request, &p->a, &p->w, &e))
        fail_msg("%s", e.text);
}

static void close_place(struct test_dir *t, struct place *p)
{
    struct err e = { 0 };
    struct str now;

    assert_true(fd_read_file(t->fd, "pyproject.toml", 1 << 16, &p->a, &now, &e));
    assert_string_equal(now.p, text);
    workspace_close(&p->w);
    arena_clear(&p->a);
}

static void a_misspelt_requirement_gets_the_nearest_of_all_lists(void **state)
{
    static const struct {
        const char *word, *hint;
    } cases[] = {
        { "flaks", "did you mean 'Flask'?" },         { "FLASKK", "did you mean 'Flask'?" },
        { "gunicron", "did you mean 'gunicorn'?" },   { "pytst", "did you mean 'pytest'?" },
        { "numpy", "blast why numpy tells what needs it" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct place p;
        struct err e = { 0 };

        open_place(*state, "remove", str_of(cases[i].word), &p);
        assert_false(edit_remove(&p.c, &p.w, &p.request, &p.job, &p.out, &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        assert_non_null(strstr(e.text, "is not a requirement of this project"));
        assert_string_equal(e.hint, cases[i].hint);
        close_place(*state, &p);
    }
}

static void a_word_that_is_no_requirement_is_refused(void **state)
{
    struct place p;
    struct err e = { 0 };

    open_place(*state, "install", STR("httpx=1"), &p);
    assert_false(edit_install(&p.c, &p.w, &p.request, &p.job, &p.out, &e));
    assert_non_null(strstr(e.text, "'httpx=1' is no requirement"));
    assert_int_equal(err_exit_code(&e), 2);
    close_place(*state, &p);
}

static void the_history_gets_the_command_line(void **state)
{
    struct place p;

    open_place(*state, "install", STR("httpx"), &p);
    VEC_PUSH_IN(&p.a, &p.c.options.words, STR("rich"));
    assert_true(str_eq(edit_command_line(&p.c), STR("install httpx rich")));
    close_place(*state, &p);
}

static void an_extra_or_group_that_is_not_there_is_named(void **state)
{
    static const struct {
        enum option_id id;
        const char *word, *text, *hint;
    } cases[] = {
        { OPT_EXTRA, "wep", "the project has no extra 'wep'", "did you mean 'web'?" },
        { OPT_EXTRA, "docs", "the project has no extra 'docs'", "it has web" },
        { OPT_GROUP, "dve1", "the project has no group 'dve1'", "it has dev" },
        { OPT_GROUP, "DEV", NULL, NULL },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct place p;
        struct err e = { 0 };

        open_place(*state, "sync", STR(""), &p);
        VEC_PUSH_IN(&p.a, &p.c.options.at[cases[i].id].values, str_of(cases[i].word));
        assert_int_equal(common_check_lists(&p.c, &p.w, &e), cases[i].text == NULL);
        assert_string_equal(e.text, cases[i].text ? cases[i].text : "");
        assert_string_equal(e.hint, cases[i].hint ? cases[i].hint : "");
        close_place(*state, &p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(a_misspelt_requirement_gets_the_nearest_of_all_lists),
        TEST_IN_DIR(a_word_that_is_no_requirement_is_refused),
        TEST_IN_DIR(the_history_gets_the_command_line),
        TEST_IN_DIR(an_extra_or_group_that_is_not_there_is_named),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
