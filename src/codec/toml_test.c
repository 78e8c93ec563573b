#include <dirent.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "codec/toml.h"
#include "codec/toml_tagged.h"

static struct toml_doc *parsed(struct arena *a, const char *text)
{
    struct toml_doc *d;
    struct err e = { 0 };

    if (!toml_parse(str_of(text), "t.toml", a, &d, &e))
        fail_msg("%s: %s", text, e.text);
    return d;
}

static int open_vectors(const char *sub)
{
    char path[4096];
    const char *root = getenv("BLAST_VECTORS");
    struct err e = { 0 };
    int fd = -1;

    if (!root)
        fail_msg("BLAST_VECTORS is not set; run by meson test");
    (void)snprintf(path, sizeof path, "%s/toml/%s", root, sub);
    if (!fd_open_dir(AT_FDCWD, path, &fd, &e))
        fail_msg("%s", e.text);
    return fd;
}

static bool check_valid(int dir, const char *name)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF got = { 0 };
    struct str toml, json = { 0 };
    struct toml_doc *d;
    struct err e = { 0 };
    const char *dot = strrchr(name, '.');

    if (!dot || strcmp(dot, ".toml") != 0)
        return false;
    struct str want_name = arena_printf(&a, "%.*s.json", (int)(dot - name), name);

    if (!fd_read_file(dir, name, 1 << 20, &a, &toml, &e) || !fd_read_file(dir, want_name.p, 1 << 20, &a, &json, &e) ||
        !toml_parse(toml, name, &a, &d, &e))
        fail_msg("%s", e.text);
    buf_init(&got, 1 << 20);
    assert_true(toml_tagged(d, &got));
    (void)buf_char(&got, '\n');
    if (!str_eq(buf_done(&got), json))
        fail_msg("%s\n got %s\nwant %s", name, buf_done(&got).p, json.p);
    return true;
}

static void reads_valid_documents_as_the_vectors_say(void **state)
{
    AUTO_FD dir = open_vectors("valid");
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *entry;
    struct err e = { 0 };
    unsigned n = 0;

    (void)state;
    assert_true(file_list_open(dir, ".", &list, &e));
    while (file_list_next(&list, &entry, &e))
        n += check_valid(dir, entry->d_name);
    assert_true(n >= 30);
}

/* \n \r \t \\ \xHH */
static struct str unescape(struct arena *a, struct str s)
{
    char *out = arena_text(a, s.p, s.n), *to = out;

    for (size_t i = 0; i < s.n; i++) {
        char c = s.p[i];

        if (c != '\\') {
            *to++ = c;
            continue;
        }
        c = s.p[++i];
        if (c == 'x') {
            char hex[3] = { s.p[i + 1], s.p[i + 2], 0 };

            *to++ = (char)strtol(hex, NULL, 16);
            i += 2;
        } else {
            *to++ = c == 'n' ? '\n' : c == 'r' ? '\r' : c == 't' ? '\t' : '\\';
        }
    }
    return (struct str){ out, (size_t)(to - out) };
}

static void refuses_what_is_not_toml_with_the_place_and_the_reason(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD dir = open_vectors("invalid");
    struct str text, line;
    struct err e = { 0 };
    unsigned n = 0;

    (void)state;
    assert_true(fd_read_file(dir, "list", 1 << 20, &a, &text, &e));
    while (str_next_line(&text, &line)) {
        size_t tab = str_rfind(line, '\t');
        struct toml_doc *d;

        if (tab == line.n)
            continue;
        if (toml_parse(unescape(&a, str_sub(line, 0, tab)), NULL, &a, &d, &e))
            fail_msg("was accepted: " STR_FMT, STR_ARG(line));
        assert_int_equal(e.kind, ERR_CONFIG);
        if (!str_eq(str_of(e.text), str_sub(line, tab + 1, line.n)))
            fail_msg("%s\nfor " STR_FMT, e.text, STR_ARG(line));
        n++;
    }
    assert_true(n > 200);
}

static void finds_values_and_their_places(void **state)
{
    AUTO_ARENA a = { 0 };
    struct toml_doc *d = parsed(&a, "# x\n[env]\n  python_version = \"3.11\" # c\nn = 5\n[a.b]\n\"é\" = [1, true]\n");
    const struct toml_node *n = toml_find(d, "env.python_version");
    struct toml_place at;

    (void)state;
    assert_non_null(n);
    assert_string_equal(n->text.p, "3.11");
    at = toml_key_place(d, n);
    assert_int_equal(at.line, 3);
    assert_int_equal(at.column, 3);
    at = toml_value_place(d, n);
    assert_int_equal(at.column, 20);
    assert_int_equal(toml_find(d, "env.n")->integer, 5);
    assert_null(toml_find(d, "env.m"));
    assert_null(toml_find(d, "env.n.x"));
    assert_null(toml_get(d, NULL, STR("x")));
    n = toml_find(d, "a.b.é");
    assert_int_equal(n->type, TOML_ARRAY);
    assert_int_equal(n->n, 2);
    assert_true(n->last->yes);
    assert_int_equal(toml_value_place(d, n).column, 7); /* characters, not bytes */
}

