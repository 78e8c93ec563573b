#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "lock/lock_parts.h"
#include "pep/marker_env.h"
#include "pep/tag.h"

#define SHA "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
#define HEAD "lock-version = '1.0'\ncreated-by = 'x'\n"
#define ONE_PACKAGE HEAD "[[packages]]\nname = 'a'\nversion = '1'\n%s\n"
#define FILE_OF(name) "{url = 'https://files.example/" name "', hashes = {sha256 = '" SHA "'}}"

/* The vector file; SKIP when the suite runs without the tree. */
static struct str vector(struct arena *a)
{
    const char *folder = getenv("BLAST_VECTORS");

    if (!folder) {
        print_message("SKIP: BLAST_VECTORS is not set\n");
        skip();
    }
    FILE *f = fopen(arena_printf(a, "%s/pylock.toml", folder).p, "re");
    char *text = arena_alloc(a, 1 << 16);

    assert_non_null(f);
    size_t n = fread(text, 1, 1 << 16, f);

    assert_int_equal(fclose(f), 0);
    return (struct str){ text, n };
}

static struct lock parse(struct arena *a, struct str text)
{
    struct lock l = { 0 };
    struct err e = { 0 };

    if (!lock_parse(a, text, &l, &e))
        fail_msg("%s", e.text);
    return l;
}

static void writes_what_it_reads(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct str text = vector(&a);
    struct lock l = parse(&a, text);

    (void)state;
    buf_init(&b, 1 << 16);
    assert_true(lock_format(&l, &b));
    assert_string_equal(buf_done(&b).p, arena_str(&a, text).p);
}

static void reads_its_own_layout_in_one_pass(void **state)
{
    static const struct {
        const char *from, *to;
    } changes[] = {
        { "name = \"attrs\"", "name = 'attrs'" },
        { "size = 63152", "size = 0x3152" },
        { "  {upload-time", " {upload-time" },
        { "hashes = {sha256 = \"0", "hashes = {sha256 = \"x" },
        { "attrs-25.1.0-py3", "other-25.1.0-py3" },
        { "path = \"./demo\", ", "" },
        { "name = \"demo\"", "name = \"d\\u00e9mo\"" },
        { "created-by = \"blast\"\n", "" },
    };
    AUTO_ARENA a = { 0 };
    struct str text = vector(&a);
    struct lock l;

    (void)state;
    assert_true(lock_parse_own(&a, text, &l));
    assert_int_equal(l.n_package, 7);
    for (size_t i = 0; i < COUNT(changes); i++) {
        size_t at = str_search(text, str_of(changes[i].from));

        assert_true(at < text.n);
        struct str changed = arena_printf(&a, STR_FMT "%s" STR_FMT, STR_ARG(str_sub(text, 0, at)), changes[i].to,
                                          STR_ARG(str_sub(text, at + strlen(changes[i].from), text.n)));

        if (lock_parse_own(&a, changed, &l))
            fail_msg("'%s' was taken", changes[i].to);
    }
    assert_false(lock_parse_own(&a, str_sub(text, 0, text.n - 3), &l));
}

static void reads_every_key(void **state)
{
    AUTO_ARENA a = { 0 };
    struct lock l = parse(&a, vector(&a));
    const struct lock_package *p;

    (void)state;
    assert_int_equal(l.n_package, 7);
    assert_int_equal(l.n_environment, 2);
    assert_int_equal(l.n_group, 2);
    assert_true(str_eq(l.requires_python, STR(">=3.9")));
    assert_int_equal(l.origin.n_option, 2);
    assert_true(str_eq(l.origin.option[1].value, STR("highest")));

    p = lock_find(&l, STR("attrs"));
    assert_int_equal(p->sdist->size, 810562);
    assert_true(str_eq(p->wheel[0].name, STR("attrs-25.1.0-py3-none-any.whl")));
    assert_true(str_eq(p->wheel[0].upload_time, STR("2025-01-25T11:30:10.164985+00:00")));
    p = lock_find(&l, STR("Cattrs"));
    assert_true(str_eq(p->wheel[0].name, STR("cattrs-24.1.2+local-py3-none-any.whl")));
    assert_true(p->wheel[0].size == LOCK_NO_SIZE);
    assert_true(str_eq(lock_file_hash(&p->wheel[0], STR("sha256")), STR(SHA)));
    assert_int_equal(lock_file_hash(&p->wheel[0], STR("sha512")).n, 0);
    assert_true(str_eq(p->dep[1].version, STR("1.26.4")));
    p = lock_find(&l, STR("demo"));
    assert_true(p->directory->editable);
    p = lock_find(&l, STR("vcsed"));
    assert_true(str_eq(p->vcs->requested_revision, STR("v1")));
    assert_null(lock_find(&l, STR("nothing")));
}

