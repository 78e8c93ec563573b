#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "base/proc.h"
#include "env/activate.h"
#include "env/env.h"
#include "env/generation.h"
#include "env/history.h"
#include "env/inplace.h"
#include "env/registry.h"

#define SHA "cccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccccc"

struct place {
    char root[64], path[96], state[96];
};

static int set_up(void **state)
{
    static struct place p;

    (void)snprintf(p.root, sizeof p.root, "%s", "/tmp/blast-env-XXXXXX");
    if (!mkdtemp(p.root))
        return -1;
    (void)snprintf(p.path, sizeof p.path, "%s/demo/.venv", p.root);
    (void)snprintf(p.state, sizeof p.state, "%s/state", p.root);
    *state = &p;
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };

    return file_remove_tree(AT_FDCWD, p->root, &e) ? 0 : -1;
}

static struct env_new spec_of(struct place *p)
{
    return (struct env_new){ .path = p->path, .state = p->state,
                             .python = { .executable = STR("/usr/bin/python3"), .version = STR("3.11.2"), .major = 3,
                                         .minor = 11 } };
}

static void write_below(struct env *env, const char *path, const char *text)
{
    struct err e = { 0 };
    AUTO_FD fd = -1;

    assert_true(fd_open(env->dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, &e));
    assert_true(fd_write_all(fd, text, strlen(text), path, &e));
}

static void install_fake(struct env *env, int prefix, const char *name, const char *version)
{
    char path[256], text[256];
    struct err e = { 0 };
    AUTO_FD fd = -1;

    (void)snprintf(path, sizeof path, "%s/%s-%s.dist-info", env->site.p, name, version);
    assert_true(file_make_dirs(prefix, path, 0755, &e));
    (void)snprintf(path, sizeof path, "%s/%s-%s.dist-info/METADATA", env->site.p, name, version);
    (void)snprintf(text, sizeof text, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n\nText\n", name, version);
    assert_true(fd_open(prefix, path, O_WRONLY | O_CREAT | O_TRUNC, 0644, &fd, &e));
    assert_true(fd_write_all(fd, text, strlen(text), path, &e));
}

/* A generation with one package of the given version. */
static void publish(struct env *env, const char *version)
{
    struct generation_package p = { .name = STR("demo"), .version = str_of(version), .sha256 = STR(SHA) };
    struct generation g = { .reason = { STR("install demo"), STR("cli") }, .packages = &p, .n_packages = 1 };
    struct generation_stage stage;
    struct err e = { 0 };

    assert_true(generation_begin(env, &stage, &e));
    install_fake(env, stage.dir, "demo", version);
    assert_true(generation_commit(env, &stage, &g, true, &e));
}

static void assert_version(struct env *env, const char *version)
{
    AUTO_ARENA a = { 0 };
    struct env_packages list;
    struct err e = { 0 };

    arena_init(&a);
    assert_true(env_installed(env, &a, &list, &e));
    assert_int_equal(list.n, version ? 1 : 0);
    if (version)
        assert_true(str_eq(list.p[0].version, str_of(version)));
}

static void makes_an_environment_that_python_takes(void **state)
{
    const char *argv[] = { NULL, "-c", "import sys; print(sys.prefix); print(sys.path[-1])", NULL };
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;
    AUTO_BUF out;
    int status;

    if (access("/usr/bin/python3", X_OK) < 0) {
        print_message("SKIP: no /usr/bin/python3\n");
        exit(77);
    }
    assert_true(env_create(&spec, &env, &e));
    assert_int_equal(env.current, 1);
    assert_true(env.python_there);
    assert_int_equal(env_trouble(&env).n, 0);
    assert_true(str_eq(env.prompt, STR("demo")));
    argv[0] = env_path(&env, "bin/python");
    buf_init(&out, 4096);
    assert_true(proc_run(&(struct proc_spec){ .argv = argv, .out = &out }, &status, &e));
    assert_int_equal(status, 0);
    assert_true(str_starts(buf_done(&out), str_of(p->path)));
    assert_false(env_create(&spec, &env, &e));
    assert_non_null(strstr(e.text, "is an environment already"));
    assert_non_null(strstr(e.hint, "--force"));
}

static void opens_what_it_made_and_what_others_made(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };

    for (int plain = 0; plain < 2; plain++) {
        AUTO_ENV made;
        AUTO_ENV opened;

        spec.plain = plain;
        spec.clear = true;
        assert_true(env_create(&spec, &made, &e));
        assert_true(env_open(p->path, p->state, &opened, &e));
        assert_int_equal(opened.layout, plain ? ENV_PLAIN : ENV_GENERATIONS);
        assert_true(str_eq(opened.site, STR("lib/python3.11/site-packages")));
        assert_true(str_eq(opened.python.executable, STR("/usr/bin/python3")));
        assert_int_equal(opened.current, plain ? 0 : 2 - plain - 1);
    }
    AUTO_ENV none = { .dir = -1, .state = -1, .lock = -1 };

    assert_false(env_open(p->root, p->state, &none, &e));
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_non_null(strstr(e.text, "is no environment: it holds no pyvenv.cfg"));
}

