#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "store/gc.h"
#include "store/guard.h"
#include "store/meta.h"
#include "store/store.h"

#define HEX_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define HEX_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"

struct place {
    char dir[64];
    struct store store;
};

static int set_up(void **state)
{
    static struct place p;
    struct err e = { 0 };
    char path[96];

    (void)snprintf(p.dir, sizeof p.dir, "%s", "/tmp/blast-store-XXXXXX");
    if (!mkdtemp(p.dir))
        return -1;
    (void)snprintf(path, sizeof path, "%s/deep/store", p.dir);
    *state = &p;
    return store_open(path, &p.store, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };

    store_close(&p->store);
    return file_remove_tree(AT_FDCWD, p->dir, &e) ? 0 : -1;
}

static void write_file(int dir, const char *path, const char *text)
{
    struct err e = { 0 };
    AUTO_FD fd = -1;

    assert_true(fd_open(dir, path, O_WRONLY | O_CREAT | O_EXCL, 0444, &fd, &e));
    assert_true(fd_write_all(fd, text, strlen(text), path, &e));
}

static struct store_draft_file draft_file(const char *path, const char *text)
{
    struct store_draft_file f = { .path = str_of(path), .size = strlen(text), .fast = hash_fast(text, strlen(text)) };
    struct err e = { 0 };

    assert_true(hash_sha256(text, strlen(text), f.sha256, &e));
    return f;
}

/* A small wheel: package, module, namespace, library folder, dist-info, one script. */
static bool make_entry(struct store *s, const char *hex, struct err *e)
{
    static const char *const dirs[] = { "demo", "demo/sub", "space", "space/part", "demo.libs", "demo-1.0.dist-info",
                                        ".blast/scripts" };
    static const char *const names[] = { "demo/__init__.py", "demo/sub/x.py", "single.py", "space/part/__init__.py",
                                         "demo.libs/libx.so", "demo-1.0.dist-info/METADATA", ".blast/scripts/tool" };
    struct store_draft_file files[COUNT(names)];
    struct store_point point = { STR("tool"), STR("demo:main"), false };
    struct store_draft d = { .name = STR("Demo"), .version = STR("1.0"), .dist_info = STR("demo-1.0.dist-info"),
                             .flags = STORE_PURELIB, .files = files, .n_files = COUNT(names), .points = &point,
                             .n_points = 1 };
    struct store_stage stage;

    assert_true(store_stage_open(s, hex, &stage, e));
    for (size_t i = 0; i < COUNT(dirs); i++)
        assert_int_equal(mkdirat(stage.dir, dirs[i], 0755), 0);
    for (size_t i = 0; i < COUNT(names); i++) {
        write_file(stage.dir, names[i], names[i]);
        files[i] = draft_file(names[i], names[i]);
    }
    files[6].place = STORE_SCRIPT;
    files[6].executable = true;
    return store_stage_commit(s, &stage, &d, e);
}

static void finds_what_was_committed(void **state)
{
    static const struct {
        const char *name;
        enum store_top_kind kind;
        uint32_t n;
    } tops[] = {
        { "demo-1.0.dist-info", STORE_TOP_DIST_INFO, 1 }, { "demo.libs", STORE_TOP_PACKAGE, 1 },
        { "demo", STORE_TOP_PACKAGE, 2 },                 { "single.py", STORE_TOP_MODULE, 1 },
        { "space", STORE_TOP_NAMESPACE, 1 },
    };
    struct place *p = *state;
    struct store_entry entry;
    struct err e = { 0 };
    bool there;

    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_false(there);
    assert_true(make_entry(&p->store, HEX_A, &e));
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_true(there);
    assert_true(str_eq(entry.name, STR("Demo")) && str_eq(entry.version, STR("1.0")));
    assert_int_equal(entry.flags, STORE_PURELIB);
    assert_int_equal(entry.files, 7);
    assert_int_equal(entry.tops, COUNT(tops));
    for (uint32_t i = 0; i < COUNT(tops); i++) {
        struct store_top t = store_top_get(&entry, i);

        assert_true(str_eq(t.name, str_of(tops[i].name)));
        assert_int_equal(t.kind, tops[i].kind);
        assert_int_equal(t.n, tops[i].n);
    }
    assert_true(str_eq(store_point_get(&entry, 0).object, STR("demo:main")));
    uint32_t at = store_file_find(&entry, STR(".blast/scripts/tool"));

    assert_int_equal(store_file_get(&entry, at).place, STORE_SCRIPT);
    assert_true(store_file_get(&entry, at).executable);
    assert_int_equal(store_file_find(&entry, STR("demo/none.py")), UINT32_MAX);
    assert_true(store_sample(&p->store, &entry, &e));
    assert_true(store_verify(&p->store, &entry, &e));
    store_release(&entry);
}

