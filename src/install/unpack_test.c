#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <elf.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/work.h"
#include "install/elf.h"
#include "install/maker.h"
#include "install/unpack.h"

#define HEX "abababababababababababababababababababababababababababababababab"

struct place {
    char dir[64];
    struct store store;
    struct work *work;
};

static int set_up(void **state)
{
    static struct place p;
    struct err e = { 0 };

    (void)snprintf(p.dir, sizeof p.dir, "%s", "/tmp/blast-unpack-XXXXXX");
    *state = &p;
    return mkdtemp(p.dir) && store_open(p.dir, &p.store, &e) && work_open(2, &p.work, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };

    store_close(&p->store);
    work_close(p->work);
    return file_remove_tree(AT_FDCWD, p->dir, &e) ? 0 : -1;
}

static bool unpack(struct place *p, const char *file, struct str bytes, struct err *e)
{
    struct unpack_spec spec = { .store = &p->store, .file = str_of(file), .hex = HEX, .fd = -1, .map = bytes };

    return unpack_run(&spec, p->work, e);
}

static void assert_nothing_left(struct place *p)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct store_entry entry;
    struct err e = { 0 };
    bool there;

    assert_true(file_list_open(p->store.dir, "tmp", &list, &e));
    assert_false(file_list_next(&list, &d, &e));
    assert_true(store_find(&p->store, HEX, &entry, &there, &e));
    assert_false(there);
}

static void unpacks_a_wheel_into_its_places(void **state)
{
    static const struct {
        const char *path;
        enum store_place place;
        bool executable;
    } want[] = {
        { "demo/__init__.py", STORE_SITE, false },         { "moved.py", STORE_SITE, false },
        { "lib.so", STORE_SITE, true },                    { ".blast/scripts/tool", STORE_SCRIPT, true },
        { ".blast/headers/demo.h", STORE_HEADER, false },  { ".blast/data/share/man/demo.1", STORE_DATA, false },
        { "demo-1.0.dist-info/RECORD", STORE_SITE, false },
    };
    struct place *p = *state;
    struct store_entry entry;
    struct err e = { 0 };
    struct maker m;
    bool there;

    maker_init(&m, "demo", "1.0");
    maker_add(&m, "demo/__init__.py", "x = 1\n");
    maker_add_executable(&m, "lib.so", "binary");
    maker_add(&m, "demo-1.0.data/purelib/moved.py", "");
    maker_add_executable(&m, "demo-1.0.data/scripts/tool", "#!python\n");
    maker_add(&m, "demo-1.0.data/headers/demo.h", "int x;\n");
    maker_add(&m, "demo-1.0.data/data/share/man/demo.1", "man\n");
    maker_identity(&m);
    maker_info(&m, "entry_points.txt", "[console_scripts]\ndemo = demo:main [extra]\n[gui_scripts]\nd2 = demo.g:A.b\n");
    struct str bytes = maker_finish(&m);

    for (int round = 0; round < 2; round++) /* the second time it is there already */
        assert_true(unpack(p, "demo-1.0-py3-none-any.whl", bytes, &e));
    assert_true(store_find(&p->store, HEX, &entry, &there, &e));
    assert_true(there);
    assert_true(store_verify(&p->store, &entry, &e));
    for (size_t i = 0; i < COUNT(want); i++) {
        uint32_t at = store_file_find(&entry, str_of(want[i].path));

        assert_true(at != UINT32_MAX);
        assert_int_equal(store_file_get(&entry, at).place, want[i].place);
        assert_int_equal(store_file_get(&entry, at).executable, want[i].executable);
    }
    assert_int_equal(entry.points, 2);
    assert_true(str_eq(store_point_get(&entry, 0).object, STR("demo:main")));
    assert_true(store_point_get(&entry, 1).gui);
    assert_int_equal(entry.flags, STORE_PURELIB | STORE_MOVED);
    store_release(&entry);
    maker_clear(&m);
}

