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
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "base/proc.h"
#include "base/work.h"
#include "env/env.h"
#include "env/history.h"
#include "env/registry.h"
#include "install/apply.h"
#include "install/compile.h"
#include "install/maker.h"
#include "install/scripts.h"
#include "install/unpack.h"
#include "store/gc.h"

#define PYTHON "/usr/bin/python3"
#define WHEELS 5

struct place {
    char root[64], path[96], state[96], store_path[96];
    struct store store;
    struct work *work;
    struct store_entry entry[WHEELS]; /* demo 1.0, demo 2.0, part-a, part-b, tools */
    struct arena arena;
    unsigned major, minor;
};

enum { DEMO1, DEMO2, PART_A, PART_B, TOOLS };

static void finish_wheel(struct place *p, int which, struct maker *m)
{
    char hex[HASH_HEX256 + 1], file[128];
    struct err e = { 0 };
    bool there;

    maker_identity(m);
    (void)snprintf(hex, sizeof hex, "%064x", which + 1);
    (void)snprintf(file, sizeof file, "%s-%s-py3-none-any.whl", m->name, m->version);
    struct unpack_spec spec = { .store = &p->store, .file = str_of(file), .hex = hex, .fd = -1,
                                .map = maker_finish(m) };

    if (!unpack_run(&spec, p->work, &e))
        fail_msg("%s", e.text);
    maker_clear(m);
    assert_true(store_find(&p->store, hex, &p->entry[which], &there, &e) && there);
}

static void make_wheels(struct place *p)
{
    for (int i = 0; i < 2; i++) {
        static struct maker m;

        maker_init(&m, "demo", i ? "2.0" : "1.0");
        maker_add(&m, "demo/__init__.py", i ? "version = '2.0'\n" : "version = '1.0'\n");
        maker_add(&m, i ? "demo/new.py" : "demo/old.py", "x = 1\n");
        maker_add(&m, "single.py", i ? "y = 2\n" : "y = 1\n");
        maker_info(&m, "entry_points.txt", "[console_scripts]\ndemo-tool = demo.cli:main\n");
        maker_add(&m, "demo/cli.py", "import demo\ndef main():\n    print('demo', demo.version)\n");
        finish_wheel(p, i, &m);
    }
    for (int i = 0; i < 2; i++) {
        static struct maker m;

        maker_init(&m, i ? "part_b" : "part_a", "1");
        maker_add(&m, i ? "space/b/__init__.py" : "space/a/__init__.py", i ? "name = 'b'\n" : "name = 'a'\n");
        maker_add(&m, "space/both.txt", i ? "b" : "a");
        finish_wheel(p, PART_A + i, &m);
    }
    static struct maker m;

    maker_init(&m, "tools", "3");
    maker_add(&m, "tools-3.data/scripts/hello", "#!python -u\nprint('hello')\n");
    maker_add(&m, "tools-3.data/scripts/python3", "#!python\n");
    maker_add(&m, "tools-3.data/scripts/shell", "#!/bin/sh\necho shell\n");
    maker_add(&m, "tools-3.data/data/share/tools/note.txt", "note\n");
    maker_add(&m, "tools-3.data/headers/tools.h", "int x;\n");
    maker_add(&m, "tools-3.data/platlib/toolsmod.py", "z = 3\n");
    finish_wheel(p, TOOLS, &m);
}

static void ask_python(struct place *p)
{
    const char *argv[] = { PYTHON, "-I", "-S", "-c", "import sys; print('%d %d' % sys.version_info[:2])", NULL };
    struct err e = { 0 };
    AUTO_BUF out;
    int status;

    buf_init(&out, 256);
    if (access(PYTHON, X_OK) < 0 || !proc_run(&(struct proc_spec){ .argv = argv, .out = &out }, &status, &e) ||
        status) {
        print_message("SKIP: no working " PYTHON "\n");
        exit(77);
    }
    struct str part[2];

    (void)str_split(str_trim(buf_done(&out)), ' ', part, 2);
    p->major = (unsigned)(part[0].p[0] - '0');
    p->minor = 0;
    for (size_t i = 0; i < part[1].n; i++)
        p->minor = p->minor * 10 + (unsigned)(part[1].p[i] - '0');
}