static void sorts_packages_files_and_hashes(void **state)
{
    static const struct lock_hash hash[] = { { STR_INIT("sha256"), STR_INIT(SHA) },
                                             { STR_INIT("md5"), STR_INIT("00") } };
    static const struct lock_file wheel[] = {
        { .name = STR_INIT("b-1-py3-none-any.whl"), .url = STR_INIT("https://u:p@x.example/b-1-py3-none-any.whl"),
          .size = 2, .upload_time = STR_INIT("yesterday"), .hash = hash, .n_hash = 2 },
        { .name = STR_INIT("b-1-py2-none-any.whl"), .url = STR_INIT("https://x.example/1"), .size = LOCK_NO_SIZE,
          .upload_time = STR_INIT("2026-01-02T03:04:05Z"), .hash = hash, .n_hash = 1 },
    };
    static const struct lock_dep dep[] = { { STR_INIT("z"), STR_INIT("") }, { STR_INIT("a"), STR_INIT("") } };
    static const struct lock_directory directory = { .path = STR_INIT("./a \"b\"\n") };
    static const struct lock_package package[] = {
        { .name = STR_INIT("b"), .version = STR_INIT("1"), .wheel = wheel, .n_wheel = 2, .dep = dep, .n_dep = 2 },
        { .name = STR_INIT("a"), .directory = &directory },
    };
    static const struct lock l = { .created_by = STR_INIT("blast"), .package = package, .n_package = 2 };
    AUTO_BUF b = { 0 };

    (void)state;
    buf_init(&b, 4096);
    assert_true(lock_format(&l, &b));
    assert_string_equal(buf_done(&b).p,
                        "lock-version = \"1.0\"\n"
                        "created-by = \"blast\"\n"
                        "\n[[packages]]\n"
                        "name = \"a\"\n"
                        "directory = {path = \"./a \\\"b\\\"\\u000A\"}\n"
                        "\n[[packages]]\n"
                        "name = \"b\"\n"
                        "version = \"1\"\n"
                        "dependencies = [\n"
                        "  {name = \"a\"},\n"
                        "  {name = \"z\"},\n"
                        "]\n"
                        "wheels = [\n"
                        "  {name = \"b-1-py2-none-any.whl\", upload-time = 2026-01-02T03:04:05Z, "
                        "url = \"https://x.example/1\", hashes = {sha256 = \"" SHA "\"}},\n"
                        "  {url = \"https://x.example/b-1-py3-none-any.whl\", size = 2, "
                        "hashes = {md5 = \"00\", sha256 = \"" SHA "\"}},\n"
                        "]\n");
}