static void two_makers_of_one_entry_both_succeed(void **state)
{
    struct place *p = *state;
    int status;

    for (int i = 0; i < 4; i++) {
        pid_t pid = fork();

        if (pid == 0) {
            struct err e = { 0 };

            _exit(make_entry(&p->store, HEX_A, &e) ? 0 : 1);
        }
    }
    for (int i = 0; i < 4; i++) {
        assert_true(wait(&status) > 0);
        assert_int_equal(status, 0);
    }
    struct err e = { 0 };
    struct store_entry entry;
    bool there;

    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_true(there);
    assert_true(store_verify(&p->store, &entry, &e));
    store_release(&entry);
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    assert_true(file_list_open(p->store.dir, "tmp", &list, &e));
    assert_false(file_list_next(&list, &d, &e)); /* nothing stays behind */
}

static void notices_what_was_changed_in_a_tree(void **state)
{
    static const struct {
        const char *path, *text, *why; /* text NULL: removed */
    } cases[] = {
        { "demo/__init__.py", "DEMO/__init__.py", "was changed"          },
        { "demo/__init__.py", "longer than before", "has another size"   },
        { "single.py",        NULL,               "is missing"           },
        { "demo/extra.py",    "x",                "does not belong there" },
    };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct store_entry entry;
        char path[256], tree[STORE_TREE_PATH];
        bool there;

        assert_true(store_drop(&p->store, HEX_A, &e));
        assert_true(make_entry(&p->store, HEX_A, &e));
        assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
        store_tree_path(HEX_A, tree);
        (void)snprintf(path, sizeof path, "%s/demo", tree);
        assert_int_equal(fchmodat(p->store.dir, path, 0755, 0), 0);
        assert_int_equal(fchmodat(p->store.dir, tree, 0755, 0), 0);
        (void)snprintf(path, sizeof path, "%s/%s", tree, cases[i].path);
        (void)unlinkat(p->store.dir, path, 0);
        if (cases[i].text)
            write_file(p->store.dir, path, cases[i].text);
        assert_false(store_verify(&p->store, &entry, &e));
        assert_int_equal(e.kind, ERR_CACHE);
        assert_non_null(strstr(e.text, cases[i].why));
        store_release(&entry);
    }
}

static void counts_a_damaged_or_old_record_as_absent(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct store_entry entry;
    char path[256], tree[STORE_TREE_PATH];
    bool there;

    assert_true(make_entry(&p->store, HEX_A, &e));
    store_tree_path(HEX_A, tree);
    (void)snprintf(path, sizeof path, "%s/.blast", tree);
    (void)!fchmodat(p->store.dir, path, 0755, 0);
    (void)snprintf(path, sizeof path, "%s/.blast/meta", tree);
    assert_int_equal(fchmodat(p->store.dir, path, 0644, 0), 0);
    int fd = openat(p->store.dir, path, O_WRONLY | O_CLOEXEC);

    /* one of an earlier version first: the check does not cover the magic */
    assert_int_equal(pwrite(fd, "blstree1", 8, 0), 8);
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_false(there);
    assert_int_equal(pwrite(fd, META_MAGIC, 8, 0), 8);
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_true(there);
    store_release(&entry);
    assert_int_equal(pwrite(fd, "x", 1, 200), 1);
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_false(there);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_false(there);
    (void)close(fd);
    assert_true(make_entry(&p->store, HEX_A, &e)); /* takes the place of the damaged one */
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_true(there);
    store_release(&entry);
}