static int set_up(void **state)
{
    static struct place p;
    struct err e = { 0 };

    p = (struct place){ 0 };
    (void)snprintf(p.root, sizeof p.root, "%s", "/tmp/blast-apply-XXXXXX");
    if (!mkdtemp(p.root))
        return -1;
    (void)snprintf(p.path, sizeof p.path, "%s/demo/.venv", p.root);
    (void)snprintf(p.state, sizeof p.state, "%s/state", p.root);
    (void)snprintf(p.store_path, sizeof p.store_path, "%s/store", p.root);
    *state = &p;
    arena_init(&p.arena);
    if (!store_open(p.store_path, &p.store, &e) || !work_open(2, &p.work, &e))
        return -1;
    ask_python(&p);
    make_wheels(&p);
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };

    for (size_t i = 0; i < WHEELS; i++)
        store_release(&p->entry[i]);
    store_close(&p->store);
    work_close(p->work);
    arena_clear(&p->arena);
    return file_remove_tree(AT_FDCWD, p->root, &e) ? 0 : -1;
}

static void create(struct place *p, bool plain, struct env *env)
{
    struct err e = { 0 };
    struct env_new spec = { .path = p->path, .state = p->state, .plain = plain, .clear = true,
                            .python = { .executable = STR(PYTHON), .major = p->major, .minor = p->minor } };

    spec.python.version = arena_printf(&p->arena, "%u.%u.0", p->major, p->minor);
    if (!env_create(&spec, env, &e))
        fail_msg("%s", e.text);
    assert_true(env_lock(env, NULL, &e));
}

struct request {
    const int *which;
    size_t n;
    enum link_mode mode;
    bool keep_others;
};

static bool apply_request(struct place *p, struct env *env, const struct request *q, struct apply_result *r,
                          struct err *e)
{
    struct apply_package wanted[WHEELS] = { 0 };
    struct apply_spec spec = { .store = &p->store, .wanted = wanted, .n = q->n, .mode = q->mode,
                               .keep_others = q->keep_others, .reason = { STR("install"), STR("cli") } };

    for (size_t i = 0; i < q->n; i++)
        wanted[i] = (struct apply_package){ .entry = &p->entry[q->which[i]], .direct = q->which[i] <= DEMO2 };
    return apply_run(env, &spec, &p->arena, r, e);
}

/* What a program of the environment prints. */
static void assert_prints(struct env *env, const char *program, const char *code, const char *want)
{
    const char *argv[] = { env_path(env, program), code ? "-c" : NULL, code, NULL };
    struct err e = { 0 };
    AUTO_BUF out;
    int status;

    buf_init(&out, 8192);
    if (!proc_run(&(struct proc_spec){ .argv = argv, .out = &out, .err = &out }, &status, &e))
        fail_msg("%s", e.text);
    if (!str_eq(str_trim(buf_done(&out)), str_of(want)))
        fail_msg("%s %s printed '%s', not '%s'", program, code ? code : "", out.p, want);
}

static bool is_link(struct env *env, const char *below)
{
    struct stat st;
    struct str path = arena_printf(&env->arena, STR_FMT "/%s", STR_ARG(env->site), below);

    assert_int_equal(fstatat(env->dir, path.p, &st, AT_SYMLINK_NOFOLLOW), 0);
    return S_ISLNK(st.st_mode);
}

static void installs_by_every_mode(void **state)
{
    static const enum link_mode modes[] = { LINK_TREE, LINK_HARDLINK, LINK_COPY };
    static const int which[] = { DEMO1, PART_A, PART_B, TOOLS };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(modes); i++) {
        struct apply_result r;
        struct err e = { 0 };
        AUTO_ENV env;

        create(p, false, &env);
        if (!apply_request(p, &env, &(struct request){ which, COUNT(which), modes[i], false }, &r, &e))
            fail_msg("%s", e.text);
        assert_true(r.changed);
        assert_int_equal(r.plan.add, 4);
        assert_int_equal(r.link.mode, modes[i]);
        assert_prints(&env, "bin/python", "import demo, single, toolsmod, space.a, space.b; "
                      "print(demo.version, single.y, toolsmod.z, space.a.name, space.b.name)", "1.0 1 3 a b");
        assert_prints(&env, "bin/demo-tool", NULL, "demo 1.0");
        assert_prints(&env, "bin/hello", NULL, "hello");
        assert_prints(&env, "bin/shell", NULL, "shell");
        assert_prints(&env, "bin/python", "import sys; print(open(sys.prefix + '/share/tools/note.txt').read())",
                      "note");
        assert_prints(&env, "bin/python", "import importlib.metadata as m; "
                      "print(sorted(d.name for d in m.distributions()), m.version('demo'), "
                      "all(f.locate().exists() for d in m.distributions() for f in d.files))",
                      "['demo', 'part_a', 'part_b', 'tools'] 1.0 True");
        assert_int_equal(is_link(&env, "demo"), modes[i] == LINK_TREE);
        assert_false(is_link(&env, "space"));
        assert_false(is_link(&env, "demo-1.0.dist-info"));
        assert_int_equal(r.link.warnings.n, 2); /* bin/python3 is reserved, space/both.txt has two owners */
        assert_non_null(strstr(r.link.warnings.p[0].p, "'python3' of 'tools' is left out: its name is reserved"));
        assert_non_null(strstr(r.link.warnings.p[1].p, "space/both.txt' is in 'part_a' and in 'part_b'"));
        assert_true(apply_request(p, &env, &(struct request){ which, COUNT(which), modes[i], false }, &r, &e));
        assert_false(r.changed);
    }
}

