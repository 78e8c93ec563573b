#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "config/dirs.h"

static struct dirs found(struct arena *a, const char *const *env)
{
    struct dirs d;
    struct err e = { 0 };

    if (!dirs_find(env, a, &d, &e))
        fail_msg("%s", e.text);
    return d;
}

static void uses_the_home_directory_without_variables(void **state)
{
    static const char *const env[] = { "HOME=/home/u/", "XDG_CACHE_HOME=relative", "BLAST_CACHE_DIR=", NULL };
    AUTO_ARENA a = { 0 };
    struct dirs d = found(&a, env);

    (void)state;
    assert_string_equal(d.home, "/home/u");
    assert_string_equal(d.cache, "/home/u/.cache/blast");
    assert_string_equal(d.store, "/home/u/.local/share/blast/store");
    assert_string_equal(d.config, "/home/u/.config/blast");
    assert_int_equal(strncmp(d.state, "/home/u/.local/state/blast/", 27), 0);
    assert_true(strlen(d.state + 27) > 0 && strlen(d.state + 27) <= 8);
    assert_false(d.cache_by_variable);
}

static void obeys_the_xdg_variables(void **state)
{
    static const char *const env[] = { "HOME=/h", "XDG_CACHE_HOME=/c/", "XDG_DATA_HOME=/d", "XDG_STATE_HOME=/s",
                                       "XDG_CONFIG_HOME=/e", NULL };
    AUTO_ARENA a = { 0 };
    struct dirs d = found(&a, env);

    (void)state;
    assert_string_equal(d.cache, "/c/blast");
    assert_string_equal(d.store, "/d/blast/store");
    assert_string_equal(d.config, "/e/blast");
    assert_int_equal(strncmp(d.state, "/s/blast/", 9), 0);
}

static void blast_home_moves_everything_and_single_variables_win(void **state)
{
    static const char *const env[] = { "HOME=/h", "XDG_CACHE_HOME=/c", "BLAST_HOME=/b/", "BLAST_STORE_DIR=/s/", NULL };
    AUTO_ARENA a = { 0 };
    struct dirs d = found(&a, env);

    (void)state;
    assert_string_equal(d.cache, "/b/cache");
    assert_string_equal(d.store, "/s");
    assert_string_equal(d.state, "/b/state");
    assert_string_equal(d.config, "/b/config");
    assert_true(d.cache_by_variable);
}

static void takes_relative_variables_from_the_working_directory(void **state)
{
    static const char *const env[] = { "HOME=/h", "BLAST_CACHE_DIR=x/y", NULL };
    AUTO_ARENA a = { 0 };
    struct dirs d = found(&a, env);
    char cwd[4096];

    (void)state;
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_int_equal(strncmp(d.cache, cwd, strlen(cwd)), 0);
    assert_string_equal(d.cache + strlen(cwd), "/x/y");
}

static void finds_the_home_directory_without_HOME(void **state)
{
    static const char *const env[] = { NULL };
    AUTO_ARENA a = { 0 };
    struct dirs d;
    struct err e = { 0 };

    (void)state;
    if (dirs_find(env, &a, &d, &e)) {
        assert_int_equal(d.home[0], '/'); /* by the passwd entry */
    } else {
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.hint, "BLAST_HOME"));
    }
}

static void takes_cache_dir_from_the_project_unless_a_variable_is_set(void **state)
{
    static const char *const env[] = { "HOME=/h", NULL }, *const moved[] = { "HOME=/h", "BLAST_HOME=/b", NULL };
    AUTO_ARENA a = { 0 };
    struct dirs d = found(&a, env);

    (void)state;
    dirs_use_cache(&d, STR(""), "/p", &a);
    assert_string_equal(d.cache, "/h/.cache/blast");
    dirs_use_cache(&d, STR(".blast/cache/"), "/p", &a);
    assert_string_equal(d.cache, "/p/.blast/cache");
    dirs_use_cache(&d, STR("~/x"), "/p", &a);
    assert_string_equal(d.cache, "/h/x");
    dirs_use_cache(&d, STR("/abs"), "/p", &a);
    assert_string_equal(d.cache, "/abs");
    d = found(&a, moved);
    dirs_use_cache(&d, STR("/abs"), "/p", &a);
    assert_string_equal(d.cache, "/b/cache");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(uses_the_home_directory_without_variables),
        cmocka_unit_test(obeys_the_xdg_variables),
        cmocka_unit_test(blast_home_moves_everything_and_single_variables_win),
        cmocka_unit_test(takes_relative_variables_from_the_working_directory),
        cmocka_unit_test(finds_the_home_directory_without_HOME),
        cmocka_unit_test(takes_cache_dir_from_the_project_unless_a_variable_is_set),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
