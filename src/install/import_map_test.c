#include "install/import_map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/test_dir.h"
#include "store/store.h"

struct place {
    struct store store;
    struct arena a;
};

static void open_place(void **state, struct place *p)
{
    const struct test_dir *t = *state;
    struct err e = { 0 };

    *p = (struct place){ 0 };
    assert_true(store_open(arena_printf(&p->a, "%s/store", t->path).p, &p->store, &e));
}

static void close_place(struct place *p)
{
    store_close(&p->store);
    arena_clear(&p->a);
}

/* Stores a wheel with these files; the digit makes its sha256. Gives that. */
static struct str add_wheel(struct place *p, char digit, const char *name, const char *metadata,
                            const char *const *files)
{
    static char hex[16][HASH_HEX256 + 1];
    struct store_draft_file draft[16];
    struct store_stage stage;
    struct err e = { 0 };
    struct str info = arena_printf(&p->a, "%s-1.0.dist-info", name);
    struct store_draft d = { .name = str_of(name), .version = STR_INIT("1.0"), .dist_info = info, .files = draft,
                             .record = STR_INIT("") };
    char *key = hex[digit % 16];

    memset(key, digit, HASH_HEX256);
    assert_true(store_stage_open(&p->store, key, &stage, &e));
    assert_int_equal(mkdirat(stage.dir, arena_cstr(&p->a, info), 0755), 0);
    struct str path = arena_printf(&p->a, STR_FMT "/METADATA", STR_ARG(info));
    AUTO_FD fd = -1;

    assert_true(fd_open(stage.dir, path.p, O_WRONLY | O_CREAT, 0644, &fd, &e));
    struct str text = arena_printf(&p->a, "Metadata-Version: 2.5\nName: %s\nVersion: 1.0\n%s", name, metadata);

    assert_true(fd_write_all(fd, text.p, text.n, path.p, &e));
    draft[d.n_files++] = (struct store_draft_file){ .path = path, .size = text.n };
    for (; *files; files++)
        draft[d.n_files++] = (struct store_draft_file){ .path = str_of(*files) };
    assert_true(store_stage_commit(&p->store, &stage, &d, &e));
    import_note(&p->store, &d);
    return str_of(key);
}

static struct import_answer ask(struct place *p, const char *module, const struct import_candidate *c, size_t n)
{
    struct import_query q = { .module = str_of(module), .store = &p->store, .candidate = c, .n = n };
    struct import_answer out;
    struct err e = { 0 };

    assert_true(import_find(&q, &p->a, &out, &e));
    return out;
}

static void is_answer(const struct import_answer *x, enum import_how how, const char *names)
{
    char text[512] = "";

    for (size_t i = 0; i < x->n; i++)
        (void)snprintf(text + strlen(text), sizeof text - strlen(text), "%s" STR_FMT, i ? " " : "",
                       STR_ARG(x->distribution[i]));
    assert_string_equal(text, names);
    assert_string_equal(import_how_word(x->how), import_how_word(how));
}

static void what_packages_say_beats_files_beats_wheels_seen_beats_the_table(void **state)
{
    struct place p;

    open_place(state, &p);
    struct str said = add_wheel(&p, 'a', "Sayer", "Import-Name: yaml\nImport-Name: _sayer ; private\n",
                                (const char *const[]){ "other/__init__.py", NULL });
    struct str has = add_wheel(&p, 'b', "Haver", "", (const char *const[]){ "yaml/__init__.py", NULL });
    struct import_candidate both[] = { { STR_INIT("haver"), has }, { STR_INIT("sayer"), said } };
    struct import_answer x = ask(&p, "yaml", both, 2);

    is_answer(&x, IMPORT_METADATA, "Sayer");
    x = ask(&p, "_sayer", both, 2);
    is_answer(&x, IMPORT_METADATA, "Sayer");
    x = ask(&p, "yaml", both, 1);
    is_answer(&x, IMPORT_FILES, "Haver");
    x = ask(&p, "yaml", NULL, 0);
    is_answer(&x, IMPORT_SEEN, "Haver");
    x = ask(&p, "PIL", NULL, 0);
    is_answer(&x, IMPORT_TABLE, "pillow");
    close_place(&p);
}

static void names_with_dots_find_packages_in_namespaces(void **state)
{
    static const char *const storage[] = { "google/cloud/storage/__init__.py", "google/cloud/storage/blob.py", NULL };
    static const char *const vision[] = { "google/cloud/vision.py", NULL };
    static const struct {
        const char *module, *names;
        enum import_how how;
    } cases[] = {
        { "google.cloud.storage", "g-storage", IMPORT_SEEN },
        { "google.cloud.storage.blob", "g-storage", IMPORT_SEEN },
        { "google.cloud.vision", "g-vision", IMPORT_SEEN },
        { "google.protobuf", "protobuf", IMPORT_TABLE },
        { "google.nosuch", "g-storage g-vision", IMPORT_SEEN }, /* what is known of its beginning */
        { "yaml.nosuch", "PyYAML", IMPORT_TABLE },
    };
    struct place p;

    open_place(state, &p);
    (void)add_wheel(&p, 'a', "g-storage", "", storage);
    (void)add_wheel(&p, 'b', "g-vision", "", vision);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct import_answer x = ask(&p, cases[i].module, NULL, 0);

        is_answer(&x, cases[i].how, cases[i].names);
    }
    close_place(&p);
}

