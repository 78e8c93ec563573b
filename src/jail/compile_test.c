#include "jail/compile.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "config/config.h"

#define HEAD                                                                                                           \
    "[env]\n[container]\nisolation_level = \"%s\"\n[sandbox]\n[security]\n[sync]\n[sandbox.filesystem]\n%s\n"
#define PROJECT "/nonexistent/home/project"

struct made {
    struct arena a;
    struct jail_policy p;
    struct err e;
    bool ok;
};

static void made_clear(struct made *m)
{
    arena_clear(&m->a);
}

/* A policy from the lines of [sandbox.filesystem]. */
static void make(struct made *m, const char *level, const char *lines)
{
    static const char *const none[] = { NULL };
    struct config_input in = { .project_name = "blast.toml", .env = none };
    struct jail_place at = {
        .project = PROJECT, .environment = PROJECT "/.venv", .store = "/nonexistent/store", .home = "/nonexistent/home",
        .keep = "/nonexistent//state/./cells",
    };
    struct config c;

    *m = (struct made){ 0 };
    in.project = arena_printf(&m->a, HEAD, level, lines);
    assert_true(config_read(&in, &m->a, &c, &m->e));
    m->ok = jail_compile(&c, &at, &m->a, &m->p, &m->e);
}
#define AUTO_MADE AUTO(made_clear) struct made

static const struct jail_path *find(const struct made *m, const char *path)
{
    for (size_t i = 0; i < m->p.n_paths; i++)
        if (str_eq(m->p.path[i].path, str_of(path)))
            return &m->p.path[i];
    return NULL;
}

static void expect(const struct made *m, const char *path, enum jail_access access)
{
    const struct jail_path *p = find(m, path);

    if (!p)
        fail_msg("%s is not in the policy", path);
    else if (p->access != access)
        fail_msg("%s: %s, wanted %s", path, jail_access_word(p->access), jail_access_word(access));
}

static void shows_the_project_and_little_else(void **state)
{
    AUTO_MADE m;

    (void)state;
    make(&m, "namespace", "");
    assert_true(m.ok);
    expect(&m, PROJECT, JAIL_WRITE);
    expect(&m, PROJECT "/.venv", JAIL_READ);
    expect(&m, "/nonexistent/home", JAIL_PRIVATE);
    expect(&m, "/tmp", JAIL_PRIVATE);
    expect(&m, "/usr", JAIL_READ);
    assert_null(find(&m, "/run"));
    assert_null(find(&m, "/sys"));
}

static void keeps_changes_of_a_container_above_the_project(void **state)
{
    AUTO_MADE m;

    (void)state;
    make(&m, "container", "");
    assert_true(m.ok);
    expect(&m, PROJECT, JAIL_OVERLAY);
    expect(&m, "/etc/passwd", JAIL_TEXT);
    assert_null(find(&m, "/etc"));
    assert_true(m.p.small_proc);
}

