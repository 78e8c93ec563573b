#include "sync/inputs.h"

#include "sync/test_project.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define PROJECT "[project]\nname = 'p'\nversion = '1'\n"
#define DEPENDENCIES PROJECT "dependencies = ['flask>=2', 'six']\n"

static struct inputs gather(struct test_project *p)
{
    struct inputs in;
    struct err e = { 0 };

    if (!inputs_gather(test_open(p), &in, &e))
        fail_msg("%s", e.text);
    return in;
}

static void refuse(struct test_project *p, enum err_kind kind, const char *why)
{
    struct inputs in;
    struct err e = { 0 };

    if (inputs_gather(test_open(p), &in, &e))
        fail_msg("accepted; want '%s'", why);
    if (e.kind != kind || !strstr(e.text, why))
        fail_msg("%s '%s', want '%s'", err_word(e.kind), e.text, why);
}

static void is_text(struct str got, const char *want)
{
    if (!str_eq(got, str_of(want)))
        fail_msg("'" STR_FMT "', want '%s'", STR_ARG(got), want);
}

/* One way to call Blast. */
struct call {
    const char *pyproject, *blast_toml;
    struct str index_url, prerelease, resolution, exclude_newer;
    bool no_deps, offline, upgrade, require_hashes, other_python;
};

static const char *digest_of(void **state, struct arena *a, const struct call *c)
{
    struct test_project p;

    test_init(&p, state);
    test_write(p.t, "p/pyproject.toml", c->pyproject ? c->pyproject : DEPENDENCIES);
    test_write(p.t, "p/blast.toml", c->blast_toml ? c->blast_toml : "");
    if (!c->blast_toml)
        (void)unlinkat(p.t->fd, "p/blast.toml", 0);
    if (c->index_url.n)
        p.r.index_url = c->index_url;
    p.r.prerelease = c->prerelease;
    p.r.resolution = c->resolution;
    p.r.exclude_newer = c->exclude_newer;
    p.r.no_deps = c->no_deps;
    p.r.offline = c->offline;
    p.r.upgrade = c->upgrade;
    p.r.require_hashes = c->require_hashes;
    struct workspace *w = test_open(&p);
    struct inputs in;
    struct err e = { 0 };

    if (c->other_python)
        w->python.minor = 13, w->python.version_text = STR("3.13.0");
    if (!inputs_gather(w, &in, &e))
        fail_msg("%s", e.text);
    const char *digest = arena_cstr(a, in.digest);

    test_close(&p);
    return digest;
}

static void the_digest_changes_with_what_decides_the_result(void **state)
{
    static const struct call cases[] = {
        { .pyproject = PROJECT "dependencies = ['flask>=2']\n" },
        { .pyproject = PROJECT "dependencies = ['flask>=2', 'six>1']\n" },
        { .pyproject = DEPENDENCIES "[project.optional-dependencies]\nx = []\n" },
        { .pyproject = DEPENDENCIES "[project.optional-dependencies]\nx = ['six']\n" },
        { .pyproject = DEPENDENCIES "[dependency-groups]\ndev = ['six']\n" },
        { .pyproject = DEPENDENCIES "[tool.blast]\nconstraints = ['six<2']\n" },
        { .index_url = STR_INIT("https://other.example/simple/") },
        { .prerelease = STR_INIT("allow") },
        { .resolution = STR_INIT("lowest") },
        { .exclude_newer = STR_INIT("2026-01-01") },
        { .exclude_newer = STR_INIT("3d") },
        { .no_deps = true },
        { .other_python = true },
    };
    AUTO_ARENA a = { 0 };
    const char *digest[COUNT(cases) + 1];

    digest[0] = digest_of(state, &a, &(struct call){ 0 });
    for (size_t i = 0; i < COUNT(cases); i++) {
        digest[i + 1] = digest_of(state, &a, &cases[i]);
        for (size_t k = 0; k <= i; k++)
            if (strcmp(digest[k], digest[i + 1]) == 0)
                fail_msg("case %zu has the digest of case %zu", i, k);
    }
}

