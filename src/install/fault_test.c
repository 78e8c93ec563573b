/* Every call that changes a file fails once in turn, or the process ends there. Afterwards the environment is the old
 * one or the new one, opening it repairs what was left, and the same change then succeeds. */
#include <../tests/fault/shim.c>

#include <setjmp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/work.h"
#include "env/env.h"
#include "env/history.h"
#include "install/apply.h"
#include "install/maker.h"
#include "install/unpack.h"

struct place {
    char root[64], path[96], state[96];
    struct store store;
    struct store_entry entry[3];
    struct arena arena;
};

enum { OLD, NEW, EXTRA };

static void add_wheel(struct place *p, struct work *w, int which)
{
    static const struct {
        const char *name, *version, *text;
    } wheels[] = { { "demo", "1.0", "old" }, { "demo", "2.0", "new" }, { "extra", "1.0", "new" } };
    char hex[HASH_HEX256 + 1], file[128], name[96];
    static struct maker m;
    struct err e = { 0 };
    bool there;

    maker_init(&m, wheels[which].name, wheels[which].version);
    (void)snprintf(name, sizeof name, "%s/__init__.py", wheels[which].name);
    maker_add(&m, name, wheels[which].text);
    (void)snprintf(name, sizeof name, "space/%s/__init__.py", wheels[which].name);
    maker_add(&m, name, wheels[which].text);
    (void)snprintf(name, sizeof name, "[console_scripts]\n%s-tool = %s:main\n", wheels[which].name, wheels[which].name);
    maker_info(&m, "entry_points.txt", name);
    (void)snprintf(name, sizeof name, "%s-%s.data/data/share/%s.txt", m.name, m.version, m.name);
    maker_add(&m, name, wheels[which].text);
    maker_identity(&m);
    (void)snprintf(hex, sizeof hex, "%064x", which + 1);
    (void)snprintf(file, sizeof file, "%s-%s-py3-none-any.whl", m.name, m.version);
    struct unpack_spec spec = { .store = &p->store, .file = str_of(file), .hex = hex, .fd = -1,
                                .map = maker_finish(&m) };

    if (!unpack_run(&spec, w, &e))
        fail_msg("%s", e.text);
    maker_clear(&m);
    assert_true(store_find(&p->store, hex, &p->entry[which], &there, &e) && there);
}

static int set_up(void **state)
{
    static struct place p;
    char store[96];
    struct err e = { 0 };
    AUTO_WORK w = NULL;

    p = (struct place){ 0 };
    /* In memory where possible: hundreds of changes that are flushed each time. */
    (void)snprintf(p.root, sizeof p.root, "%s/blast-fault-XXXXXX", access("/dev/shm", W_OK) == 0 ? "/dev/shm" : "/tmp");
    if (!mkdtemp(p.root))
        return -1;
    (void)snprintf(p.path, sizeof p.path, "%s/.venv", p.root);
    (void)snprintf(p.state, sizeof p.state, "%s/state", p.root);
    (void)snprintf(store, sizeof store, "%s/store", p.root);
    *state = &p;
    arena_init(&p.arena);
    if (!store_open(store, &p.store, &e) || !work_open(1, &w, &e))
        return -1;
    for (int i = 0; i < 3; i++)
        add_wheel(&p, w, i);
    return 0;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };

    for (int i = 0; i < 3; i++)
        store_release(&p->entry[i]);
    store_close(&p->store);
    arena_clear(&p->arena);
    return file_remove_tree(AT_FDCWD, p->root, &e) ? 0 : -1;
}

static bool apply(struct place *p, struct env *env, bool new, enum link_mode mode, struct err *e)
{
    struct apply_package wanted[2] = { { .entry = &p->entry[new ? NEW : OLD], .direct = true },
                                       { .entry = &p->entry[EXTRA] } };
    struct apply_spec spec = { .store = &p->store, .wanted = wanted, .n = new ? 2 : 1, .mode = mode, .durable = true,
                               .reason = { STR("install"), STR("cli") } };
    AUTO_ARENA a = { 0 };
    struct apply_result r;

    arena_init(&a);
    return apply_run(env, &spec, &a, &r, e);
}