static void refuses_wheels_that_break_a_rule(void **state)
{
    static const struct {
        const char *file, *name, *text, *row, *why; /* one more member, and what its RECORD row is made from */
    } cases[] = {
        { "demo-1.0-py3-none-any.whl", "demo/x.py", "real", "fake", "'demo/x.py' is not what RECORD says: its sha256" },
        { "demo-1.0-py3-none-any.whl", "demo/x.py", "real", "longer", "'demo/x.py' has 4 bytes, RECORD says 6" },
        { "demo-1.0-py3-none-any.whl", "demo/x.py", "real", NULL, "'demo/x.py' is not listed in RECORD" },
        { "demo-1.0-py3-none-any.whl", ".blast/meta", "x", "x", "'.blast/meta' uses a name that is reserved" },
        { "demo-1.0-py3-none-any.whl", "other-2.dist-info/METADATA", "x", "x", "two .dist-info directories" },
        { "demo-1.0-py3-none-any.whl", "demo-1.0.data/lib/x", "x", "x", "belongs to no known scheme" },
        { "demo-1.0-py3-none-any.whl", "demo-1.0.data/purelib/demo/__init__.py", "x", "x",
          "two members want to be 'demo/__init__.py'" },
        { "demo-2.0-py3-none-any.whl", "demo/x.py", "x", "x", "2.0" },
        { "other-1.0-py3-none-any.whl", "demo/x.py", "x", "x", "other" },
        { "demo-1.0.whl", "demo/x.py", "x", "x", "parts" },
        { "demo-1.0-py3-none-any.whl", "demo-1.0.dist-info/entry_points.txt", "[console_scripts]\n../x = a:b\n",
          "[console_scripts]\n../x = a:b\n", "../x" },
    };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct maker m;

        maker_init(&m, "demo", "1.0");
        maker_add(&m, "demo/__init__.py", "x = 1\n");
        maker_member(&m, cases[i].name, str_of(cases[i].text), false);
        if (cases[i].row)
            maker_row(&m, cases[i].name, str_of(cases[i].row));
        maker_identity(&m);
        assert_false(unpack(p, cases[i].file, maker_finish(&m), &e));
        assert_int_equal(e.kind, ERR_PACKAGE);
        assert_int_equal(err_exit_code(&e), 5);
        if (!strstr(e.text, cases[i].why))
            fail_msg("case %zu says '%s'", i, e.text);
        assert_non_null(strstr(e.text, "unpack '"));
        assert_nothing_left(p);
        maker_clear(&m);
    }
}

static void refuses_formats_it_does_not_know(void **state)
{
    static const struct {
        const char *wheel, *why;
    } cases[] = {
        { "Wheel-Version: 2.0\n", "it has Wheel-Version '2.0', Blast reads 1.x" },
        { "Generator: x\n", "has no Wheel-Version" },
        { NULL, "/WHEEL' is missing" },
    };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct maker m;

        maker_init(&m, "demo", "1.0");
        maker_info(&m, "METADATA", "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n");
        if (cases[i].wheel)
            maker_info(&m, "WHEEL", cases[i].wheel);
        assert_false(unpack(p, "demo-1.0-py3-none-any.whl", maker_finish(&m), &e));
        if (!strstr(e.text, cases[i].why))
            fail_msg("case %zu says '%s'", i, e.text);
        assert_nothing_left(p);
        maker_clear(&m);
    }
}

static void marks_code_that_runs_at_start_up(void **state)
{
    static const struct {
        const char *name, *text;
        unsigned flags;
    } cases[] = {
        { "plain.pth", "../other\n", STORE_HAS_PTH },
        { "code.pth", "# x\nimport os; os.x\n", STORE_HAS_PTH | STORE_START_UP_CODE },
        { "sitecustomize.py", "", STORE_START_UP_CODE },
        { "demo.start", "", STORE_START_UP_CODE },
        { "demo/inner.pth", "import os\n", 0 },
    };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct store_entry entry;
        struct err e = { 0 };
        struct maker m;
        bool there;

        maker_init(&m, "demo", "1.0");
        maker_add(&m, cases[i].name, cases[i].text);
        maker_identity(&m);
        assert_true(store_drop(&p->store, HEX, &e));
        assert_true(unpack(p, "demo-1.0-py3-none-any.whl", maker_finish(&m), &e));
        assert_true(store_find(&p->store, HEX, &entry, &there, &e) && there);
        assert_int_equal(entry.flags, cases[i].flags | STORE_PURELIB);
        store_release(&entry);
        maker_clear(&m);
    }
}