static void keeps_members_in_the_order_of_the_file(void **state)
{
    static const char *const want[] = { "z", "a", "m", "b" };
    AUTO_ARENA a = { 0 };
    struct toml_doc *d = parsed(&a, "z = 1\na.x = 2\nm = 3\na.y = 4\n[b]\n");
    size_t i = 0;

    (void)state;
    for (const struct toml_node *n = d->root->first; n; n = n->next)
        assert_string_equal(n->key.p, want[i++]);
    assert_int_equal(i, COUNT(want));
}

static void names_the_file_in_errors(void **state)
{
    AUTO_ARENA a = { 0 };
    struct toml_doc *d;
    struct err e = { 0 };

    (void)state;
    assert_false(toml_parse(STR("a = 1\nb = \n"), "blast.toml", &a, &d, &e));
    assert_string_equal(e.text, "blast.toml:2:5: a value is missing");
    d = parsed(&a, "a = 1\nb = 'x'\n");
    assert_false(toml_error(d, toml_find(d, "b"), &e, "not %s", "this"));
    assert_string_equal(e.text, "t.toml:2:5: not this");
}

static void bounds_depth_and_size(void **state)
{
    AUTO_ARENA a = { 0 };
    struct toml_doc *d;
    struct err e = { 0 };
    char text[700];

    (void)state;
    memset(text, '[', sizeof text);
    memcpy(text, "a = ", 4);
    assert_false(toml_parse((struct str){ text, sizeof text }, NULL, &a, &d, &e));
    assert_non_null(strstr(e.text, "nested more than 100 deep"));
    for (size_t i = 0; i < sizeof text; i++)
        text[i] = i % 2 ? '.' : 'a';
    memcpy(text + sizeof text - 3, "a=1", 3);
    assert_false(toml_parse((struct str){ text, sizeof text }, NULL, &a, &d, &e));
    assert_non_null(strstr(e.text, "nested more than 100 deep"));
    memcpy(text, "[[", 2);
    assert_false(toml_parse((struct str){ text, sizeof text }, NULL, &a, &d, &e));
    assert_false(toml_parse((struct str){ text, TOML_SIZE_MAX + 1u }, "big", &a, &d, &e));
    assert_non_null(strstr(e.text, "the limit is 33554432"));
    size_t n = 2 * (TOML_NODES_MAX + 2u);
    char *many = arena_alloc(&a, n);

    memcpy(many, "a=[", 3);
    for (size_t i = 3; i < n; i++)
        many[i] = i % 2 ? '1' : ',';
    assert_false(toml_parse((struct str){ many, n }, NULL, &a, &d, &e));
    assert_non_null(strstr(e.text, "more than 2000000 keys and values"));
}

static void finds_members_of_large_tables(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct toml_doc *d;
    struct err e = { 0 };
    char key[32];

    (void)state;
    buf_init(&b, 1 << 22);
    for (int i = 0; i < 20000; i++)
        assert_true(buf_printf(&b, "k%d = %d\n", i, i));
    assert_true(toml_parse(buf_done(&b), NULL, &a, &d, &e));
    for (int i = 0; i < 20000; i += 777) {
        (void)snprintf(key, sizeof key, "k%d", i);
        assert_int_equal(toml_find(d, key)->integer, i);
    }
    assert_null(toml_find(d, "k20000"));
}

static void reads_paths_in_toml_spelling(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str part[4];
    struct err e = { 0 };
    size_t n;

    (void)state;
    assert_true(toml_path_parse(STR("a.\"b c\" . 'd.e'"), &a, part, 4, &n, &e));
    assert_int_equal(n, 3);
    assert_string_equal(part[1].p, "b c");
    assert_string_equal(part[2].p, "d.e");
    assert_false(toml_path_parse(STR("a.b.c.d.e"), &a, part, 4, &n, &e));
    assert_non_null(strstr(e.text, "more than 4 parts"));
    assert_false(toml_path_parse(STR("a b"), &a, part, 4, &n, &e));
    assert_false(toml_path_parse(STR(""), &a, part, 4, &n, &e));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_valid_documents_as_the_vectors_say),
        cmocka_unit_test(refuses_what_is_not_toml_with_the_place_and_the_reason),
        cmocka_unit_test(finds_values_and_their_places),
        cmocka_unit_test(keeps_members_in_the_order_of_the_file),
        cmocka_unit_test(names_the_file_in_errors),
        cmocka_unit_test(bounds_depth_and_size),
        cmocka_unit_test(finds_members_of_large_tables),
        cmocka_unit_test(reads_paths_in_toml_spelling),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