static void rejects_what_the_standard_forbids(void **state)
{
    static const struct {
        const char *text, *why;
    } cases[] = {
        { "created-by = 'x'\npackages = []\n", "the lock has no lock-version" },
        { "lock-version = '2.0'\ncreated-by = 'x'\npackages = []\n", "lock-version 2.0, this program reads 1.x" },
        { "lock-version = 'x'\n", "lock-version 'x' is no version" },
        { "lock-version = 1.0\n", "'lock-version' is a float, it must be a string" },
        { "lock-version = '1.0'\npackages = []\n", "the lock has no created-by" },
        { HEAD, "the lock has no packages" },
        { HEAD "packages = [1]\n", "'packages' holds an integer" },
        { HEAD "environments = ['x']\npackages = []\n", "unknown marker name" },
        { HEAD "requires-python = 'x'\npackages = []\n", "read requires-python of the lock" },
        { HEAD "extras = ['A_b']\npackages = []\n", "extra 'A_b' is not normalised" },
        { HEAD "[[packages]]\nversion = '1'\n", "a package without a name" },
        { HEAD "[[packages]]\nname = 'A'\n", "package name 'A' is not normalised" },
        { HEAD "[[packages]]\nname = 'a'\n", "'a' has 0 sources, it must have one" },
        { HEAD "[[packages]]\nname = 'a'\nversion = 'x'\n", "read package 'a' of the lock" },
        { HEAD "[[packages]]\nname = 'a'\nmarker = 'x'\n", "unknown marker name" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [{url = 'a-1-py3-none-any.whl'}]\n", "a file without hashes" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [{hashes = {sha256 = '" SHA "'}}]\n", "without url or path" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [{url = 'x', hashes = {}}]\n", "'hashes' is empty" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [{url = 'x', hashes = {sha256 = 'ab'}}]\n", "this is no sha256" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [{url = 'x', hashes = {md6 = 'xy'}}]\n", "this is no md6" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [{url = 'x', size = -1}]\n", "'size' is negative" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [{url = 'x', upload-time = 2026-01-01}]\n", "'upload-time' is" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [" FILE_OF("a-1.zip") "]\n", "read the wheel at line 5" },
        { HEAD "[[packages]]\nname = 'a'\nwheels = [" FILE_OF("b-1-py3-none-any.whl") "]\n", "is not a file of a" },
        { HEAD "[[packages]]\nname = 'a'\nversion = '2'\nwheels = [" FILE_OF("a-1-py3-none-any.whl") "]\n",
          "is not a file of a 2" },
        { HEAD "[[packages]]\nname = 'a'\nversion = '2'\nsdist = " FILE_OF("a-1.tar.gz") "\n", "is not a file of a 2" },
        { HEAD "[[packages]]\nname = 'a'\nsdist = " FILE_OF("a-1.tar.gz") "\ndirectory = {path = 'a'}\n",
          "'a' has files and also archive, directory or vcs" },
        { HEAD "[[packages]]\nname = 'a'\ndirectory = {}\n", "a directory without path" },
        { HEAD "[[packages]]\nname = 'a'\nvcs = {type = 'git', url = 'x'}\n", "vcs without type or commit-id" },
        { HEAD "[[packages]]\nname = 'a'\nvcs = {type = 'git', commit-id = 'x'}\n", "vcs without url or path" },
        { HEAD "packages = []\n[tool.blast]\noptions = {a = 1}\n", "option 'a' is not a string" },
        { "lock-version = ", "pylock.toml:1" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct lock l;
        struct err e = { 0 };

        if (lock_parse(&a, str_of(cases[i].text), &l, &e))
            fail_msg("%s was taken", cases[i].text);
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("%s: %s", cases[i].text, e.text);
    }
}

static void passes_over_what_it_does_not_know(void **state)
{
    AUTO_ARENA a = { 0 };
    struct lock l = parse(&a, STR("lock-version = '1.7'\ncreated-by = 'x'\nnews = 1\npackages = []\n"
                                  "[tool.other]\nx = 1\n"));

    (void)state;
    assert_int_equal(l.n_package, 0);
    assert_int_equal(l.origin.inputs.n, 0);
}

static void finds_its_origin_without_reading_packages(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str text = vector(&a);
    struct lock_origin o;
    char *broken = arena_text(&a, text.p, text.n);

    (void)state;
    memcpy(strstr(broken, "[[packages]]") + 13, "{{{", 3);
    assert_true(lock_peek(&a, str_of(broken), &o));
    assert_true(str_eq(o.inputs, STR("sha256:" SHA)));
    assert_int_equal(o.n_index, 1);
    assert_false(lock_peek(&a, STR(HEAD "packages = []\n"), &o));
    assert_false(lock_peek(&a, STR("[tool.blast\n"), &o));
}

static const struct marker_env linux311 = {
    .os_name = STR_INIT("posix"),
    .sys_platform = STR_INIT("linux"),
    .python_version = STR_INIT("3.11"),
    .python_full_version = STR_INIT("3.11.7"),
};

static void selects_what_the_environment_needs(void **state)
{
    static const struct {
        bool defaults;
        const char *extra;
        const char *want;
    } cases[] = {
        { false, NULL, "attrs demo numpy tool vcsed " },
        { true, NULL, "attrs cattrs demo numpy tool vcsed " },
        { false, "gui", "attrs cattrs demo numpy tool vcsed " },
    };
    AUTO_ARENA a = { 0 };
    struct lock l = parse(&a, vector(&a));

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF b = { 0 };
        struct str extra = str_of(cases[i].extra);
        struct lock_scope scope = { .env = &linux311, .extras = &extra, .n_extras = cases[i].extra != NULL,
                                    .default_groups = cases[i].defaults };
        struct lock_selection s;
        struct err e = { 0 };

        buf_init(&b, 4096);
        if (!lock_select(&a, &l, &scope, &s, &e))
            fail_msg("%s", e.text);
        for (size_t k = 0; k < s.n; k++)
            buf_printf(&b, STR_FMT " ", STR_ARG(s.package[k]->name));
        assert_string_equal(buf_done(&b).p, cases[i].want);
    }
}