static void follows_origin_paths(void **state)
{
    static const struct {
        const char *path, *entry, *top;
        bool relative, outside;
    } cases[] = {
        { "demo/sub/x.so", "$ORIGIN/../../demo.libs", "demo.libs", true, false },
        { "demo/x.so", "${ORIGIN}/.", "demo", true, false },
        { "demo/x.so", "$ORIGIN/../../nvidia/lib", "", true, true },
        { "torch/lib/x.so", "$ORIGIN/../../nvidia/lib", "nvidia", true, false },
        { "x.so", "$ORIGIN", "", true, false },
        { "x.so", "/usr/lib", "", false, false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str top;
        bool outside = false;

        assert_int_equal(elf_origin_top(str_of(cases[i].path), str_of(cases[i].entry), &top, &outside),
                         cases[i].relative);
        if (!cases[i].relative)
            continue;
        assert_int_equal(outside, cases[i].outside);
        assert_true(str_eq(top, str_of(cases[i].top)));
    }
    struct str list[ELF_PATHS_MAX];

    assert_int_equal(elf_library_paths(STR("\177ELF\2\1\1"), list), 0);
    assert_int_equal(elf_library_paths(STR(""), list), 0);
}

/* The least that a dynamic loader would take: headers, one segment, one dynamic section, its strings. */
struct tiny_elf {
    Elf64_Ehdr head;
    Elf64_Phdr load, dynamic;
    Elf64_Dyn entries[3];
    char strings[64];
};

static struct tiny_elf elf_with_path(const char *path)
{
    struct tiny_elf t = { .head = { .e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
                                    .e_phoff = offsetof(struct tiny_elf, load), .e_phentsize = sizeof(Elf64_Phdr),
                                    .e_phnum = 2 },
                          .load = { .p_type = PT_LOAD, .p_vaddr = 0x1000, .p_filesz = sizeof t },
                          .dynamic = { .p_type = PT_DYNAMIC, .p_offset = offsetof(struct tiny_elf, entries),
                                       .p_filesz = sizeof t.entries } };

    t.entries[0] = (Elf64_Dyn){ DT_STRTAB, { 0x1000 + offsetof(struct tiny_elf, strings) } };
    t.entries[1] = (Elf64_Dyn){ DT_RUNPATH, { 1 } };
    (void)snprintf(t.strings + 1, sizeof t.strings - 1, "%s", path);
    return t;
}

static void marks_libraries_that_look_outside_the_wheel(void **state)
{
    static const struct {
        const char *path;
        bool leaves;
    } cases[] = {
        { "$ORIGIN", false },
        { "$ORIGIN/../demo.libs", false },
        { "/usr/lib:$ORIGIN/../demo.libs", false },
        { "$ORIGIN/../nvidia/lib", true },
        { "$ORIGIN/../demo.libs:$ORIGIN/../../..", true },
    };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct tiny_elf t = elf_with_path(cases[i].path);
        struct str content = { (const char *)&t, sizeof t };
        struct store_entry entry;
        struct err e = { 0 };
        struct maker m;
        bool there;

        maker_init(&m, "demo", "1.0");
        maker_member(&m, "demo/x.so", content, true);
        maker_row(&m, "demo/x.so", content);
        maker_add(&m, "demo.libs/liby.so", "");
        maker_identity(&m);
        assert_true(store_drop(&p->store, HEX, &e));
        assert_true(unpack(p, "demo-1.0-py3-none-any.whl", maker_finish(&m), &e));
        assert_true(store_find(&p->store, HEX, &entry, &there, &e) && there);
        if ((entry.flags & STORE_RPATH_LEAVES) != (cases[i].leaves ? STORE_RPATH_LEAVES : 0))
            fail_msg("'%s' gives the flags %u", cases[i].path, entry.flags);
        store_release(&entry);
        maker_clear(&m);
    }
}

#define LARGE (3u << 20)

/* What cannot be packed well, so that much is read as well as written. */
static struct str large_content(char *p)
{
    uint32_t seed = 1;

    for (size_t i = 0; i < LARGE; i++) {
        seed = seed * 1664525u + 1013904223u;
        p[i] = (char)(seed >> 24 & 0x3F);
    }
    return (struct str){ p, LARGE };
}

static void large_members_go_in_pieces(void **state)
{
    struct place *p = *state;
    AUTO(mem_auto) char *room = mem_alloc(LARGE);
    AUTO(mem_auto) char *library = mem_zero(1, LARGE);
    struct tiny_elf elf = elf_with_path("$ORIGIN/../../lib");
    struct str content = large_content(room), elf_content = { library, LARGE };
    struct store_entry entry;
    struct err e = { 0 };
    struct maker m;
    bool there;

    memcpy(library, &elf, sizeof elf);
    maker_init(&m, "demo", "1.0");
    maker_deflated(&m, "demo/packed.bin", content);
    maker_row(&m, "demo/packed.bin", content);
    maker_member(&m, "demo/stored.bin", content, false);
    maker_row(&m, "demo/stored.bin", content);
    maker_deflated(&m, "demo/lib.so", elf_content);
    maker_row(&m, "demo/lib.so", elf_content);
    maker_identity(&m);
    if (!unpack(p, "demo-1.0-py3-none-any.whl", maker_finish(&m), &e))
        fail_msg("%s", e.text);
    assert_true(store_find(&p->store, HEX, &entry, &there, &e) && there);
    assert_true(store_verify(&p->store, &entry, &e));
    struct store_file f = store_file_get(&entry, store_file_find(&entry, STR("demo/packed.bin")));

    assert_true(f.size == LARGE && f.fast == hash_fast(content.p, content.n));
    assert_true(entry.flags & STORE_RPATH_LEAVES); /* what is looked for in a content is found in these, too */
    store_release(&entry);
    maker_clear(&m);
}