static void the_digest_does_not_change_with_what_decides_nothing(void **state)
{
    static const struct call cases[] = {
        { .pyproject = "# a comment\n\n" DEPENDENCIES "description = 'x'\n" },
        { .pyproject = PROJECT "dependencies = [\n  'flask>=2',\n\n  'six',\n]\n" },
        { .index_url = STR_INIT("https://user:secret@index.example/simple/") },
        { .index_url = STR_INIT("https://index.example/simple") },
        { .offline = true },
        { .upgrade = true },
        { .require_hashes = true },
    };
    AUTO_ARENA a = { 0 };
    const char *base = digest_of(state, &a, &(struct call){ 0 });

    for (size_t i = 0; i < COUNT(cases); i++)
        if (strcmp(digest_of(state, &a, &cases[i]), base) != 0)
            fail_msg("case %zu changes the digest", i);
}

static void takes_the_lists_of_the_project(void **state)
{
    struct test_project p;

    test_init(&p, state);
    test_write(p.t, "p/pyproject.toml",
               PROJECT "dependencies = [\n'a>=1',\n]\n[project.optional-dependencies]\nX_y = ['b']\n"
                       "[dependency-groups]\ndev = ['c']\ntest = [{include-group = 'dev'}, 'd']\n"
                       "[tool.blast]\nconstraints = ['e<1']\n");
    struct inputs in = gather(&p);
    static const struct {
        const char *text, *origin;
        uint64_t list;
        bool constraint;
    } want[] = {
        { "a>=1", "pyproject.toml:5", 1, false }, { "b", "pyproject.toml:8", 2, false },
        { "c", "pyproject.toml:10", 4, false },   { "c", "pyproject.toml:10", 8, false },
        { "d", "pyproject.toml:11", 8, false },   { "e<1", "pyproject.toml:13", 0, true },
    };

    assert_true(in.from_project);
    is_text(in.source, "pyproject.toml");
    assert_int_equal(in.roots.n, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        is_text(in.roots.p[i].text, want[i].text);
        is_text(in.roots.p[i].origin, want[i].origin);
        assert_int_equal(in.lists.p[i], want[i].list);
        assert_int_equal(in.roots.p[i].constraint, want[i].constraint);
    }
    assert_int_equal(in.extras.n, 1);
    is_text(in.extras.p[0], "x-y");
    assert_int_equal(in.groups.n, 2);
    assert_int_equal(in.default_groups.n, 1);
    is_text(in.default_groups.p[0], "dev");
    test_close(&p);
}

static void takes_requirements_txt_with_hashes_and_options(void **state)
{
    struct test_project p;

    test_init(&p, state);
    p.r.index_url = STR("");
    test_write(p.t, "p/requirements.txt",
               "--index-url https://main.example/\n--extra-index-url https://extra.example/\n--no-binary lib\n--pre\n"
               "Flask==2.0 \\\n  --hash=sha256:" HEX " --hash=sha512:" HEX HEX "\nsix>=1\n-c limits.txt\n");
    test_write(p.t, "p/limits.txt", "six<9\n");
    struct inputs in = gather(&p);

    assert_false(in.from_project);
    is_text(in.source, "requirements.txt");
    assert_int_equal(in.roots.n, 3);
    is_text(in.roots.p[0].text, "Flask==2.0");
    assert_true(str_ends(in.roots.p[1].origin, STR("requirements.txt:7")));
    assert_true(in.roots.p[2].constraint);
    assert_true(str_ends(in.roots.p[2].origin, STR("limits.txt:1")));
    assert_int_equal(in.hashes.n, 2);
    is_text(in.hashes.p[0].name, "flask");
    is_text(in.hashes.p[0].version, "2.0");
    is_text(in.hashes.p[0].hash, "sha256:" HEX);
    assert_true(in.require_hashes);
    assert_int_equal(in.index.n_url, 2);
    is_text(in.index.url[0], "https://extra.example/");
    is_text(in.index.url[1], "https://main.example/");
    assert_int_equal(in.index.n_no_binary, 1);
    assert_int_equal(in.index.prerelease, PRERELEASE_ALLOW);
    test_close(&p);
}

static void asks_extra_indexes_first_and_shows_no_credentials(void **state)
{
    static const char *const extra[] = { "https://user:pa%40ss@one.example/simple", NULL };
    static const char *const want[] = { "https://user:pa%40ss@one.example/simple/", "https://tok@two.example/",
                                        "https://three.example/", "https://index.example/simple/" };
    static const char *const bare[] = { "https://one.example/simple/", "https://two.example/", "https://three.example/",
                                        "https://index.example/simple/" };
    struct test_project p;

    test_init(&p, state);
    p.r.extra_index_url = test_list(&p.a, extra);
    test_write(p.t, "p/requirements.txt", "--extra-index-url https://tok@two.example/\nsix\n");
    (void)setenv("BLAST_RESOLVER_EXTRA_INDEX_URLS", "https://three.example", 1);
    struct inputs in = gather(&p);

    (void)unsetenv("BLAST_RESOLVER_EXTRA_INDEX_URLS");
    assert_int_equal(in.index.n_url, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        is_text(in.index.url[i], want[i]);
        is_text(in.bare_url[i], bare[i]);
    }
    test_close(&p);
}