static void replaces_removes_and_brings_back(void **state)
{
    static const int one[] = { DEMO1, PART_A }, two[] = { DEMO2 };
    struct place *p = *state;
    struct apply_return back = { .store = &p->store, .reason = { STR("undo"), STR("cli") } };
    struct apply_result r;
    struct err e = { 0 };
    AUTO_ENV env;
    uint32_t target;

    create(p, false, &env);
    assert_true(apply_request(p, &env, &(struct request){ one, 2, LINK_TREE, false }, &r, &e));
    assert_true(apply_request(p, &env, &(struct request){ two, 1, LINK_TREE, false }, &r, &e));
    assert_int_equal(r.plan.replace, 1);
    assert_int_equal(r.plan.remove, 1);
    assert_prints(&env, "bin/demo-tool", NULL, "demo 2.0");
    for (int hot = 1; hot >= 0; hot--) {
        assert_true(history_undo_target(&env, 1, &target, &e));
        if (!hot)
            assert_true(history_prune(&env, 10, 1, &e));
        back.seq = target;
        back.how = GENERATION_UNDO;
        if (!apply_restore(&env, &back, &p->arena, &r, &e))
            fail_msg("%s", e.text);
        assert_prints(&env, "bin/python", "import demo, space.a; print(demo.version)", "1.0");
        assert_true(history_redo_target(&env, 1, &target, &e));
        back.seq = target;
        back.how = GENERATION_REDO;
        assert_true(apply_restore(&env, &back, &p->arena, &r, &e));
        assert_prints(&env, "bin/demo-tool", NULL, "demo 2.0");
    }
}

static void says_which_wheels_are_gone(void **state)
{
    static const int one[] = { DEMO1 }, two[] = { DEMO2 };
    struct place *p = *state;
    struct apply_return back = { .store = &p->store, .reason = { STR("undo"), STR("cli") } };
    struct apply_result r;
    struct err e = { 0 };
    AUTO_ENV env;

    create(p, false, &env);
    assert_true(apply_request(p, &env, &(struct request){ one, 1, LINK_TREE, false }, &r, &e));
    uint32_t first = env.current;

    assert_true(apply_request(p, &env, &(struct request){ two, 1, LINK_TREE, false }, &r, &e));
    assert_true(history_prune(&env, 10, 1, &e));
    assert_true(store_drop(&p->store, p->entry[DEMO1].hex, &e));
    back.seq = first;
    back.how = GENERATION_UNDO;
    assert_false(apply_restore(&env, &back, &p->arena, &r, &e));
    assert_int_equal(e.kind, ERR_CACHE);
    assert_non_null(strstr(e.text, "1 of 1 wheels"));
    assert_prints(&env, "bin/demo-tool", NULL, "demo 2.0");
}

static void keeps_what_the_history_needs_in_the_store(void **state)
{
    static const int one[] = { DEMO1 }, two[] = { DEMO2 };
    struct place *p = *state;
    struct apply_result r;
    struct gc_result gc;
    struct err e = { 0 };
    AUTO_MAP live = { 0 };
    AUTO_ENV env;

    create(p, false, &env);
    assert_true(apply_request(p, &env, &(struct request){ one, 1, LINK_TREE, false }, &r, &e));
    assert_true(apply_request(p, &env, &(struct request){ two, 1, LINK_TREE, false }, &r, &e));
    assert_true(registry_live(p->state, &p->arena, &live, &e));
    assert_true(gc_run(&p->store, &(struct gc_spec){ .live = &live }, &gc, &e));
    assert_int_equal(gc.kept, 2);
    assert_int_equal(gc.removed, 3);
}