static void large_members_that_are_wrong_are_refused(void **state)
{
    static const struct {
        const char *row; /* of RECORD, or NULL for the right one */
        bool deflated;
        size_t damage;   /* where a byte of the archive is changed */
        const char *why;
    } cases[] = {
        { "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,3145728", true, 0, "its sha256 differs" },
        { "sha256=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,3145727", false, 0,
          "has 3145728 bytes, RECORD says 3145727" },
        { "sha384=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA,3145728", true, 0,
          "its sha384 differs" },
        { "md5=AAAAAAAAAAAAAAAAAAAAAA,3145728", true, 0, "has a hash of the kind 'md5' in RECORD" },
        { NULL, true, 1u << 20, "entry 'demo/big' is damaged" },
        { NULL, false, 1u << 20, "entry 'demo/big' is damaged: its CRC is " },
    };
    struct place *p = *state;
    AUTO(mem_auto) char *room = mem_alloc(LARGE);
    struct str content = large_content(room);

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct maker m;

        maker_init(&m, "demo", "1.0");
        if (cases[i].deflated)
            maker_deflated(&m, "demo/big", content);
        else
            maker_member(&m, "demo/big", content, false);
        if (cases[i].row)
            (void)buf_printf(&m.record, "demo/big,%s\n", cases[i].row);
        else
            maker_row(&m, "demo/big", content);
        maker_identity(&m);
        struct str wheel = maker_finish(&m);

        if (cases[i].damage)
            m.zip.p[cases[i].damage] ^= 0x55;
        assert_false(unpack(p, "demo-1.0-py3-none-any.whl", wheel, &e));
        assert_int_equal(err_exit_code(&e), 5);
        if (!strstr(e.text, cases[i].why))
            fail_msg("case %zu says '%s'", i, e.text);
        assert_nothing_left(p);
        maker_clear(&m);
    }
}

static void many_wheels_share_one_pool(void **state)
{
    struct place *p = *state;
    struct unpack *u[8];
    static struct maker m[8];
    struct err e = { 0 };
    size_t left = COUNT(u);
    char hex[8][HASH_HEX256 + 1];

    for (size_t i = 0; i < COUNT(u); i++) {
        char *big = mem_zero(1, 3u << 20);
        struct str content = { big, 3u << 20 };

        memset(big, (int)('a' + i), 3u << 20);
        maker_init(&m[i], "demo", "1.0");
        maker_member(&m[i], "demo/big.bin", content, false);
        maker_row(&m[i], "demo/big.bin", content);
        maker_add(&m[i], "demo/__init__.py", "");
        maker_identity(&m[i]);
        free(big);
        (void)snprintf(hex[i], sizeof hex[i], "%064zx", i + 1);
        struct unpack_spec spec = { .store = &p->store, .file = STR("demo-1.0-py3-none-any.whl"), .hex = hex[i],
                                    .fd = -1, .map = maker_finish(&m[i]) };

        u[i] = unpack_new(&spec);
        unpack_push(u[i], p->work);
    }
    for (struct job *j; (j = work_next(p->work, true));) {
        struct unpack *owner = unpack_owner(j);
        bool done;

        assert_true(unpack_take(j, p->work, &done, &e));
        if (done) {
            unpack_free(owner);
            left--;
        }
    }
    assert_int_equal(left, 0);
    for (size_t i = 0; i < COUNT(u); i++) {
        struct store_entry entry;
        bool there;

        assert_true(store_find(&p->store, hex[i], &entry, &there, &e) && there);
        assert_true(store_verify(&p->store, &entry, &e));
        store_release(&entry);
        maker_clear(&m[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(unpacks_a_wheel_into_its_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_wheels_that_break_a_rule, set_up, tear_down),
        cmocka_unit_test_setup_teardown(refuses_formats_it_does_not_know, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_members_go_in_pieces, set_up, tear_down),
        cmocka_unit_test_setup_teardown(large_members_that_are_wrong_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_code_that_runs_at_start_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(many_wheels_share_one_pool, set_up, tear_down),
        cmocka_unit_test_setup_teardown(marks_libraries_that_look_outside_the_wheel, set_up, tear_down),
        cmocka_unit_test(follows_origin_paths),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