/* Where the main index comes from, the strongest first. */
static void takes_the_index_of_whoever_says_it_first(void **state)
{
    static const struct {
        const char *option, *setting, *variable, *file, *pip_file, *want;
    } cases[] = {
        { "https://a.example/", "https://b.example/", "https://c.example/", "https://d.example/", NULL,
          "https://a.example/" },
        { "", "https://b.example/", "https://c.example/", "https://d.example/", NULL, "https://b.example/" },
        { "", NULL, "https://c.example/", "https://d.example/", NULL, "https://c.example/" },
        { "", NULL, NULL, "https://d.example/", NULL, "https://d.example/" },
        { "", NULL, NULL, "https://d.example/", "https://e.example/x", "https://e.example/x/" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_project p;

        test_init(&p, state);
        p.r.index_url = str_of(cases[i].option);
        struct str conf = arena_printf(&p.a, "[global]\n# index-url = https://no.example/\nindex-url = %s\n",
                                       cases[i].file);

        test_write(p.t, "user/.config/pip/pip.conf", conf.p);
        if (cases[i].setting)
            (void)setenv("BLAST_RESOLVER_INDEX_URL", cases[i].setting, 1);
        if (cases[i].variable)
            (void)setenv("PIP_INDEX_URL", cases[i].variable, 1);
        if (cases[i].pip_file) {
            test_write(p.t, "user/other.conf", arena_printf(&p.a, "[global]\nindex-url=%s\n", cases[i].pip_file).p);
            (void)setenv("PIP_CONFIG_FILE", arena_printf(&p.a, "%s/user/other.conf", p.t->path).p, 1);
        }
        struct inputs in = gather(&p);

        (void)unsetenv("BLAST_RESOLVER_INDEX_URL");
        assert_int_equal(in.index.n_url, 1);
        is_text(in.index.url[0], cases[i].want);
        test_close(&p);
    }
}

static void looks_for_pips_files_where_pip_does(void **state)
{
    struct test_project p;

    test_init(&p, state);
    p.r.index_url = STR("");
    test_write(p.t, "user/.config/pip/pip.conf", "[global]\nindex-url = https://no.example/\n");
    test_write(p.t, "xdg/pip/pip.conf", "[global]\nindex-url = https://yes.example/\n");
    (void)setenv("XDG_CONFIG_HOME", arena_printf(&p.a, "%s/xdg", p.t->path).p, 1);
    struct inputs in = gather(&p);

    is_text(in.index.url[0], "https://yes.example/");
    test_close(&p);
}

static void a_pip_configuration_of_dev_null_switches_its_files_off(void **state)
{
    struct test_project p;

    test_init(&p, state);
    p.r.index_url = STR("");
    test_write(p.t, "user/.config/pip/pip.conf", "[global]\nindex-url = https://d.example/\n");
    (void)setenv("PIP_CONFIG_FILE", "/dev/null", 1);
    struct inputs in;
    struct err e = { 0 };
    bool ok = inputs_gather(test_open(&p), &in, &e); /* the built-in index, when there is one */

    if (ok ? str_eq(in.index.url[0], STR("https://d.example/")) : !strstr(e.text, "no package index is known"))
        fail_msg("%s", ok ? "the file counts" : e.text);
    test_close(&p);
}

static void no_index_leaves_only_the_links(void **state)
{
    static const char *const links[] = { "/links", NULL };
    struct test_project p;

    test_init(&p, state);
    p.r.no_index = true;
    p.r.find_links = test_list(&p.a, links);
    test_write(p.t, "p/requirements.txt", "--find-links https://more.example/links\nsix\n");
    struct inputs in = gather(&p);

    assert_int_equal(in.index.n_url, 0);
    assert_int_equal(in.index.n_find_links, 2);
    is_text(in.index.find_links[0], "/links");
    is_text(in.index.find_links[1], "https://more.example/links");
    test_close(&p);
}

static void words_of_the_command_line_may_be_files(void **state)
{
    static const char *const words[] = { "flask>2", "https://files.example/Big_Lib-1.0-py3-none-any.whl#sha256=00",
                                         NULL };
    struct test_project p;

    test_init(&p, state);
    p.r.package = test_list(&p.a, words);
    struct inputs in = gather(&p);

    is_text(in.source, "the command line");
    assert_int_equal(in.roots.n, 2);
    is_text(in.roots.p[0].origin, "command line");
    is_text(in.roots.p[1].req.key, "big-lib");
    is_text(in.roots.p[1].req.url, words[1]);
    test_close(&p);
}

static void counts_an_age_from_now(void **state)
{
    static const struct {
        const char *text;
        int64_t want;
    } cases[] = { { "3d", 1000000 - 3 * 86400 }, { "2h", 1000000 - 7200 }, { "5m", 1000000 - 300 },
                  { "1w", 1000000 - 604800 },    { "1970-01-02", 86400 },  { "1970-01-02T00:00:01Z", 86401 } };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_project p;

        test_init(&p, state);
        p.r.exclude_newer = str_of(cases[i].text);
        struct inputs in = gather(&p);

        if (in.index.exclude_newer != cases[i].want)
            fail_msg("%s: %lld", cases[i].text, (long long)in.index.exclude_newer);
        test_close(&p);
    }
}