static void keeps_on_disk_what_is_asked_for_and_laid_over_something(void **state)
{
    static const struct {
        const char *level, *lines, *keep;
    } cases[] = {
        { "container", "", "" },
        { "container", "recovery = \"discard\"", "" },
        { "container", "recovery = \"keep\"", "/nonexistent/state/cells" },
        { "namespace", "recovery = \"keep\"", "" },
        { "namespace", "recovery = \"keep\"\nenvironment = \"overlay\"", "/nonexistent/state/cells" },
        { "process", "recovery = \"keep\"\nenvironment = \"overlay\"", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_MADE m;
        struct jail_policy less;

        make(&m, cases[i].level, cases[i].lines);
        assert_true(m.ok);
        if (!str_eq(m.p.keep, str_of(cases[i].keep)))
            fail_msg("%s, %s: '" STR_FMT "'", cases[i].level, cases[i].lines, STR_ARG(m.p.keep));
        jail_policy_as_process(&m.p, &m.a, &less);
        assert_int_equal(less.keep.n, 0);
    }
}

static void puts_directories_before_what_is_in_them(void **state)
{
    AUTO_MADE m;

    (void)state;
    make(&m, "namespace", "allowed_paths = [\"/data/b/c\", \"/data-x\", \"/data\", \"/data/b\"]");
    assert_true(m.ok);
    for (size_t i = 0; i < m.p.n_paths; i++)
        for (size_t k = i + 1; k < m.p.n_paths; k++)
            if (jail_path_within(m.p.path[i].path, m.p.path[k].path))
                fail_msg("%s comes before %s", m.p.path[i].path.p, m.p.path[k].path.p);
    expect(&m, "/data-x", JAIL_WRITE);
}

static void denies_before_it_allows(void **state)
{
    AUTO_MADE m;

    (void)state;
    make(&m, "namespace", "allowed_paths = [\"/data\", \"/data/b/c\"]\ndenied_paths = [\"/data/b\", \"secret\"]");
    assert_true(m.ok);
    expect(&m, "/data", JAIL_WRITE);
    expect(&m, "/data/b", JAIL_DENY);
    assert_null(find(&m, "/data/b/c"));
    expect(&m, PROJECT "/secret", JAIL_DENY);
}

static void still_shows_what_nothing_runs_without(void **state)
{
    AUTO_MADE m;

    (void)state;
    make(&m, "namespace", "denied_paths = [\"/nonexistent/home\"]\nhidden_paths = [\"/proc\", \"/sys\", \"/dev\"]");
    assert_true(m.ok);
    expect(&m, "/nonexistent/home", JAIL_DENY);
    expect(&m, PROJECT, JAIL_WRITE);
    assert_null(find(&m, "/proc")); /* it has its own, which is smaller */
    assert_true(m.p.small_proc);
}

static void never_shows_the_machine(void **state)
{
    static const struct {
        const char *lines, *why;
    } cases[] = {
        { "allowed_paths = [\"/\"]", "allowed_paths: '/' cannot be shown" },
        { "readonly_paths = [\"/\"]", "readonly_paths: '/'" },
        { "allowed_paths = [\"/run\"]", "'/run' cannot be shown" },
        { "readonly_paths = [\"/proc\"]", "'/proc' cannot be shown" },
        { "allowed_paths = [\"/dev/mem\"]", "'/dev/mem' cannot be shown" },
        { "allowed_paths = [\"/tmp/../run/\"]", "'/run' cannot be shown" },
        { "denied_paths = [\"/\"]", "denied_paths: '/' would leave nothing" },
        { "denied_paths = [\"\"]", "is no path" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_MADE m;

        make(&m, "namespace", cases[i].lines);
        if (m.ok)
            fail_msg("%s was taken", cases[i].lines);
        assert_int_equal(m.e.kind, ERR_CONFIG);
        if (!strstr(m.e.text, cases[i].why))
            fail_msg("%s: '%s' does not say '%s'", cases[i].lines, m.e.text, cases[i].why);
    }
}

static void gives_memory_for_the_shared_directories(void **state)
{
    AUTO_MADE m;

    (void)state;
    make(&m, "namespace", "allowed_paths = [\"/tmp\", \"/var/tmp/\", \"/tmp/./x\"]");
    assert_true(m.ok);
    expect(&m, "/tmp", JAIL_PRIVATE);
    expect(&m, "/var/tmp", JAIL_PRIVATE);
    expect(&m, "/tmp/x", JAIL_WRITE);
}

static void follows_links_once(void **state)
{
    char dir[] = "/tmp/blast-compile-XXXXXX", cwd[4096];
    AUTO_MADE m;

    (void)state;
    assert_non_null(getcwd(cwd, sizeof cwd));
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    assert_int_equal(mkdir("real", 0755), 0);
    assert_int_equal(symlink("real", "link"), 0);
    assert_int_equal(symlink("loop", "loop"), 0);
    AUTO_ARENA a = { 0 };

    make(&m, "namespace", arena_printf(&a, "allowed_paths = [\"%s/link/below\"]", dir).p);
    assert_true(m.ok);
    expect(&m, arena_printf(&a, "%s/real/below", dir).p, JAIL_WRITE);
    expect(&m, arena_printf(&a, "%s/link", dir).p, JAIL_LINK);
    made_clear(&m);
    make(&m, "namespace", arena_printf(&a, "allowed_paths = [\"%s/loop\"]", dir).p);
    assert_false(m.ok);
    assert_non_null(strstr(m.e.text, "too many symbolic links"));
    assert_int_equal(unlink("link") | unlink("loop") | rmdir("real") | chdir(cwd) | rmdir(dir), 0);
}

static void a_link_leads_out_of_nothing_writable(void **state)
{
    char dir[] = "/tmp/blast-compile-XXXXXX";
    static const struct {
        const char *list, *says; /* NULL: it is taken */
    } cases[] = {
        { "allowed_paths = [\"@/open\"]\nreadonly_paths = [\"@/open/out\"]", "readonly_paths: " },
        { "allowed_paths = [\"@/open\", \"@/open/out/below\"]", "allowed_paths: " },
        { "allowed_paths = [\"@/open\", \"@/open/in\"]", NULL },
        { "allowed_paths = [\"@/else\"]\nreadonly_paths = [\"@/open/out\"]", NULL },
    };

    (void)state;
    assert_non_null(mkdtemp(dir));
    AUTO_ARENA a = { 0 };
    const char *open = arena_printf(&a, "%s/open", dir).p;
    const char *out = arena_printf(&a, "%s/out", open).p, *in = arena_printf(&a, "%s/in", open).p;

    assert_int_equal(mkdir(open, 0755) | symlink("../else", out) | symlink("real", in), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_MADE m;
        AUTO_BUF text = { .limit = 1000 };

        for (const char *p = cases[i].list; *p; p++)
            assert_true(*p == '@' ? buf_str(&text, str_of(dir)) : buf_char(&text, *p));
        make(&m, "namespace", arena_str(&a, buf_done(&text)).p);
        assert_int_equal(m.ok, cases[i].says == NULL);
        if (cases[i].says)
            assert_true(strstr(m.e.text, cases[i].says) && strstr(m.e.text, "a link that leads out of the writable"));
    }
    assert_int_equal(unlink(out) | unlink(in) | rmdir(open) | rmdir(dir), 0);
}

/* "data" leads to "real", or the program makes it lead elsewhere: "real/secret" has to stay protected all the same. */
static void a_link_that_can_be_led_elsewhere_protects_nothing(void **state)
{
    char dir[] = "/tmp/blast-compile-XXXXXX";
    static const struct {
        const char *lines, *says; /* NULL: it is taken */
    } cases[] = {
        { "allowed_paths = [\"@\"]\ndenied_paths = [\"@/data/secret\"]", "denied_paths: " },
        { "allowed_paths = [\"@\"]\ndenied_paths = [\"@/data\"]", "denied_paths: " },
        { "allowed_paths = [\"@\"]\nhidden_paths = [\"@/data/secret\"]", "hidden_paths: " },
        { "allowed_paths = [\"@\"]\nreadonly_paths = [\"@/data/secret\"]", "readonly_paths: " },
        { "allowed_paths = [\"@\"]\ndenied_paths = [\"@/sub/out/secret\"]", "denied_paths: " },
        { "allowed_paths = [\"@\"]\ndenied_paths = [\"@/real/secret\"]", NULL },
        { "denied_paths = [\"@/data/secret\"]", NULL }, /* nobody can change it */
        { "allowed_paths = [\"@\"]\nreadonly_paths = [\"@/sub\"]\ndenied_paths = [\"@/sub/out/secret\"]", NULL },
        { "allowed_paths = [\"@\", \"@/sub\"]\nreadonly_paths = [\"@/sub\"]\ndenied_paths = [\"@/sub/out/secret\"]",
          "denied_paths: " }, /* which of the two holds is not for a link to depend on */
    };

    (void)state;
    assert_non_null(mkdtemp(dir));
    AUTO_ARENA a = { 0 };
    const char *sub = arena_printf(&a, "%s/sub", dir).p, *out = arena_printf(&a, "%s/sub/out", dir).p;
    const char *data = arena_printf(&a, "%s/data", dir).p;

    assert_int_equal(mkdir(sub, 0755) | symlink("../real", out) | symlink("real", data), 0);
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_MADE m;
        AUTO_BUF text = { .limit = 1000 };

        for (const char *p = cases[i].lines; *p; p++)
            assert_true(*p == '@' ? buf_str(&text, str_of(dir)) : buf_char(&text, *p));
        make(&m, "namespace", arena_str(&a, buf_done(&text)).p);
        if (m.ok != (cases[i].says == NULL))
            fail_msg("%s: %s", cases[i].lines, m.ok ? "was taken" : m.e.text);
        if (cases[i].says) {
            assert_true(strstr(m.e.text, cases[i].says) && strstr(m.e.text, "is a link in the writable"));
            assert_string_equal(m.e.hint + strlen(m.e.hint) - strlen(" in its place"), " in its place");
            assert_int_equal(m.e.kind, ERR_CONFIG);
        }
    }
    assert_int_equal(unlink(out) | unlink(data) | rmdir(sub) | rmdir(dir), 0);
}

static void builds_see_neither_home_nor_network(void **state)
{
    static const char *const interpreter[] = { "/nonexistent/python", NULL };
    struct jail_build b = {
        .source = "/nonexistent/src",
        .output = "/nonexistent/out",
        .home = "/nonexistent/home",
        .interpreter = interpreter,
    };
    AUTO_MADE m = { 0 };

    (void)state;
    assert_true(jail_compile_build(&b, &m.a, &m.p, &m.e));
    assert_int_equal(m.p.network, JAIL_NET_ISOLATED);
    expect(&m, "/nonexistent/src", JAIL_WRITE);
    expect(&m, "/nonexistent/python", JAIL_READ);
    expect(&m, "/nonexistent/home", JAIL_HIDE);
    assert_true(str_eq(m.p.home, STR("/home/build")));
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(shows_the_project_and_little_else),
        cmocka_unit_test(keeps_changes_of_a_container_above_the_project),
        cmocka_unit_test(keeps_on_disk_what_is_asked_for_and_laid_over_something),
        cmocka_unit_test(puts_directories_before_what_is_in_them),
        cmocka_unit_test(denies_before_it_allows),
        cmocka_unit_test(still_shows_what_nothing_runs_without),
        cmocka_unit_test(never_shows_the_machine),
        cmocka_unit_test(gives_memory_for_the_shared_directories),
        cmocka_unit_test(follows_links_once),
        cmocka_unit_test(a_link_leads_out_of_nothing_writable),
        cmocka_unit_test(a_link_that_can_be_led_elsewhere_protects_nothing),
        cmocka_unit_test(builds_see_neither_home_nor_network),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