static void refuses_a_directory_with_other_things(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env = { .dir = -1, .state = -1, .lock = -1 };
    char file[128];

    assert_true(file_make_dirs(AT_FDCWD, p->path, 0755, &e));
    (void)snprintf(file, sizeof file, "%s/notes.txt", p->path);
    assert_true(close(open(file, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)) == 0);
    assert_false(env_create(&spec, &env, &e));
    assert_non_null(strstr(e.text, "is not empty and no environment: it holds 'notes.txt'"));
}

static void undo_and_redo_walk_the_changes(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;
    AUTO_ARENA a = { 0 };
    uint32_t target;

    arena_init(&a);
    assert_true(env_create(&spec, &env, &e)); /* 1 */
    assert_true(env_lock(&env, NULL, &e));
    publish(&env, "1.0"); /* 2 */
    publish(&env, "2.0"); /* 3 */
    publish(&env, "3.0"); /* 4 */
    static const struct {
        enum generation_kind kind;
        uint32_t target;
        const char *version;
    } walk[] = {
        { GENERATION_UNDO, 3, "2.0" },     { GENERATION_UNDO, 2, "1.0" },     { GENERATION_REDO, 3, "2.0" },
        { GENERATION_REDO, 4, "3.0" },     { GENERATION_UNDO, 3, "2.0" },     { GENERATION_UNDO, 2, "1.0" },
        { GENERATION_UNDO, 1, NULL },      { GENERATION_ROLLBACK, 4, "3.0" }, { GENERATION_UNDO, 1, NULL },
    };

    for (size_t i = 0; i < COUNT(walk); i++) {
        struct generation g = { .reason = { STR("undo"), STR("cli") } }, old;
        bool there;

        target = walk[i].target;
        if (walk[i].kind == GENERATION_UNDO)
            assert_true(history_undo_target(&env, 1, &target, &e));
        if (walk[i].kind == GENERATION_REDO)
            assert_true(history_redo_target(&env, 1, &target, &e));
        assert_int_equal(target, walk[i].target);
        assert_true(generation_load(&env, target, &a, &old, &there, &e) && there);
        assert_true(generation_is_hot(&env, &old));
        g.packages = old.packages;
        g.n_packages = old.n_packages;
        assert_true(history_place(&env, target, walk[i].kind, &a, &g, &e));
        assert_true(generation_reuse(&env, old.tree, &g, true, &e));
        assert_int_equal(env.current, 5 + i);
        assert_int_equal(env.tree, old.tree);
        assert_version(&env, walk[i].version);
    }
    assert_false(history_undo_target(&env, 1, &target, &e));
    assert_non_null(strstr(e.text, "nothing to undo"));
    assert_true(history_redo_target(&env, 1, &target, &e));
    assert_false(history_redo_target(&env, 9, &target, &e));
}

static void hand_edits_make_a_tree_cold(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;
    AUTO_ARENA a = { 0 };
    struct generation g;
    bool there;

    arena_init(&a);
    assert_true(env_create(&spec, &env, &e));
    assert_true(env_lock(&env, NULL, &e));
    publish(&env, "1.0");
    assert_true(generation_load(&env, 2, &a, &g, &there, &e) && there);
    assert_true(generation_is_hot(&env, &g));
    install_fake(&env, env.dir, "other", "1.0");
    assert_false(generation_is_hot(&env, &g));
}