static void what_is_not_known_is_a_guess_ambiguous_or_pythons(void **state)
{
    struct place p;

    open_place(state, &p);
    struct import_answer x = ask(&p, "left_padder.deep", NULL, 0);

    is_answer(&x, IMPORT_GUESS, "left-padder");
    x = ask(&p, "cv2", NULL, 0);
    assert_true(x.how == IMPORT_TABLE && x.n > 1);
    x = ask(&p, "tkinter.ttk", NULL, 0);
    assert_int_equal(x.how, IMPORT_PYTHON);
    assert_non_null(strstr(x.note.p, "without Tk"));
    close_place(&p);
}

static void single_files_and_extension_modules_count_and_tests_of_others_do_not_hide_them(void **state)
{
    static const char *const files[] = { "six.py", "_fast.cpython-312-x86_64-linux-gnu.so", "data/readme.txt",
                                         "tool.libs/libz.so.1", "not-a-name/__init__.py", NULL };
    struct place p;

    open_place(state, &p);
    (void)add_wheel(&p, 'a', "many", "", files);
    struct import_answer x = ask(&p, "_fast", NULL, 0);

    is_answer(&x, IMPORT_SEEN, "many");
    x = ask(&p, "data", NULL, 0);
    is_answer(&x, IMPORT_GUESS, "data");
    close_place(&p);
}

static void a_store_without_the_file_is_gone_through_once(void **state)
{
    struct place p;
    struct err e = { 0 };
    struct str text;

    open_place(state, &p);
    (void)add_wheel(&p, 'a', "one", "", (const char *const[]){ "alpha/__init__.py", NULL });
    assert_int_equal(unlinkat(p.store.dir, "imports-v1", 0), 0);
    struct import_answer x = ask(&p, "alpha", NULL, 0);

    is_answer(&x, IMPORT_SEEN, "one");
    assert_true(fd_read_file(p.store.dir, "imports-v1", 4096, &p.a, &text, &e));
    assert_string_equal(text.p, "#1\none alpha .\n");
    close_place(&p);
}

static void a_line_that_a_crash_cut_short_is_passed_over_and_not_continued(void **state)
{
    struct place p;
    struct err e = { 0 };
    struct str text;

    open_place(state, &p);
    assert_true(file_replace(p.store.dir, "imports-v1", STR("#1\nold beta .\ntorn gam"), 0644, FILE_NO_SYNC, &e));
    (void)add_wheel(&p, 'a', "one", "", (const char *const[]){ "alpha/__init__.py", NULL });
    (void)add_wheel(&p, 'b', "one", "", (const char *const[]){ "alpha/__init__.py", NULL }); /* another version */
    assert_true(fd_read_file(p.store.dir, "imports-v1", 4096, &p.a, &text, &e));
    assert_string_equal(text.p, "#1\nold beta .\ntorn gam\none alpha .\n");
    struct import_answer x = ask(&p, "gam", NULL, 0);

    is_answer(&x, IMPORT_GUESS, "gam");
    x = ask(&p, "beta", NULL, 0);
    is_answer(&x, IMPORT_SEEN, "old"); /* its wheel is gone from the store */
    close_place(&p);
}

static void refuses_what_is_no_module(void **state)
{
    static const char *const cases[] = { "", "a-b", "a..b", ".a", "1a", "a b", "../x" };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct import_query q = { .module = str_of(cases[i]) };
        struct import_answer out;
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };

        assert_false(import_find(&q, &a, &out, &e));
        assert_int_equal(e.kind, ERR_CONFIG);
        assert_non_null(strstr(e.text, "no name of a module"));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(what_packages_say_beats_files_beats_wheels_seen_beats_the_table),
        TEST_IN_DIR(names_with_dots_find_packages_in_namespaces),
        TEST_IN_DIR(what_is_not_known_is_a_guess_ambiguous_or_pythons),
        TEST_IN_DIR(single_files_and_extension_modules_count_and_tests_of_others_do_not_hide_them),
        TEST_IN_DIR(a_store_without_the_file_is_gone_through_once),
        TEST_IN_DIR(a_line_that_a_crash_cut_short_is_passed_over_and_not_continued),
        cmocka_unit_test(refuses_what_is_no_module),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