static void changes_a_plain_environment_in_place(void **state)
{
    static const int all[] = { DEMO1, PART_A, TOOLS }, two[] = { DEMO2 }, b[] = { PART_B };
    struct place *p = *state;
    struct apply_result r;
    struct err e = { 0 };
    AUTO_ENV env;

    create(p, true, &env);
    if (!apply_request(p, &env, &(struct request){ all, 3, LINK_AUTO, false }, &r, &e))
        fail_msg("%s", e.text);
    assert_prints(&env, "bin/demo-tool", NULL, "demo 1.0");
    assert_false(is_link(&env, "demo"));
    /* It joins the folder that is there. */
    assert_true(apply_request(p, &env, &(struct request){ b, 1, LINK_AUTO, true }, &r, &e));
    assert_int_equal(r.plan.keep, 3);
    assert_prints(&env, "bin/python", "import demo, space.a, space.b, toolsmod; print(space.b.name)", "b");
    assert_true(apply_request(p, &env, &(struct request){ two, 1, LINK_AUTO, true }, &r, &e));
    assert_int_equal(r.plan.replace, 1);
    assert_prints(&env, "bin/demo-tool", NULL, "demo 2.0");
    assert_prints(&env, "bin/python", "import importlib.util as u, demo; print(u.find_spec('demo.old'))", "None");
    assert_true(apply_request(p, &env, &(struct request){ b, 1, LINK_AUTO, false }, &r, &e)); /* everything else goes */
    assert_int_equal(r.plan.remove, 3);
    assert_prints(&env, "bin/python", "import space.b, sys, os; print(sorted(x for x in "
                  "os.listdir(sys.path[-1]) if x != '__pycache__'), sorted(os.listdir(sys.path[-1] + '/space')), "
                  "os.path.exists(sys.prefix + '/bin/hello'))",
                  "['part_b-1.dist-info', 'space'] ['b', 'both.txt'] False");
}

static void never_removes_outside_the_environment(void **state)
{
    static const int none[] = { 0 };
    struct place *p = *state;
    struct apply_result r;
    struct err e = { 0 };
    AUTO_ENV env;
    char victim[128];

    create(p, true, &env);
    (void)snprintf(victim, sizeof victim, "%s/victim", p->root);
    assert_int_equal(close(open(victim, O_WRONLY | O_CREAT | O_CLOEXEC, 0644)), 0);
    struct str dir = arena_printf(&p->arena, STR_FMT "/evil-1.dist-info", STR_ARG(env.site));

    assert_true(file_make_dirs(env.dir, dir.p, 0755, &e));
    AUTO_FD fd = -1;

    assert_true(fd_open_dir(env.dir, dir.p, &fd, &e));
    assert_true(file_replace(fd, "METADATA", STR("Metadata-Version: 2.1\nName: evil\nVersion: 1\n"), 0644, FILE_NO_SYNC,
                             &e));
    assert_true(file_replace(fd, "RECORD", STR("../../../../../victim,,\n"), 0644, FILE_NO_SYNC, &e));
    assert_false(apply_request(p, &env, &(struct request){ none, 0, LINK_AUTO, false }, &r, &e));
    assert_non_null(strstr(e.text, "which is outside the environment"));
    assert_true(file_exists(AT_FDCWD, victim));
    /* A folder that is a link: the link goes, what it leads to stays. */
    assert_true(file_replace(fd, "RECORD", STR("away/victim,,\n"), 0644, FILE_NO_SYNC, &e));
    struct str away = arena_printf(&p->arena, STR_FMT "/away", STR_ARG(env.site));

    assert_int_equal(symlinkat(p->root, env.dir, away.p), 0);
    if (!apply_request(p, &env, &(struct request){ none, 0, LINK_AUTO, false }, &r, &e))
        fail_msg("%s", e.text);
    assert_true(file_exists(AT_FDCWD, victim));
    assert_false(file_exists(env.dir, away.p));
}