static void refuses_what_it_cannot_use(void **state)
{
    static const struct {
        const char *requirements, *option, *value;
        enum err_kind kind;
        const char *why;
    } cases[] = {
        { "six >\n", "", "", ERR_CONFIG, "requirements.txt:1: requirement 'six >'" },
        { "-e ./gone\n", "", "", ERR_CONFIG, "requirements.txt:1: requirement './gone'" },
        { "git+ftp://files.example/x\n", "", "", ERR_PACKAGE, "git cannot be asked for 'ftp://files.example/x'" },
        { "ssh://files.example/x.tar.gz\n", "", "", ERR_PACKAGE, "is no place that can be fetched from" },
        { "./nothing.whl\n", "", "", ERR_CONFIG, "find './nothing.whl': No such file or directory" },
        { "-c limits.txt\n", "", "", ERR_CONFIG, "a constraint needs a name, not './x.whl'" },
        { "", "index", "nonsense", ERR_CONFIG, "use the index 'nonsense'" },
        { "", "index", "https://user:secret@host:x/", ERR_CONFIG, "use the index '****@host:x/'" },
        { "", "prerelease", "maybe", ERR_CONFIG, "--prerelease is if-necessary, allow or disallow, not 'maybe'" },
        { "", "resolution", "best", ERR_CONFIG, "--resolution is highest, lowest or lowest-direct, not 'best'" },
        { "", "newer", "soon", ERR_CONFIG, "'soon' is no date and no age" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_project p;
        struct str value = str_of(cases[i].value);

        test_init(&p, state);
        test_write(p.t, "p/requirements.txt", cases[i].requirements);
        test_write(p.t, "p/limits.txt", "./x.whl\n");
        if (strcmp(cases[i].option, "index") == 0)
            p.r.index_url = value;
        if (strcmp(cases[i].option, "prerelease") == 0)
            p.r.prerelease = value;
        if (strcmp(cases[i].option, "resolution") == 0)
            p.r.resolution = value;
        if (strcmp(cases[i].option, "newer") == 0)
            p.r.exclude_newer = value;
        refuse(&p, cases[i].kind, cases[i].why);
        test_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(the_digest_changes_with_what_decides_the_result),
        TEST_IN_DIR(the_digest_does_not_change_with_what_decides_nothing),
        TEST_IN_DIR(takes_the_lists_of_the_project),
        TEST_IN_DIR(takes_requirements_txt_with_hashes_and_options),
        TEST_IN_DIR(asks_extra_indexes_first_and_shows_no_credentials),
        TEST_IN_DIR(takes_the_index_of_whoever_says_it_first),
        TEST_IN_DIR(looks_for_pips_files_where_pip_does),
        TEST_IN_DIR(a_pip_configuration_of_dev_null_switches_its_files_off),
        TEST_IN_DIR(no_index_leaves_only_the_links),
        TEST_IN_DIR(words_of_the_command_line_may_be_files),
        TEST_IN_DIR(counts_an_age_from_now),
        TEST_IN_DIR(refuses_what_it_cannot_use),
    };

    (void)setenv("BLAST_NOW", "1970-01-12T13:46:40Z", 1); /* second 1000000 */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
