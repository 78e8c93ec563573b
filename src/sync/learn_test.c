/* Against directories that are there: the judgement looks at the machine. The policy is made by hand. */
#include "sync/learn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/test_dir.h"
#include "base/vec.h"
#include "codec/json_write.h"
#include "config/config.h"
#include "jail/policy.h"

/* A machine below the test's directory: a home, a project with its environment, things outside both. */
struct world {
    struct test_dir *t;
    struct arena a;
    struct learn_place at;
    struct jail_policy p;
    struct jail_path path[16];
    struct asked asked;
    const char *own[2];
};

static const char *below(struct world *w, const char *name)
{
    return arena_printf(&w->a, "%s%s", w->t->path, name).p;
}

static void make(struct world *w, const char *name)
{
    struct err e = { 0 };
    struct str path = str_of(name + 1);
    size_t cut = str_rfind(path, '/');

    if (cut < path.n)
        assert_true(file_make_dirs(w->t->fd, arena_cstr(&w->a, str_sub(path, 0, cut)), 0755, &e));
    if (!str_ends(path, STR("/"))) {
        AUTO_FD fd = -1;

        assert_true(fd_open(w->t->fd, path.p, O_WRONLY | O_CREAT, 0644, &fd, &e));
    }
}

static void show(struct world *w, const char *name, enum jail_access access, bool needed)
{
    w->path[w->p.n_paths++] = (struct jail_path){ .path = str_of(below(w, name)), .access = access, .needed = needed };
}

static void set_up(struct world *w, void **state)
{
    static const char *const things[] = {
        "/home/.ssh/id", "/home/notes", "/home/.config/app/settings", "/home/.netrc", "/home/data/in.csv",
        "/project/app.py", "/project/.venv/lib/mod.py", "/opt/app/one", "/opt/app/two", "/opt/app/server.key",
        "/opt/out/", "/opt/many/a/f", "/opt/many/b/f", "/opt/many/c/f", "/opt/many/d/f", "/opt/few/a/f",
        "/opt/few/b/f", "/opt/lone", "/ro/file", "/hidden/file", "/state/trust",
    };
    static const uint16_t ports[] = { 443, 80 };
    static const struct str names[] = { STR_INIT("good.test"), STR_INIT("*.wild.test") };
    static const struct str networks[] = { STR_INIT("203.0.113.0/28") };

    *w = (struct world){ .t = *state };
    arena_init(&w->a);
    asked_init(&w->asked);
    for (size_t i = 0; i < COUNT(things); i++)
        make(w, things[i]);
    assert_int_equal(symlinkat("../opt/app/one", w->t->fd, "project/link"), 0);
    w->own[0] = below(w, "/state");
    w->at = (struct learn_place){ .project = below(w, "/project"), .environment = below(w, "/project/.venv"),
                                  .home = below(w, "/home"), .own = w->own };
    w->p = (struct jail_policy){
        .level = JAIL_NAMESPACE, .network = JAIL_NET_ALLOWLIST, .files = true, .outbound = true,
        .home = str_of(w->at.home), .path = w->path, .allowed_port = ports, .n_allowed_ports = COUNT(ports),
        .allowed_name = names, .n_allowed_names = COUNT(names), .allowed_network = networks, .n_allowed_networks = 1,
    };
    show(w, "/hidden", JAIL_HIDE, false); /* in the order of their names, as a policy has them */
    show(w, "/home", JAIL_PRIVATE, false);
    show(w, "/project", JAIL_WRITE, true);
    show(w, "/project/.venv", JAIL_READ, true);
    show(w, "/ro", JAIL_READ, false);
    w->path[w->p.n_paths++] = (struct jail_path){ .path = STR("/usr"), .access = JAIL_READ };
}

static void tear_down(struct world *w)
{
    asked_clear(&w->asked);
    arena_clear(&w->a);
}

static void ask(struct world *w, enum asked_how how, const char *what)
{
    struct asked_item item = { .how = how, .what = str_of(what), .count = 1 };

    (void)asked_add(&w->asked, &item);
}

static struct learn find(struct world *w)
{
    struct learn_case c = { &w->p, &w->at, &w->asked, &w->a };
    struct learn l;