static void tags_name_generations_and_keep_them(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;
    AUTO_ARENA a = { 0 };
    struct generation g;
    uint32_t seq;
    bool there;

    arena_init(&a);
    assert_true(env_create(&spec, &env, &e));
    assert_true(env_lock(&env, NULL, &e));
    publish(&env, "1.0");
    assert_true(history_tag_set(&env, &(struct history_tag){ .name = STR("good"), .seq = 2 }, &e));
    assert_false(history_tag_set(&env, &(struct history_tag){ .name = STR("12"), .seq = 2 }, &e));
    assert_false(history_tag_set(&env, &(struct history_tag){ .name = STR("none"), .seq = 99 }, &e));
    assert_non_null(strstr(e.text, "generation 99"));
    for (int i = 0; i < 20; i++)
        publish(&env, "2.0");
    assert_true(history_prune(&env, 5, 2, &e));
    assert_true(history_find(&env, STR("good"), &seq, &e));
    assert_int_equal(seq, 2);
    assert_true(generation_load(&env, 2, &a, &g, &there, &e) && there);
    assert_false(generation_is_hot(&env, &g));
    assert_true(generation_load(&env, 4, &a, &g, &there, &e));
    assert_false(there);
    assert_true(history_find(&env, STR("@-1"), &seq, &e));
    assert_int_equal(seq, 21);
    assert_false(history_find(&env, STR("bad"), &seq, &e));
    assert_non_null(strstr(e.text, "neither a generation nor a tag"));
}

static void history_outlives_the_environment(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;
    AUTO_ENV again;
    AUTO_ARENA a = { 0 };
    AUTO_MAP live = { 0 };
    struct registry_env *list;
    struct generation g;
    bool there;
    size_t n;

    arena_init(&a);
    assert_true(env_create(&spec, &env, &e));
    assert_true(env_lock(&env, NULL, &e));
    publish(&env, "1.0");
    assert_true(registry_live(p->state, &a, &live, &e));
    assert_true(map_find(&live, STR(SHA)) != MAP_NONE);
    assert_true(file_remove_tree(AT_FDCWD, p->path, &e));
    assert_true(registry_list(p->state, &a, &list, &n, &e));
    assert_int_equal(n, 1);
    assert_false(list[0].there);
    assert_true(str_eq(list[0].path, str_of(p->path)));
    assert_true(env_create(&spec, &again, &e));
    assert_int_equal(again.current, 3);
    assert_true(generation_load(&again, 2, &a, &g, &there, &e) && there);
    assert_true(str_eq(g.packages[0].sha256, STR(SHA)));
}

static void lists_what_is_damaged(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct env_packages list;
    struct err e = { 0 };
    AUTO_ENV env;
    AUTO_ARENA a = { 0 };
    char path[160];

    arena_init(&a);
    assert_true(env_create(&spec, &env, &e));
    install_fake(&env, env.dir, "Good.Name", "1.0");
    install_fake(&env, env.dir, "good_name", "2.0");
    (void)snprintf(path, sizeof path, "%s/empty-3.dist-info", env.site.p);
    assert_true(file_make_dirs(env.dir, path, 0755, &e));
    (void)snprintf(path, sizeof path, "%s/old-1.2-py3.11.egg-info", env.site.p);
    write_below(&env, path, "Metadata-Version: 1.0\nName: old\nVersion: 1.2\n");
    (void)snprintf(path, sizeof path, "%s/dev.egg-link", env.site.p);
    write_below(&env, path, "/src/dev\n.\n");
    (void)snprintf(path, sizeof path, "%s/good_name-2.0.dist-info/direct_url.json", env.site.p);
    write_below(&env, path, "{\"url\":\"file:///src/my%20dev\",\"dir_info\":{\"editable\":true}}");
    (void)snprintf(path, sizeof path, "%s/good_name-2.0.dist-info/INSTALLER", env.site.p);
    write_below(&env, path, "pip\n");
    assert_true(env_installed(&env, &a, &list, &e));
    assert_int_equal(list.n, 5);
    static const struct {
        const char *name, *version;
        unsigned oddities;
    } want[] = {
        { "dev", "", ENV_EGG | ENV_NO_RECORD | ENV_NO_METADATA },
        { "empty", "3", ENV_NO_METADATA | ENV_NO_RECORD },
        { "Good.Name", "1.0", ENV_NO_RECORD | ENV_TWICE },
        { "good_name", "2.0", ENV_NO_RECORD | ENV_TWICE },
        { "old", "1.2", ENV_EGG | ENV_NO_RECORD },
    };
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_true(str_eq(list.p[i].name, str_of(want[i].name)));
        assert_true(str_eq(list.p[i].version, str_of(want[i].version)));
        assert_int_equal(list.p[i].oddities, want[i].oddities);
    }
    assert_true(list.p[3].editable && str_eq(list.p[3].location, STR("/src/my dev")));
    assert_true(str_eq(list.p[3].installer, STR("pip")));
    assert_true(list.p[0].editable && str_eq(list.p[0].location, STR("/src/dev")));
}