static void protects_the_tree_from_ordinary_users(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    char path[256], tree[STORE_TREE_PATH];
    struct stat st;

    assert_true(make_entry(&p->store, HEX_A, &e));
    store_tree_path(HEX_A, tree);
    (void)snprintf(path, sizeof path, "%s/demo/__init__.py", tree);
    assert_int_equal(fstatat(p->store.dir, path, &st, 0), 0);
    assert_int_equal(st.st_mode & 0222, 0);
    if (geteuid() != 0) {
        assert_int_equal(fstatat(p->store.dir, tree, &st, 0), 0);
        assert_int_equal(st.st_mode & 0222, 0);
    }
}

static void collects_what_nobody_needs(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct gc_result r;
    AUTO_MAP live = { 0 };
    struct store_entry entry;
    bool there;

    assert_true(make_entry(&p->store, HEX_A, &e));
    assert_true(make_entry(&p->store, HEX_B, &e));
    map_put(&live, STR(HEX_B), 1);
    assert_true(gc_run(&p->store, &(struct gc_spec){ .live = &live, .dry_run = true }, &r, &e));
    assert_int_equal(r.removed, 1);
    assert_int_equal(r.kept, 1);
    assert_true(r.bytes > 0);
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_true(there); /* a dry run */
    store_release(&entry);
    assert_true(gc_run(&p->store, &(struct gc_spec){ .live = &live }, &r, &e));
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_false(there);
    assert_true(store_find(&p->store, HEX_B, &entry, &there, &e));
    assert_true(there);
    store_release(&entry);
}

static void comes_down_to_a_size_by_the_oldest(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct gc_result r;
    AUTO_MAP live = { 0 };
    struct store_entry entry;
    bool there;
    const struct timespec old[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
    char tree[STORE_TREE_PATH];

    assert_true(make_entry(&p->store, HEX_A, &e));
    assert_true(make_entry(&p->store, HEX_B, &e));
    store_tree_path(HEX_B, tree);
    assert_int_equal(utimensat(p->store.dir, tree, old, 0), 0);
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    uint64_t one = entry.bytes;

    store_release(&entry);
    assert_true(gc_run(&p->store, &(struct gc_spec){ .live = &live, .limit = 2 * one }, &r, &e));
    assert_int_equal(r.removed, 0); /* small enough */
    assert_int_equal(r.kept, 2);
    assert_true(gc_run(&p->store, &(struct gc_spec){ .live = &live, .limit = 2 * one - 1 }, &r, &e));
    assert_int_equal(r.removed, 1);
    assert_true(store_find(&p->store, HEX_A, &entry, &there, &e));
    assert_true(there); /* the younger one */
    store_release(&entry);
    map_put(&live, STR(HEX_A), 1);
    assert_true(gc_run(&p->store, &(struct gc_spec){ .live = &live, .limit = 1 }, &r, &e));
    assert_int_equal(r.removed, 0); /* needed, whatever the limit */
}

static void leaves_a_store_in_use_alone(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct gc_result r;
    struct map live = { 0 };
    AUTO_FD one = -1;
    AUTO_FD two = -1;

    assert_true(guard_take(&p->store, GUARD_SHARED, &one, &e));
    assert_true(guard_try(&p->store, GUARD_SHARED, &two, &e));
    assert_true(two >= 0);
    assert_false(gc_run(&p->store, &(struct gc_spec){ .live = &live }, &r, &e));
    assert_int_equal(err_exit_code(&e), 7);
    assert_non_null(strstr(e.text, "is in use"));
}

static void refuses_two_files_of_one_path(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct store_stage stage;
    struct store_draft_file f[2] = { draft_file("a.py", "1"), draft_file("a.py", "1") };
    struct store_draft d = { .name = STR("demo"), .version = STR("1"), .files = f, .n_files = 2 };

    assert_true(store_stage_open(&p->store, HEX_A, &stage, &e));
    assert_false(store_stage_commit(&p->store, &stage, &d, &e));
    assert_non_null(strstr(e.text, "two files of 'demo' become 'a.py'"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(finds_what_was_committed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(two_makers_of_one_entry_both_succeed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(notices_what_was_changed_in_a_tree, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_a_damaged_or_old_record_as_absent, set_up, tear_down),
        cmocka_unit_test_setup_teardown(protects_the_tree_from_ordinary_users, set_up, tear_down),
        cmocka_unit_test_setup_teardown(collects_what_nobody_needs, set_up, tear_down),
        cmocka_unit_test_setup_teardown(comes_down_to_a_size_by_the_oldest, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leaves_a_store_in_use_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_two_files_of_one_path, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