static bool undo(struct place *p, struct env *env, struct err *e)
{
    struct apply_return back = { .store = &p->store, .how = GENERATION_UNDO, .reason = { STR("undo"), STR("cli") },
                                 .durable = true };
    AUTO_ARENA a = { 0 };
    struct apply_result r;

    arena_init(&a);
    return history_undo_target(env, 1, &back.seq, e) && apply_restore(env, &back, &a, &r, e);
}

static void assert_text(struct env *env, const char *below, const char *want, const char *when)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str text;

    arena_init(&a);
    if (!fd_read_if_there(env->dir, below, 4096, &a, &text, &e))
        fail_msg("%s: %s", when, e.text);
    if (want ? !text.p || !str_eq(text, str_of(want)) : text.p != NULL)
        fail_msg("%s: %s holds '" STR_FMT "', not '%s'", when, below, STR_ARG(text), want ? want : "(nothing)");
}

/* The new set or the old one, whole; returns which. */
static bool look(struct env *env, const char *when)
{
    AUTO_ARENA a = { 0 };
    struct env_packages list;
    struct err e = { 0 };

    arena_init(&a);
    assert_true(env_installed(env, &a, &list, &e));
    if (list.n != 1 && list.n != 2)
        fail_msg("%s: %zu packages", when, list.n);
    bool new = list.n == 2;
    const char *want = new ? "new" : "old";
    struct str site = env->site;

    if (!str_eq(list.p[0].version, new ? STR("2.0") : STR("1.0")) || list.p[0].oddities)
        fail_msg("%s: " STR_FMT " is there, oddities %u", when, STR_ARG(list.p[0].version), list.p[0].oddities);
    assert_text(env, arena_printf(&a, STR_FMT "/demo/__init__.py", STR_ARG(site)).p, want, when);
    assert_text(env, arena_printf(&a, STR_FMT "/space/demo/__init__.py", STR_ARG(site)).p, want, when);
    assert_text(env, arena_printf(&a, STR_FMT "/extra/__init__.py", STR_ARG(site)).p, new ? "new" : NULL, when);
    assert_text(env, arena_printf(&a, STR_FMT "/space/extra/__init__.py", STR_ARG(site)).p, new ? "new" : NULL, when);
    assert_text(env, "share/demo.txt", want, when);
    assert_text(env, "share/extra.txt", new ? "new" : NULL, when);
    assert_int_equal(file_exists(env->dir, "bin/extra-tool"), new);
    assert_true(file_exists(env->dir, "bin/demo-tool"));
    return new;
}

/* No remains of the protocol. */
static void assert_tidy(struct env *env, const char *when)
{
    AUTO_FILE_LIST list = { NULL };
    struct err e = { 0 };
    const struct dirent *d;

    if (file_exists(env->dir, ".blast-tx") || file_exists(env->state, "journal"))
        fail_msg("%s: a journal is left", when);
    if (env->layout == ENV_PLAIN)
        return;
    assert_true(file_list_open(env->dir, ".gen", &list, &e));
    while (file_list_next(&list, &d, &e))
        if (str_ends(str_of(d->d_name), STR(".tmp")))
            fail_msg("%s: .gen/%s is left", when, d->d_name);
}

enum what { CHANGE, UNDO };

struct scenario {
    bool plain;
    enum what what;
    enum link_mode mode;
};

static bool perform(struct place *p, struct env *env, const struct scenario *s, struct err *e)
{
    return s->what == UNDO ? undo(p, env, e) : apply(p, env, true, s->mode, e);
}