/* The store in memory, the environment on disk: folders are linked, nothing else can be. */
static void works_across_file_systems(void **state)
{
    static const int which[] = { DEMO1, PART_A, PART_B };
    struct place *p = *state;
    struct apply_result r;
    struct err e = { 0 };
    char other[64] = "/dev/shm/blast-apply-XXXXXX";
    struct stat here, there;
    AUTO_ENV env;

    if (stat(p->root, &here) < 0 || stat("/dev/shm", &there) < 0 || here.st_dev == there.st_dev || !mkdtemp(other)) {
        print_message("SKIP: there is no second file system to write to\n");
        return;
    }
    (void)snprintf(p->path, sizeof p->path, "%s/env", other);
    create(p, false, &env);
    if (!apply_request(p, &env, &(struct request){ which, 3, LINK_TREE, false }, &r, &e))
        fail_msg("%s", e.text);
    assert_prints(&env, "bin/python", "import demo, single, space.a, space.b; print(single.__file__.count('env/lib'))",
                  "1");
    assert_false(apply_request(p, &env, &(struct request){ which, 1, LINK_HARDLINK, false }, &r, &e));
    assert_non_null(strstr(e.text, "hard links do not work between the store and the environment"));
    assert_non_null(strstr(e.hint, "--link-mode"));
    assert_false(apply_request(p, &env, &(struct request){ which, 1, LINK_REFLINK, false }, &r, &e));
    assert_true(apply_request(p, &env, &(struct request){ which, 1, LINK_AUTO, false }, &r, &e));
    assert_int_equal(r.link.mode, geteuid() == 0 ? LINK_COPY : LINK_TREE);
    assert_int_equal(r.link.note.n != 0, geteuid() == 0);
    assert_prints(&env, "bin/demo-tool", NULL, "demo 1.0");
    assert_true(file_remove_tree(AT_FDCWD, other, &e));
}

static void scripts_start_from_any_path(void **state)
{
    static const char *const names[] = { "plain", "with space", "quote'\"$HOME`x`", "umlaut-\xc3\xa4",
                                         "back\\slash and three ''' quotes",
                                         "a-path-that-is-so-long-that-the-kernel-would-cut-the-first-line-of-the-"
                                         "script-and-then-some-more-of-it-to-be-sure-about-it" };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(names); i++) {
        static const int which[] = { DEMO1 };
        struct apply_result r;
        struct err e = { 0 };
        AUTO_ENV env;
        struct str long_path = arena_printf(&p->arena, "%s/%s/env", p->root, names[i]);
        struct env_new spec = { .path = long_path.p, .state = p->state,
                                .python = { .executable = STR(PYTHON), .version = STR("3"), .major = p->major,
                                            .minor = p->minor } };

        assert_true(env_create(&spec, &env, &e));
        assert_true(env_lock(&env, NULL, &e));
        assert_true(apply_request(p, &env, &(struct request){ which, 1, LINK_TREE, false }, &r, &e));
        assert_prints(&env, "bin/demo-tool", NULL, "demo 1.0");
    }
}

static void compiles_the_store_behind_the_back(void **state)
{
    static const int which[] = { DEMO1 };
    struct place *p = *state;
    struct apply_result r;
    struct err e = { 0 };
    struct str hex;
    AUTO_ENV env;

    create(p, false, &env);
    assert_true(apply_request(p, &env, &(struct request){ which, 1, LINK_TREE, false }, &r, &e));
    hex = str_of(p->entry[DEMO1].hex);
    assert_true(compile_start(&p->store, env_path(&env, "bin/python"), &hex, 1, &e));
    assert_true(compile_wait(&p->store, 60000, &e));
    assert_prints(&env, "bin/python", "import demo, os; print(os.path.exists(demo.__cached__), "
                  "demo.__cached__.endswith('.pyc'), '.venv' in demo.__cached__)", "True True True");
    assert_true(store_verify(&p->store, &p->entry[DEMO1], &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(installs_by_every_mode, set_up, tear_down),
        cmocka_unit_test_setup_teardown(replaces_removes_and_brings_back, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_which_wheels_are_gone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(keeps_what_the_history_needs_in_the_store, set_up, tear_down),
        cmocka_unit_test_setup_teardown(changes_a_plain_environment_in_place, set_up, tear_down),
        cmocka_unit_test_setup_teardown(never_removes_outside_the_environment, set_up, tear_down),
        cmocka_unit_test_setup_teardown(works_across_file_systems, set_up, tear_down),
        cmocka_unit_test_setup_teardown(scripts_start_from_any_path, set_up, tear_down),
        cmocka_unit_test_setup_teardown(compiles_the_store_behind_the_back, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