static void a_second_changer_waits_or_is_told(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV one;
    AUTO_ENV two;

    assert_true(env_create(&spec, &one, &e));
    assert_true(env_open(p->path, p->state, &two, &e));
    assert_true(env_lock(&one, NULL, &e));
    assert_false(env_lock(&two, &(struct env_wait){ .timeout_ms = 5 }, &e));
    assert_int_equal(err_exit_code(&e), 7);
    assert_non_null(strstr(e.text, "is being changed by another process"));
    publish(&one, "1.0");
    env_unlock(&one);
    assert_true(env_lock(&two, NULL, &e));
    assert_int_equal(two.current, 2); /* sees the first one's result */
}

static void moves_back_what_was_interrupted_in_place(void **state)
{
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;
    AUTO_ENV again;
    struct inplace t;
    bool did;

    spec.plain = true;
    assert_true(env_create(&spec, &env, &e));
    write_below(&env, "lib/a.txt", "old");
    assert_true(inplace_begin(&env, &t, &e));
    assert_int_equal(mkdirat(t.stage, "lib", 0755), 0);
    int fd = openat(t.stage, "lib/a.txt", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);

    assert_int_equal(write(fd, "new", 3), 3);
    (void)close(fd);
    inplace_remove(&t, STR("lib/a.txt"));
    inplace_add(&t, STR("lib/a.txt"));
    inplace_add(&t, STR("lib/missing.txt")); /* fails after the first two were done */
    assert_false(inplace_commit(&t, false, &e));
    assert_non_null(strstr(e.text, "lib/missing.txt"));
    AUTO_ARENA a = { 0 };
    struct str text;

    arena_init(&a);
    assert_true(fd_read_file(env.dir, "lib/a.txt", 100, &a, &text, &e));
    assert_true(str_eq(text, STR("old")));
    assert_false(inplace_is_pending(&env));
    assert_true(env_open(p->path, NULL, &again, &e));
    assert_true(inplace_recover(&again, &did, &e));
    assert_false(did);
}

/* Whoever writes it may be killed between any two bytes. */
static void a_journal_that_is_cut_short_is_an_interrupted_change(void **state)
{
    static const char *const texts[] = { "", "2", "2\n", "99999999999\n", "x" };
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;
    bool did;

    assert_true(env_create(&spec, &env, &e));
    assert_true(env_lock(&env, NULL, &e));
    publish(&env, "1.0");
    for (size_t i = 0; i < COUNT(texts); i++) {
        assert_true(file_replace(env.state, "journal", str_of(texts[i]), 0644, FILE_NO_SYNC, &e));
        assert_true(generation_recover(&env, &did, &e));
        assert_true(did);
        assert_false(file_exists(env.state, "journal"));
        assert_version(&env, "1.0");
    }
    assert_true(generation_recover(&env, &did, &e));
    assert_false(did);
}

