#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "config/reqfile.h"

#define HEX "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

/* Files of one test, by path. */
struct files {
    const char *path[8];
    struct str text[8];
};

static bool read_file(void *ctx, const char *path, struct arena *a, struct str *out, struct err *e)
{
    const struct files *f = ctx;

    (void)a;
    for (size_t i = 0; i < COUNT(f->path) && f->path[i]; i++)
        if (strcmp(f->path[i], path) == 0) {
            *out = f->text[i];
            return true;
        }
    return err_set(e, ERR_IO, "open %s: no such file", path);
}

static const char *const env[] = { "TOKEN=s3cret", "lower=x", "EMPTY=", NULL };

static bool try_read(struct files *f, struct arena *a, struct reqfile *out, struct err *e)
{
    struct reqfile_reader reader = { read_file, f, env };

    return reqfile_read(f->path[0], false, &reader, a, out, e);
}

static struct reqfile parsed(struct arena *a, const char *text)
{
    struct files f = { { "r.txt" }, { str_of(text) } };
    struct reqfile out = { 0 };
    struct err e = { 0 };

    if (!try_read(&f, a, &out, &e))
        fail_msg("%s: %s", text, e.text);
    return out;
}

static void tells_requirements_urls_paths_and_editables_apart(void **state)
{
    static const struct {
        const char *line;
        enum reqfile_kind kind;
        const char *text;
    } cases[] = {
        { "requests", REQFILE_NAMED, "requests" },
        { "  requests [x] >= 2, <3 ; python_version < '3.9'  ", REQFILE_NAMED,
          "requests [x] >= 2, <3 ; python_version < '3.9'" },
        { "name @ https://h.example/n-1.zip#sha256=ab", REQFILE_NAMED, "name @ https://h.example/n-1.zip#sha256=ab" },
        { "name@file:///x/n-1.zip", REQFILE_NAMED, "name@file:///x/n-1.zip" },
        { "https://h.example/n-1.0-py3-none-any.whl", REQFILE_URL, "https://h.example/n-1.0-py3-none-any.whl" },
        { "git+https://h.example/n.git@v1#egg=n", REQFILE_URL, "git+https://h.example/n.git@v1#egg=n" },
        { "file:./x", REQFILE_URL, "file:./x" },
        { "./x[extra]", REQFILE_PATH, "./x[extra]" },
        { ".", REQFILE_PATH, "." },
        { "/abs/x", REQFILE_PATH, "/abs/x" },
        { "sub/x.whl", REQFILE_PATH, "sub/x.whl" },
        { "n-1.0-py3-none-any.whl", REQFILE_PATH, "n-1.0-py3-none-any.whl" },
        { "-e .[dev,test]", REQFILE_EDITABLE, ".[dev,test]" },
        { "-e./x", REQFILE_EDITABLE, "./x" },
        { "--editable=\"with space/x\"", REQFILE_EDITABLE, "with space/x" },
        { "--editable ./x ; sys_platform == 'linux'", REQFILE_EDITABLE, "./x ; sys_platform == 'linux'" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct reqfile f = parsed(&a, cases[i].line);

        assert_int_equal(f.entries.n, 1);
        assert_string_equal(f.entries.p[0].text.p, cases[i].text);
        assert_int_equal(f.entries.p[0].kind, cases[i].kind);
    }
}

static void joins_lines_and_drops_comments(void **state)
{
    static const char text[] = "# head \\\na # c\nb#c\nhttps://h.example/x#egg=y\n\\\n  c \\\n  >=1 \\\n"
                               "# in between\nd==\\\n1\r\n"
                               "\t# indented\ne \\";
    static const struct {
        const char *text;
        unsigned line;
    } want[] = { { "a", 2 }, { "b#c", 3 }, { "https://h.example/x#egg=y", 4 }, { "c   >=1", 5 }, { "d==1", 9 },
                 { "e", 12 } };
    AUTO_ARENA a = { 0 };
    struct reqfile f = parsed(&a, text);

    (void)state;
    assert_int_equal(f.entries.n, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_string_equal(f.entries.p[i].text.p, want[i].text);
        assert_int_equal(f.entries.p[i].line, want[i].line);
        assert_string_equal(f.entries.p[i].file, "r.txt");
    }
}

static void takes_several_hashes_for_a_requirement(void **state)
{
    AUTO_ARENA a = { 0 };
    struct reqfile f = parsed(&a, "a==1 \\\n  --hash=sha256:" HEX " \\\n  --hash sha512:" HEX HEX "  # note\nb==2\n");

    (void)state;
    assert_int_equal(f.entries.n, 2);
    assert_string_equal(f.entries.p[0].text.p, "a==1");
    assert_int_equal(f.entries.p[0].hashes, 2);
    assert_string_equal(f.entries.p[0].hash[0].p, "sha256:" HEX);
    assert_int_equal(f.entries.p[1].hashes, 0);
    assert_int_equal(f.entries.p[1].line, 4);
}

static void reads_global_options_in_every_form(void **state)
{
    AUTO_ARENA a = { 0 };
    struct reqfile f = parsed(&a, "-i https://one.example/simple/\n--index-url=https://index.example/simple/\n"
                                  "--extra-index-url https://a.example/ --extra-index-url https://b.example/\n"
                                  "-f ./wheels\n--find-links=https://c.example/\n--no-index\n--pre\n--require-hashes\n"
                                  "--no-binary :all:\n--no-binary=:none:\n--no-binary x,y\n--only-binary z\n"
                                  "--prefer-binary\n--trusted-host h.example\n--use-feature=fast-deps\n");

    (void)state;
    assert_string_equal(f.index_url.p, "https://index.example/simple/");
    assert_int_equal(f.extra_index_urls.n, 2);
    assert_int_equal(f.find_links.n, 2);
    assert_true(f.no_index && f.pre && f.require_hashes && f.prefer_binary);
    assert_int_equal(f.no_binary.n, 2);
    assert_int_equal(f.only_binary.n, 1);
    assert_int_equal(f.trusted_hosts.n, 1);
    assert_int_equal(f.entries.n, 0);
}

static void replaces_variables_as_pip_does(void **state)
{
    AUTO_ARENA a = { 0 };
    struct reqfile f = parsed(&a, "--index-url https://u:${TOKEN}@index.example/simple/\n"
                                  "a${lower}${NOT_SET}${EMPTY}$TOKEN\n");

    (void)state;
    assert_string_equal(f.index_url.p, "https://u:s3cret@index.example/simple/");
    assert_string_equal(f.entries.p[0].text.p, "a${lower}${NOT_SET}${EMPTY}$TOKEN");
}

static void includes_files_relative_to_the_one_they_stand_in(void **state)
{
    struct files f = { { "d/r.txt", "d/sub/s.txt", "d/c.txt", "d/sub/../n.txt", "/abs.txt" },
                       { STR("a\n-r sub/s.txt\n-c ./c.txt\nz\n"), STR("b\n-r ../n.txt\n"), STR("c<2\n-r /abs.txt\n"),
                         STR("n\n"), STR("abs\n") } };
    static const struct {
        const char *text, *file;
        bool constraint;
    } want[] = { { "a", "d/r.txt", false }, { "b", "d/sub/s.txt", false }, { "n", "d/sub/../n.txt", false },
                 { "c<2", "d/c.txt", true }, { "abs", "/abs.txt", true }, { "z", "d/r.txt", false } };
    AUTO_ARENA a = { 0 };
    struct reqfile out = { 0 };
    struct err e = { 0 };

    (void)state;
    if (!try_read(&f, &a, &out, &e))
        fail_msg("%s", e.text);
    assert_int_equal(out.entries.n, COUNT(want));
    for (size_t i = 0; i < COUNT(want); i++) {
        assert_string_equal(out.entries.p[i].text.p, want[i].text);
        assert_string_equal(out.entries.p[i].file, want[i].file);
        assert_int_equal(out.entries.p[i].constraint, want[i].constraint);
    }
    assert_int_equal(out.files.n, 5);
}

static void obeys_marks_and_declarations_of_the_coding(void **state)
{
    static const struct {
        struct str text;
        const char *want;
    } cases[] = {
        { { "\xef\xbb\xbf" "a", 4 }, "a" },
        { { "\xff\xfe" "a\0\n\0" "\xe9\0", 8 }, "a" },
        { { "\xfe\xff\0a\xd8\x3d\xde\x00", 8 }, "a\xf0\x9f\x98\x80" },
        { { "# -*- coding: latin-1 -*-\na ; x == '\xe9'", 38 }, "a ; x == 'é'" },
        { { "#!x\n# vim: fileencoding=iso-8859-1\n\xe9", 36 }, "é" },
        { { "# coding: utf-8\nb", 17 }, "b" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct files f = { { "r.txt" }, { cases[i].text } };
        struct reqfile out = { 0 };
        struct err e = { 0 };

        if (!try_read(&f, &a, &out, &e))
            fail_msg("%zu: %s", i, e.text);
        assert_string_equal(out.entries.p[0].text.p, cases[i].want);
    }
}

static void refuses_with_file_and_line(void **state)
{
    static const struct {
        const char *text, *why, *hint;
    } cases[] = {
        { "a\n--hahs x\n", "r.txt:2: unknown option '--hahs'", "did you mean --hash?" },
        { "--nonsense-option\n", "r.txt:1: unknown option '--nonsense-option'", "" },
        { "-x y\n", "r.txt:1: unknown option '-x'", "" },
        { "a --global-option=x\n", "r.txt:1: unknown option '--global-option'", "" },
        { "a --pre\n", "r.txt:1: only --hash may stand behind a requirement", "" },
        { "a --hash=sha256:12\n", "is no sha256 hash, which has 64 hexadecimal digits", "" },
        { "a --hash=md5:0123456789abcdef0123456789abcdef\n", "is no hash; write sha256:HEX", "" },
        { "a --hash\n", "--hash needs a value", "" },
        { "--hash=sha256:" HEX "\n", "--hash belongs behind a requirement", "" },
        { "--pre=1\n", "--pre takes no value", "" },
        { "--no-index x\n", "'x' is not expected behind an option", "" },
        { "-e 'x\n", "a quote (') is not closed", "" },
        { "\n-r r.txt\n", "r.txt:2: 'r.txt' includes itself", "" },
        { "-r missing.txt\n", "open missing.txt: no such file", "" },
        { "-r https://h.example/r.txt\n", "would have to be fetched, only files are read",
          "download it and name the copy" },
        { "a\n\xe9\n", "r.txt:2: byte 0xe9 is not UTF-8",
          "save the file as UTF-8, or begin it with '# -*- coding: latin-1 -*-'" },
        { "# coding: koi8-r\n", "the coding 'koi8-r' is not known", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct files f = { { "r.txt" }, { str_of(cases[i].text) } };
        struct reqfile out = { 0 };
        struct err e = { 0 };

        if (try_read(&f, &a, &out, &e))
            fail_msg("accepted: %s", cases[i].text);
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!strstr(e.text, cases[i].why))
            fail_msg("got '%s', want '%s'", e.text, cases[i].why);
        assert_string_equal(e.hint, cases[i].hint);
    }
}

static void names_the_whole_way_in_an_included_file(void **state)
{
    struct files f = { { "a.txt", "b.txt" }, { STR("x\n-c b.txt\n"), STR("\n-e .\n") } };
    AUTO_ARENA a = { 0 };
    struct reqfile out = { 0 };
    struct err e = { 0 };

    (void)state;
    assert_false(try_read(&f, &a, &out, &e));
    assert_string_equal(e.text, "b.txt:2: a constraint cannot be editable\nread a.txt:2");
    f.text[1] = STR("-r a.txt\n");
    assert_false(try_read(&f, &a, &out, &e));
    assert_non_null(strstr(e.text, "b.txt:1: 'a.txt' includes itself"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tells_requirements_urls_paths_and_editables_apart),
        cmocka_unit_test(joins_lines_and_drops_comments),
        cmocka_unit_test(takes_several_hashes_for_a_requirement),
        cmocka_unit_test(reads_global_options_in_every_form),
        cmocka_unit_test(replaces_variables_as_pip_does),
        cmocka_unit_test(includes_files_relative_to_the_one_they_stand_in),
        cmocka_unit_test(obeys_marks_and_declarations_of_the_coding),
        cmocka_unit_test(refuses_with_file_and_line),
        cmocka_unit_test(names_the_whole_way_in_an_included_file),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
