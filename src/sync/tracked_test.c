#include "sync/tracked.h"

#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/test_dir.h"

#define INDEX_BYTES 65536

/* An index as git writes it (gitformat-index(5)); names in order. */
static void make_index(struct buf *b, unsigned version, size_t hash, const char *const *names)
{
    const char *before = "";
    size_t n = 0;

    while (names[n])
        n++;
    buf_init(b, INDEX_BYTES);
    (void)buf_add(b, "DIRC\0\0\0", 7);
    (void)buf_char(b, (char)version);
    (void)buf_add(b, "\0\0\0", 3);
    (void)buf_char(b, (char)n);
    for (size_t i = 0; i < n; i++) {
        size_t start = b->n, same = 0;
        bool extended = version >= 3 && i % 2;

        for (size_t k = 0; k < 40 + hash; k++)
            (void)buf_char(b, 'x');
        (void)buf_char(b, extended ? 0x40 : 0);
        (void)buf_char(b, (char)strlen(names[i]));
        if (extended)
            (void)buf_add(b, "\0\0", 2);
        if (version == 4) {
            while (before[same] && before[same] == names[i][same])
                same++;
            (void)buf_char(b, (char)(strlen(before) - same));
        }
        (void)buf_add(b, names[i] + same, strlen(names[i]) - same + 1);
        while (version < 4 && (b->n - start) % 8)
            (void)buf_char(b, 0);
        before = names[i];
    }
}

static void files_are_found_in_an_index_of_every_version(void **state)
{
    static const char *const names[] = { "app/pylock.toml", "app/pyproject.toml", "pyproject.toml", "src/a.py", NULL };
    static const struct {
        const char *path;
        bool there;
    } cases[] = {
        { "app/pylock.toml", true }, { "app/pyproject.toml", true }, { "pyproject.toml", true }, { "src/a.py", true },
        { "pylock.toml", false },    { "app", false },               { "app/pylock", false },    { "", false },
    };

    (void)state;
    for (unsigned version = 2; version <= 4; version++) {
        for (size_t hash = 20; hash <= 32; hash += 12) {
            AUTO_BUF b = { .limit = INDEX_BYTES };

            make_index(&b, version, hash, names);
            for (size_t i = 0; i < COUNT(cases); i++) {
                bool understood;

                if (tracked_in_index(buf_done(&b), str_of(cases[i].path), &understood) != cases[i].there || !understood)
                    fail_msg("version %u, %zu bytes: '%s'", version, hash, cases[i].path);
            }
        }
    }
}

static void what_is_no_index_is_said_to_be_none(void **state)
{
    static const char *const names[] = { "a", "b", NULL };
    AUTO_BUF b = { .limit = INDEX_BYTES };
    bool understood;

    (void)state;
    make_index(&b, 2, 20, names);
    for (size_t n = 0; n < b.n; n++) {
        (void)!tracked_in_index(str_sub(buf_done(&b), 0, n), STR("zz"), &understood);
        if (understood && n < b.n - 8)
            fail_msg("%zu of %zu bytes were understood", n, b.n);
    }
    b.p[7] = 9;
    assert_false(tracked_in_index(buf_done(&b), STR("a"), &understood));
    assert_false(understood);
}

static void write_file(struct test_dir *t, const char *folder, const char *name, struct str text)
{
    AUTO_FD dir = -1;
    struct err e = { 0 };

    if (!file_make_dirs(t->fd, folder, 0777, &e) || !fd_open_dir(t->fd, folder, &dir, &e) ||
        !file_replace(dir, name, text, 0666, FILE_NO_SYNC, &e))
        fail_msg("%s", e.text);
}


static void a_repository_is_found_above_the_project(void **state)
{
    static const char *const names[] = { "app/pylock.toml", NULL };
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = INDEX_BYTES };
    const char *app = arena_printf(&a, "%s/r/app", t->path).p, *linked = arena_printf(&a, "%s/w/app", t->path).p;

    make_index(&b, 2, 20, names);
    write_file(t, "r/app", "pylock.toml", STR(""));
    write_file(t, "r/.git", "HEAD", STR("ref: x\n"));
    assert_false(tracked_is(app, "pylock.toml")); /* nothing was added yet */
    write_file(t, "r/.git", "index", buf_done(&b));
    assert_true(tracked_is(app, "pylock.toml"));
    assert_false(tracked_is(app, "pyproject.toml"));
    write_file(t, "w/app", "x", STR(""));
    write_file(t, "w", ".git", STR("gitdir: ../r/.git\n"));
    assert_true(tracked_is(linked, "pylock.toml"));
    assert_false(tracked_is(linked, "x"));
    write_file(t, "w", ".git", STR("nonsense"));
    assert_true(tracked_is(linked, "x")); /* in doubt nothing is written */
    write_file(t, "r/.git", "index", STR("damaged"));
    assert_true(tracked_is(app, "pyproject.toml"));
    write_file(t, "h/.hg", "store", STR(""));
    assert_true(tracked_is(arena_printf(&a, "%s/h", t->path).p, "any"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(files_are_found_in_an_index_of_every_version),
        cmocka_unit_test(what_is_no_index_is_said_to_be_none),
        cmocka_unit_test_setup_teardown(a_repository_is_found_above_the_project, test_dir_make, test_dir_remove),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