    learn_find(&c, &l);
    return l;
}

static const char *text_of(struct world *w, const struct learn *l)
{
    AUTO_BUF b = { .limit = 1 << 16 };

    for (size_t i = 0; i < l->n_changes; i++) {
        struct str value = l->change[i].value;

        (void)str_cut_prefix(&value, str_of(w->t->path));
        (void)buf_printf(&b, STR_FMT " " STR_FMT "\n", STR_ARG(learn_key_name(l->change[i].key, &w->a)),
                         STR_ARG(value));
    }
    for (size_t i = 0; i < l->n_rest; i++)
        (void)buf_printf(&b, "no: " STR_FMT "\n", STR_ARG(l->rest[i].why));
    return arena_cstr(&w->a, buf_done(&b));
}

#define READ_KEY "sandbox.filesystem.readonly_paths "
#define WRITE_KEY "sandbox.filesystem.allowed_paths "

static void judges_paths_one_by_one(void **state)
{
    static const struct {
        enum asked_how how;
        const char *path, *want; /* a path that begins with '=' is not below the test's directory */
    } cases[] = {
        /* let through, or nothing there */
        { ASKED_READ, "/project/app.py", "" }, { ASKED_WRITE, "/project/new", "" },
        { ASKED_READ, "/project/.venv/lib/mod.py", "" }, { ASKED_READ, "/ro/file", "" },
        { ASKED_READ, "=/usr/lib/nothing", "" }, { ASKED_READ, "=/proc/self/maps", "" },
        { ASKED_READ, "=/sys/devices/system/cpu/online", "" }, { ASKED_READ, "/opt/app/absent", "" },
        { ASKED_READ, "/home", "" }, { ASKED_WRITE, "/home/new", "" }, { ASKED_WRITE, "/home/no-such/new", "" },
        { ASKED_WRITE, "/project/.venv/lib/__pycache__/mod.pyc", "" }, { ASKED_READ, "=/", "" },
        { ASKED_READ, "", "" }, /* the way to what is shown */
        { ASKED_SOCKET, "=/nowhere/socket", "" },
        /* the directory that holds it; what a link leads to */
        { ASKED_READ, "/opt/app/one", READ_KEY "/opt/app\n" }, { ASKED_READ, "/opt/app", READ_KEY "/opt/app\n" },
        { ASKED_EXEC, "/opt/app/one", READ_KEY "/opt/app\n" }, { ASKED_READ, "/project/link", READ_KEY "/opt/app\n" },
        { ASKED_READ, "/opt/app/../app/one", READ_KEY "/opt/app\n" },
        { ASKED_WRITE, "/opt/app/one", WRITE_KEY "/opt/app\n" },
        { ASKED_WRITE, "/opt/out/new", WRITE_KEY "/opt/out\n" },
        { ASKED_WRITE, "/opt/out/a/b/c", WRITE_KEY "/opt/out\n" }, { ASKED_WRITE, "/opt/out", WRITE_KEY "/opt/out\n" },
        { ASKED_READ, "/home/data/in.csv", READ_KEY "~/data\n" },
        { ASKED_WRITE, "/home/data/out.csv", WRITE_KEY "~/data\n" },
        { ASKED_READ, "/home/.config/app/settings", READ_KEY "~/.config/app\n" },
        /* not the home directory: the file alone */
        { ASKED_READ, "/home/notes", READ_KEY "~/notes\n" },
        /* refused, and not for a program to ask */
        { ASKED_READ, "/home/.ssh/id", "no: it may hold secrets\n" },
        { ASKED_READ, "/home/.ssh", "no: it may hold secrets\n" },
        { ASKED_READ, "/home/.netrc", "no: it may hold secrets\n" },
        { ASKED_READ, "/opt/app/server.key", "no: it may hold secrets\n" },
        { ASKED_READ, "=/etc/shadow", "no: it may hold secrets\n" },
        { ASKED_READ, "/state/trust", "no: it is Blast's own\n" },
        { ASKED_READ, "/hidden/file", "no: hidden_paths names it\n" },
        { ASKED_WRITE, "/ro/file", "no: readonly_paths names it\n" },
        { ASKED_WRITE, "=/usr/lib/new", "no: it is of the system\n" },
        { ASKED_WRITE, "=/etc/hosts", "no: it is of the system\n" },
        { ASKED_WRITE, "=/nowhere/new", "no: it lies in a directory that holds too much else: make one for it\n" },
        { ASKED_WRITE, "/project/.venv/lib/mod.py",
          "no: the environment is read-only; [sandbox.filesystem] environment decides\n" },
        { ASKED_READ, "=/home/somebody", "" }, /* not there */
        { ASKED_WRITE, "=/run/new", "no: it is of the services of this machine\n" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;

        if (i && test_dir_remove(state) + test_dir_make(state) != 0)
            fail_msg("no directory");
        set_up(&w, state);
        ask(&w, cases[i].how, cases[i].path[0] == '=' ? cases[i].path + 1 : below(&w, cases[i].path));
        struct learn l = find(&w);

        if (strcmp(text_of(&w, &l), cases[i].want) != 0)
            fail_msg("%s of '%s': '%s', wanted '%s'", asked_word(cases[i].how), cases[i].path, text_of(&w, &l),
                     cases[i].want);
        tear_down(&w);
    }
}

static void what_was_made_inside_is_not_missed(void **state)
{
    struct world w;

    set_up(&w, state);
    ask(&w, ASKED_WRITE, below(&w, "/home/notes"));
    ask(&w, ASKED_READ, below(&w, "/home/notes"));
    ask(&w, ASKED_WRITE, below(&w, "/home/data")); /* mkdir() in the empty home directory */
    ask(&w, ASKED_READ, below(&w, "/home/data/in.csv"));
    struct learn l = find(&w);

    assert_string_equal(text_of(&w, &l), "");
    tear_down(&w);
}

static void folds_what_lies_beside_each_other(void **state)
{
    struct world w;

    set_up(&w, state);
    ask(&w, ASKED_READ, below(&w, "/opt/many/a/f"));
    ask(&w, ASKED_READ, below(&w, "/opt/many/b/f"));
    ask(&w, ASKED_READ, below(&w, "/opt/few/a/f"));
    ask(&w, ASKED_READ, below(&w, "/opt/many/c/f"));
    ask(&w, ASKED_READ, below(&w, "/opt/many/d/f"));
    ask(&w, ASKED_READ, below(&w, "/opt/few/b/f"));
    ask(&w, ASKED_READ, below(&w, "/opt/out"));
    ask(&w, ASKED_WRITE, below(&w, "/opt/out/new"));
    struct learn l = find(&w);

    assert_string_equal(text_of(&w, &l), READ_KEY "/opt/few/a\n" READ_KEY "/opt/few/b\n" READ_KEY "/opt/many\n"
                                         WRITE_KEY "/opt/out\n");
    tear_down(&w);
}

static void judges_names_and_addresses(void **state)
{
    static const struct {
        enum asked_how how;
        const char *what, *want;
    } cases[] = {
        { ASKED_NAME, "new.test", "sandbox.network.allowed_domains new.test\n" },
        { ASKED_NAME, "good.test", "no: blast-gate did not let it through\n" },
        { ASKED_NAME, "a.wild.test", "no: blast-gate did not let it through\n" },
        { ASKED_NAME, "wild.test", "sandbox.network.allowed_domains wild.test\n" },
        { ASKED_NAME, "xwild.test", "sandbox.network.allowed_domains xwild.test\n" },
        { ASKED_NAME, "localhost", "no: it is no name of a host on the Internet\n" },
        { ASKED_NAME, "a b.test", "no: it is no name of a host on the Internet\n" },
        { ASKED_DENIED, "203.0.113.77:443", "sandbox.network.allowed_ips 203.0.113.77\n" },
        { ASKED_DENIED, "203.0.113.77:9000",
          "sandbox.network.allowed_outbound_ports 9000\nsandbox.network.allowed_ips 203.0.113.77\n" },
        { ASKED_DENIED, "203.0.113.7:9000", "sandbox.network.allowed_outbound_ports 9000\n" },
        { ASKED_DENIED, "198.18.0.1:9000", "sandbox.network.allowed_outbound_ports 9000\n" },
        { ASKED_DENIED, "198.18.0.1:443", "no: blast-gate did not let it through\n" },
        { ASKED_DENIED, "169.254.169.254:80", "no: it is in a private, local or reserved network\n" },
        { ASKED_DENIED, "10.9.9.9:80", "no: it is in a private, local or reserved network\n" },
        { ASKED_DENIED, "127.0.0.1:22", "no: it is in a private, local or reserved network\n" },
        { ASKED_DENIED, "[2001:db8::1]:443",
          "no: IPv6 is not led out of a sandbox: name the host in allowed_domains\n" },
        { ASKED_CONNECT, "203.0.113.77:443", "" }, /* the gateway tells */
        { ASKED_LISTEN, "0.0.0.0:8000", "" },      /* nothing is forwarded */
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct world w;

        if (i && test_dir_remove(state) + test_dir_make(state) != 0)
            fail_msg("no directory");
        set_up(&w, state);
        ask(&w, cases[i].how, cases[i].what);
        struct learn l = find(&w);

        if (strcmp(text_of(&w, &l), cases[i].want) != 0)
            fail_msg("%s of '%s': '%s', wanted '%s'", asked_word(cases[i].how), cases[i].what, text_of(&w, &l),
                     cases[i].want);
        tear_down(&w);
    }
}

static void without_a_gateway_connections_are_judged(void **state)
{
    static const uint16_t inbound[] = { 8080 };
    struct world w;

    set_up(&w, state);
    w.p.network = JAIL_NET_ISOLATED;
    ask(&w, ASKED_CONNECT, "203.0.113.77:443");
    ask(&w, ASKED_CONNECT, "127.0.0.1:5432");
    ask(&w, ASKED_CONNECT, "[::1]:5432");
    struct learn l = find(&w);

    assert_string_equal(text_of(&w, &l), "no: network_policy is isolated\n");
    w.p.network = JAIL_NET_ALLOWLIST;
    w.p.n_allowed_names = w.p.n_allowed_networks = 0;
    l = find(&w);
    assert_string_equal(text_of(&w, &l), "sandbox.network.allowed_ips 203.0.113.77\n");
    w.p.inbound_port = inbound;
    w.p.n_inbound_ports = 1;
    ask(&w, ASKED_LISTEN, "0.0.0.0:8000");
    ask(&w, ASKED_LISTEN, "0.0.0.0:8080");
    ask(&w, ASKED_LISTEN, "127.0.0.1:9000");
    l = find(&w);
    assert_string_equal(text_of(&w, &l), "sandbox.network.allowed_inbound_ports 8000\n");
    tear_down(&w);
}

static void without_file_isolation_no_path_is_refused(void **state)
{
    struct world w;
    struct str why;
    struct asked_item item = { .how = ASKED_READ, .what = STR("/etc/shadow"), .count = 1 };

    set_up(&w, state);
    struct learn_case c = { &w.p, &w.at, &w.asked, &w.a };

    assert_true(learn_is_refused(&c, &item, &why));
    assert_true(str_eq(why, STR("it may hold secrets")));
    w.p.files = false;
    assert_false(learn_is_refused(&c, &item, &why));
    tear_down(&w);
}

/* ------------------------------------------------------------ blast.toml */

#define SECTIONS "[env]\n[container]\n[sandbox]\n[security]\n[sync]\n"

static void assert_edit(const struct learn_change *change, size_t n, const char *before, const char *after)
{
    AUTO_ARENA a = { 0 };
    struct learn l = { .change = change, .n_changes = n };
    struct config_input in = { .project = str_of(before), .project_name = "blast.toml",
                               .env = (const char *const[]){ NULL } };
    struct config c;
    struct str out;
    struct err e = { 0 };

    arena_init(&a);
    assert_true(config_read(&in, &a, &c, &e));
    if (!learn_edit(&l, &c, str_of(before), &a, &out, &e))
        fail_msg("%s", e.text);
    assert_string_equal(arena_cstr(&a, out), after);
}

static void edits_and_keeps_what_is_there(void **state)
{
    static const struct learn_change port = { .key = CONFIG_KEY_sandbox_network_allowed_outbound_ports,
                                              .value = STR_INIT("9000") };
    static const struct learn_change name = { .key = CONFIG_KEY_sandbox_network_allowed_domains,
                                              .value = STR_INIT("new.test") };
    static const struct learn_change two[] = {
        { .key = CONFIG_KEY_sandbox_filesystem_readonly_paths, .value = STR_INIT("/opt/\"x\"") },
        { .key = CONFIG_KEY_sandbox_filesystem_allowed_paths, .value = STR_INIT("~/out") },
    };

    (void)state;
    assert_edit(&name, 1, SECTIONS "[sandbox.network] # why\nallowed_domains = [\"a.test\"] # ours\n",
                SECTIONS "[sandbox.network] # why\nallowed_domains = [\"a.test\", \"new.test\"] # ours\n");
    /* a list that was the default goes on holding what it held */
    assert_edit(&name, 1, SECTIONS "[sandbox.network]\n",
                SECTIONS "[sandbox.network]\nallowed_domains = [\"index\", \"new.test\"]\n");
    assert_edit(&port, 1, SECTIONS "[sandbox.network]\n",
                SECTIONS "[sandbox.network]\nallowed_outbound_ports = [443, 80, 9000]\n");
    assert_edit(two, 2, "# ours\n" SECTIONS "# end",
                "# ours\n[env]\n[container]\n[sandbox]\n\n[sandbox.filesystem]\nreadonly_paths = [\"/usr\", \"/lib\", "
                "\"/bin\", '/opt/\"x\"']\nallowed_paths = [\"~/out\"]\n[security]\n[sync]\n# end");
    /* what stands there already, and is not in force because nobody accepted it, is not added again */
    assert_edit(&name, 1, SECTIONS "[sandbox.network]\nallowed_domains = ['new.test']\n",
                SECTIONS "[sandbox.network]\nallowed_domains = ['new.test']\n");
}

static void refuses_what_cannot_be_edited(void **state)
{
    AUTO_ARENA a = { 0 };
    struct learn_change x = { .key = CONFIG_KEY_sandbox_network_allowed_domains, .value = STR("new.test") };
    struct learn l = { .change = &x, .n_changes = 1 };
    struct config c = { 0 };
    struct str out;
    struct err e = { 0 };

    (void)state;
    arena_init(&a);
    assert_false(learn_edit(&l, &c, STR("[sandbox.network]\nallowed_domains = \"a\"\n"), &a, &out, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "add 'new.test' to allowed_domains of blast.toml"));
}

static void tells_programs_the_same(void **state)
{
    AUTO_BUF b = { .limit = 4096 };
    struct world w;
    struct json_write j;

    set_up(&w, state);
    ask(&w, ASKED_NAME, "new.test");
    ask(&w, ASKED_DENIED, "10.9.9.9:80");
    struct learn l = find(&w);

    json_write_init(&j, &b, false);
    json_write_object_begin(&j);
    learn_write(&l, &j);
    json_write_object_end(&j);
    assert_true(json_write_end(&j));
    assert_string_equal(buf_done(&b).p,
                        "{\"changes\":[{\"key\":\"sandbox.network.allowed_domains\",\"value\":\"new.test\","
                        "\"because\":\"new.test\"}],\"not_proposed\":[{\"how\":\"denied\",\"what\":\"10.9.9.9:80\","
                        "\"why\":\"it is in a private, local or reserved network\",\"count\":1}],\"left_out\":0}");
    tear_down(&w);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST_IN_DIR(judges_paths_one_by_one),
        TEST_IN_DIR(what_was_made_inside_is_not_missed),
        TEST_IN_DIR(folds_what_lies_beside_each_other),
        TEST_IN_DIR(judges_names_and_addresses),
        TEST_IN_DIR(without_a_gateway_connections_are_judged),
        TEST_IN_DIR(without_file_isolation_no_path_is_refused),
        TEST_IN_DIR(tells_programs_the_same),
        cmocka_unit_test(edits_and_keeps_what_is_there),
        cmocka_unit_test(refuses_what_cannot_be_edited),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