static void refuses_a_selection_that_is_not_meant(void **state)
{
    static const struct str no_extra = STR_INIT("none");
    static const struct {
        const char *text;
        struct lock_scope scope;
        enum err_kind kind;
        const char *why;
    } cases[] = {
        { HEAD "packages = []\n", { .extras = &no_extra, .n_extras = 1 }, ERR_CONFIG, "the lock has no extra 'none'" },
        { HEAD "packages = []\n", { .groups = &no_extra, .n_groups = 1 }, ERR_CONFIG,
          "the lock has no dependency group 'none'" },
        { HEAD "requires-python = '>=3.12'\npackages = []\n", { 0 }, ERR_RESOLUTION,
          "the lock is for Python >=3.12, this one is 3.11.7" },
        { HEAD "environments = [\"sys_platform == 'win32'\"]\npackages = []\n", { 0 }, ERR_RESOLUTION,
          "the lock is for other environments" },
        { HEAD "[[packages]]\nname = 'a'\nversion = '1'\nsdist = " FILE_OF("a-1.zip")
          "\n[[packages]]\nname = 'a'\nversion = '2'\nsdist = " FILE_OF("a-2.zip") "\n", { 0 }, ERR_RESOLUTION,
          "the lock is ambiguous: 1 and 2 of 'a'" },
        { HEAD "[[packages]]\nname = 'a'\nrequires-python = '<3'\nsdist = " FILE_OF("a-1.zip") "\n", { 0 },
          ERR_RESOLUTION, "'a' wants Python <3, this one is 3.11.7" },
        { HEAD "[[packages]]\nname = 'a'\nmarker = \"os_name ~= 'x'\"\nsdist = " FILE_OF("a-1.zip") "\n", { 0 },
          ERR_RESOLUTION, "the marker of 'a' has no meaning here" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct lock l = parse(&a, str_of(cases[i].text));
        struct lock_scope scope = cases[i].scope;
        struct lock_selection s;
        struct err e = { 0 };

        scope.env = &linux311;
        assert_false(lock_select(&a, &l, &scope, &s, &e));
        if (e.kind != cases[i].kind || !strstr(e.text, cases[i].why))
            fail_msg("%s", e.text);
    }
}

static void chooses_the_file_that_fits_best(void **state)
{
    static const struct tag_input in = { .implementation = STR_INIT("cpython"), .major = 3, .minor = 11,
                                         .soabi = STR_INIT("cpython-311-x86_64-linux-gnu"),
                                         .machine = STR_INIT("x86_64"), .libc = TAG_GLIBC, .libc_major = 2,
                                         .libc_minor = 36 };
    static const struct {
        const char *files, *want;
    } cases[] = {
        { "wheels = [" FILE_OF("a-1-py3-none-any.whl") "," FILE_OF("a-1-cp311-cp311-manylinux_2_17_x86_64.whl") "]",
          "a-1-cp311-cp311-manylinux_2_17_x86_64.whl" },
        { "wheels = [" FILE_OF("a-1-2-py3-none-any.whl") "," FILE_OF("a-1-10-py3-none-any.whl") ","
          FILE_OF("a-1-py3-none-any.whl") "]", "a-1-10-py3-none-any.whl" },
        { "wheels = [" FILE_OF("a-1-cp310-cp310-win32.whl") "]\nsdist = " FILE_OF("a-1.zip"), "a-1.zip" },
        { "wheels = [" FILE_OF("a-1-cp311-cp311-win32.whl") "," FILE_OF("a-1-cp27-cp27mu-win32.whl") "]",
          "none of the 2 wheels of 'a' 1 fits this interpreter's platform" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct lock l = parse(&a, arena_printf(&a, ONE_PACKAGE, cases[i].files));
        const struct lock_file *f;
        struct err e = { 0 };

        if (lock_choose_file(&l.package[0], tag_set_new(&in, &a), &f, &e))
            assert_string_equal(arena_str(&a, f->name).p, cases[i].want);
        else if (strcmp(e.text, cases[i].want) != 0)
            fail_msg("%s", e.text);
    }
}

static void keeps_local_files_out_of_foreign_locks(void **state)
{
    static const struct {
        const char *source, *why;
    } cases[] = {
        { "sdist = " FILE_OF("a-1.zip"), NULL },
        { "directory = {path = 'a'}", "names a local directory for 'a': 'a'" },
        { "sdist = {path = 'a-1.zip', hashes = {sha256 = '" SHA "'}}", "names a local file for 'a': 'a-1.zip'" },
        { "archive = {url = 'file:///a.zip', hashes = {sha256 = '" SHA "'}}", "names a local file for 'a'" },
        { "vcs = {type = 'git', path = 'r', commit-id = 'x'}", "names a local repository for 'a'" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct lock l = parse(&a, arena_printf(&a, ONE_PACKAGE, cases[i].source));
        struct err e = { 0 };

        assert_int_equal(lock_check_remote(&l, &e), cases[i].why == NULL);
        if (cases[i].why && !strstr(e.text, cases[i].why))
            fail_msg("%s", e.text);
    }
}

static void knows_the_names_a_lock_may_have(void **state)
{
    (void)state;
    assert_true(lock_path_is_valid(STR("pylock.toml")));
    assert_true(lock_path_is_valid(STR("a.b/pylock.dev.toml")));
    assert_false(lock_path_is_valid(STR("pylock.a.b.toml")));
    assert_false(lock_path_is_valid(STR("pylock..toml")));
    assert_false(lock_path_is_valid(STR("Pylock.toml")));
    assert_false(lock_path_is_valid(STR("pylock.toml/x")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writes_what_it_reads),
        cmocka_unit_test(reads_its_own_layout_in_one_pass),
        cmocka_unit_test(reads_every_key),
        cmocka_unit_test(sorts_packages_files_and_hashes),
        cmocka_unit_test(rejects_what_the_standard_forbids),
        cmocka_unit_test(passes_over_what_it_does_not_know),
        cmocka_unit_test(finds_its_origin_without_reading_packages),
        cmocka_unit_test(selects_what_the_environment_needs),
        cmocka_unit_test(refuses_a_selection_that_is_not_meant),
        cmocka_unit_test(chooses_the_file_that_fits_best),
        cmocka_unit_test(keeps_local_files_out_of_foreign_locks),
        cmocka_unit_test(knows_the_names_a_lock_may_have),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