/* In a child: opens, locks, changes with the n-th call failing. False when that call was never reached. */
static bool run_faulty(struct place *p, const struct scenario *s, long n, int how)
{
    int status;
    pid_t pid = fork();

    if (pid == 0) {
        struct env env;
        struct err e = { 0 };

        if (!env_open(p->path, p->state, &env, &e) || !env_lock(&env, NULL, &e))
            _exit(3);
        fault_errno = how;
        calls = 0;
        fault_at = n;
        bool ok = perform(p, &env, s, &e);

        fault_at = -1;
        if (!ok && e.kind == ERR_NONE)
            _exit(4);
        _exit(calls < n ? 0 : ok ? 2 : 1);
    }
    assert_true(waitpid(pid, &status, 0) == pid);
    if (WIFEXITED(status) && WEXITSTATUS(status) >= 3)
        fail_msg("call %ld: the child ended with %d", n, WEXITSTATUS(status));
    return !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

/* Before each run: the old set is current; for undo the new one, with the old one before it. */
static void reset(struct place *p, struct env *env, const struct scenario *s)
{
    struct err e = { 0 };

    if (!apply(p, env, false, s->mode, &e) || (s->what == UNDO && !apply(p, env, true, s->mode, &e)) ||
        !history_prune(env, 3, 3, &e))
        fail_msg("%s", e.text);
}

static void run_all(struct place *p, const struct scenario *s)
{
    static const int hows[] = { ENOSPC, EIO, 0 };
    long faults = 0, news = 0;
    struct env_new spec = { .path = p->path, .state = p->state, .plain = s->plain, .clear = true,
                            .python = { .executable = STR("/usr/bin/python3"), .version = STR("3.11.0"), .major = 3,
                                        .minor = 11 } };
    struct err e = { 0 };
    AUTO_ENV made;

    assert_true(env_create(&spec, &made, &e));
    for (size_t h = 0; h < COUNT(hows); h++) {
        bool more = hows[h] != EIO || s->mode == LINK_TREE; /* takes the ways of ENOSPC: once is enough */

        for (long n = 1; more; n++) {
            char when[96];
            AUTO_ENV env;

            (void)snprintf(when, sizeof when, "plain %d, %s, call %ld, errno %d", s->plain,
                           s->what == UNDO ? "undo" : "change", n, hows[h]);
            assert_true(env_open(p->path, p->state, &env, &e));
            assert_true(env_lock(&env, NULL, &e));
            reset(p, &env, s);
            env_close(&env);
            more = run_faulty(p, s, n, hows[h]);
            if (!env_open(p->path, p->state, &env, &e))
                fail_msg("%s: %s", when, e.text);
            bool new = look(&env, when);

            assert_tidy(&env, when);
            faults += more;
            news += more && new;
            assert_true(env_lock(&env, NULL, &e));
            if (s->what == CHANGE && (!apply(p, &env, true, s->mode, &e) || !look(&env, when)))
                fail_msg("%s: the next attempt says %s", when, e.text);
        }
    }
    print_message("%ld faults, %ld of them left the new state\n", faults, news);
    assert_true(faults > 30);
}

static void a_new_generation_is_there_whole_or_not_at_all(void **state)
{
    run_all(*state, &(struct scenario){ false, CHANGE, LINK_TREE });
}

static void a_hard_linked_generation_is_there_whole_or_not_at_all(void **state)
{
    run_all(*state, &(struct scenario){ false, CHANGE, LINK_HARDLINK });
}

static void an_undo_happens_whole_or_not_at_all(void **state)
{
    run_all(*state, &(struct scenario){ false, UNDO, LINK_TREE });
}

static void a_plain_environment_is_changed_whole_or_not_at_all(void **state)
{
    run_all(*state, &(struct scenario){ true, CHANGE, LINK_AUTO });
}

/* Making one: afterwards it is an environment, or the same command makes it one. */
static void a_creation_that_fails_can_be_repeated(void **state)
{
    struct place *p = *state;
    struct env_new spec = { .path = p->path, .state = p->state,
                            .python = { .executable = STR("/usr/bin/python3"), .version = STR("3.11.0"), .major = 3,
                                        .minor = 11 } };
    bool more = true;

    for (long n = 1; more; n++) {
        int status;
        struct err e = { 0 };
        pid_t pid = fork();

        if (pid == 0) {
            struct env env;

            fault_errno = n % 2 ? ENOSPC : 0;
            calls = 0;
            fault_at = n;
            bool ok = env_create(&spec, &env, &e);

            fault_at = -1;
            _exit(calls < n ? 0 : ok ? 2 : 1);
        }
        assert_true(waitpid(pid, &status, 0) == pid);
        more = !(WIFEXITED(status) && WEXITSTATUS(status) == 0);
        AUTO_ENV env;

        if (env_is_there(p->path) ? !env_open(p->path, p->state, &env, &e) : !env_create(&spec, &env, &e))
            fail_msg("call %ld: %s", n, e.text);
        assert_int_equal(env_trouble(&env).n, access("/usr/bin/python3", X_OK) == 0 ? 0 : env_trouble(&env).n);
        assert_true(file_remove_tree(AT_FDCWD, p->path, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_new_generation_is_there_whole_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_hard_linked_generation_is_there_whole_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_undo_happens_whole_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_plain_environment_is_changed_whole_or_not_at_all, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_creation_that_fails_can_be_repeated, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