/* Each shell must read a quoted word back as the same bytes. */
static void quotes_for_every_shell(void **state)
{
    static const char *const words[] = { "plain", "two words", "it's", "a\"b", "$HOME`id`", "back\\slash", "ex!cl",
                                         "umlaut \xc3\xa4", "semi;colon&|<>", "end\\" };
    static const struct {
        enum activate_shell shell;
        const char *program, *print;
    } shells[] = {
        { ACTIVATE_POSIX, "/bin/sh", "printf %%s " },        { ACTIVATE_POSIX, "/usr/bin/bash", "printf %%s " },
        { ACTIVATE_POSIX, "/usr/bin/zsh", "printf %%s " },   { ACTIVATE_FISH, "/usr/bin/fish", "printf %%s " },
        { ACTIVATE_CSH, "/usr/bin/csh", "printf %%s " },
    };

    (void)state;
    for (size_t s = 0; s < COUNT(shells); s++) {
        if (access(shells[s].program, X_OK) < 0)
            continue;
        for (size_t i = 0; i < COUNT(words); i++) {
            const char *argv[] = { shells[s].program, "-c", NULL, NULL };
            struct err e = { 0 };
            AUTO_BUF line;
            AUTO_BUF out;
            int status;

            buf_init(&line, 4096);
            buf_init(&out, 4096);
            (void)buf_str(&line, STR("printf %s "));
            assert_true(activate_quote(shells[s].shell, str_of(words[i]), &line));
            argv[2] = buf_done(&line).p;
            assert_true(proc_run(&(struct proc_spec){ .argv = argv, .out = &out }, &status, &e));
            if (!str_eq(buf_done(&out), str_of(words[i])))
                fail_msg("%s: '%s' became '%s' by %s", shells[s].program, words[i], out.p, argv[2]);
        }
    }
}

static void activation_enters_and_leaves_in_every_shell(void **state)
{
    static const struct {
        const char *program, *script, *line;
    } shells[] = {
        { "/bin/sh", "activate", ". \"$F\"; echo $VIRTUAL_ENV; . \"$F\"; deactivate; echo \"$PATH\"" },
        { "/usr/bin/bash", "activate", ". \"$F\"; echo $VIRTUAL_ENV; . \"$F\"; deactivate; echo \"$PATH\"" },
        { "/usr/bin/zsh", "activate", ". \"$F\"; echo $VIRTUAL_ENV; . \"$F\"; deactivate; echo \"$PATH\"" },
        { "/usr/bin/fish", "activate.fish",
          "source $F; echo $VIRTUAL_ENV; source $F; deactivate; string join : $PATH" },
        { "/usr/bin/csh", "activate.csh", /* aliases are expanded a line at a time: eval */
          "source $F:q; echo $VIRTUAL_ENV:q; source $F:q; eval deactivate; echo $PATH:q" },
    };
    struct place *p = *state;
    struct env_new spec = spec_of(p);
    struct err e = { 0 };
    AUTO_ENV env;

    assert_true(env_create(&spec, &env, &e));
    for (size_t i = 0; i < COUNT(shells); i++) {
        char file[160], home[96];
        const char *argv[] = { shells[i].program, i == 4 ? "-fc" : "-c", shells[i].line, NULL };
        const char *vars[] = { file, "PATH=/usr/bin:/bin", home, NULL }; /* fish wants to write there */
        AUTO_BUF out;
        AUTO_BUF want;
        int status;

        if (access(shells[i].program, X_OK) < 0)
            continue;
        (void)snprintf(file, sizeof file, "F=%s/bin/%s", p->path, shells[i].script);
        (void)snprintf(home, sizeof home, "HOME=%s", p->root);
        buf_init(&out, 8192);
        buf_init(&want, 8192);
        assert_true(buf_printf(&want, "%s\n/usr/bin:/bin\n", p->path));
        assert_true(proc_run(&(struct proc_spec){ .argv = argv, .env = vars, .out = &out, .err = &out }, &status, &e));
        if (!str_eq(buf_done(&out), buf_done(&want)))
            fail_msg("%s printed '%s'", shells[i].program, out.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(makes_an_environment_that_python_takes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(opens_what_it_made_and_what_others_made, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_a_directory_with_other_things, set_up, tear_down),
        cmocka_unit_test_setup_teardown(undo_and_redo_walk_the_changes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(hand_edits_make_a_tree_cold, set_up, tear_down),
        cmocka_unit_test_setup_teardown(tags_name_generations_and_keep_them, set_up, tear_down),
        cmocka_unit_test_setup_teardown(history_outlives_the_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lists_what_is_damaged, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_changer_waits_or_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(moves_back_what_was_interrupted_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_journal_that_is_cut_short_is_an_interrupted_change, set_up, tear_down),
        cmocka_unit_test_setup_teardown(activation_enters_and_leaves_in_every_shell, set_up, tear_down),
        cmocka_unit_test(quotes_for_every_shell),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
