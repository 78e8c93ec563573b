#include "codec/zip.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <fcntl.h>
#include <libdeflate.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

#define LIMIT (1u << 22)

/* One entry as a test wants it written; what is 0 is derived from name and data. */
struct member {
    const char *name, *data;
    const char *local_name;
    bool deflate, described;
    unsigned mode, method, flags;
    uint32_t crc_off, size_off;             /* added to what the directory says */
    uint32_t local_crc_off, local_size_off; /* added to what the local header says */
    uint32_t offset_off;
    const char *gap; /* bytes between the data and the next header */
    struct str name_bytes, extra;
};

struct archive {
    struct member m[3];
    const char *prefix, *suffix, *comment;
    const char *before_end;
    unsigned entries_off, disk;
};

static void put16(struct buf *b, unsigned v)
{
    (void)buf_char(b, (char)v);
    (void)buf_char(b, (char)(v >> 8));
}

static void put32(struct buf *b, uint64_t v)
{
    put16(b, (unsigned)(v & 0xFFFF));
    put16(b, (unsigned)(v >> 16 & 0xFFFF));
}

static void put_text(struct buf *b, const char *text)
{
    (void)buf_str(b, text ? str_of(text) : STR(""));
}

static struct str name_of(const struct member *m)
{
    return m->name ? str_of(m->name) : m->name_bytes;
}

static struct str pack(const struct member *m, struct arena *a)
{
    struct str data = str_of(m->data ? m->data : "");

    if (!m->deflate)
        return data;
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t room = libdeflate_deflate_compress_bound(c, data.n);
    char *out = arena_alloc(a, room);
    size_t n = libdeflate_deflate_compress(c, data.p, data.n, out, room);

    assert_true(n > 0);
    libdeflate_free_compressor(c);
    return (struct str){ out, n };
}

static void put_common(struct buf *b, const struct member *m, uint32_t crc, size_t packed, size_t size)
{
    put16(b, m->flags | (m->described ? 8 : 0));
    put16(b, m->method ? m->method : m->deflate ? 8 : 0);
    put32(b, 0); /* time and date */
    put32(b, crc);
    put32(b, packed);
    put32(b, size);
}

static void put_local(struct buf *b, const struct member *m, struct arena *a)
{
    struct str packed = pack(m, a), name = m->local_name ? str_of(m->local_name) : name_of(m);
    size_t size = m->data ? strlen(m->data) : 0;
    uint32_t crc = libdeflate_crc32(0, m->data ? m->data : "", size);

    (void)buf_str(b, STR("PK\3\4\x14"));
    (void)buf_char(b, 0);
    if (m->described)
        put_common(b, m, 0, 0, 0);
    else
        put_common(b, m, crc + m->local_crc_off, packed.n, size + m->local_size_off);
    put16(b, (unsigned)name.n);
    put16(b, 0);
    (void)buf_str(b, name);
    (void)buf_str(b, packed);
    if (m->described) {
        (void)buf_str(b, STR("PK\7\10"));
        put32(b, crc + m->local_crc_off);
        put32(b, packed.n);
        put32(b, size + m->local_size_off);
    }
    put_text(b, m->gap);
}

static void put_central(struct buf *b, const struct member *m, size_t offset, struct arena *a)
{
    struct str packed = pack(m, a), name = name_of(m);
    size_t size = m->data ? strlen(m->data) : 0;

    (void)buf_str(b, STR("PK\1\2\x14\3\x14"));
    (void)buf_char(b, 0);
    put_common(b, m, libdeflate_crc32(0, m->data ? m->data : "", size) + m->crc_off, packed.n, size + m->size_off);
    put16(b, (unsigned)name.n);
    put16(b, (unsigned)m->extra.n);
    put16(b, 0);
    put16(b, 0);
    put16(b, 0);
    put32(b, (uint64_t)(m->mode ? m->mode : 0100644) << 16);
    put32(b, offset + m->offset_off);
    (void)buf_str(b, name);
    (void)buf_str(b, m->extra.n ? m->extra : STR(""));
}

static void build(const struct archive *z, struct buf *b, struct arena *a)
{
    size_t offset[COUNT(z->m)] = { 0 }, n = 0;

    buf_init(b, LIMIT);
    put_text(b, z->prefix);
    for (; n < COUNT(z->m) && (z->m[n].name || z->m[n].name_bytes.p); n++) {
        offset[n] = b->n;
        put_local(b, &z->m[n], a);
    }
    size_t central = b->n;

    for (size_t i = 0; i < n; i++)
        put_central(b, &z->m[i], offset[i], a);
    size_t size = b->n - central;

    put_text(b, z->before_end);
    (void)buf_str(b, STR("PK\5\6"));
    put16(b, z->disk);
    put16(b, z->disk);
    put16(b, (unsigned)n + z->entries_off);
    put16(b, (unsigned)n + z->entries_off);
    put32(b, size);
    put32(b, central);
    put16(b, (unsigned)(z->comment ? strlen(z->comment) : 0));
    put_text(b, z->comment);
    put_text(b, z->suffix);
    assert_false(b->full);
}

/* In pieces comes the same, or is refused with the same words. */
static void check_stream(const struct zip *z, const struct zip_entry *entry, struct zip_inflater *inflater,
                         const char *whole, const struct err *why)
{
    struct zip_stream s;
    struct err e = { 0 };
    struct str piece = STR("");
    size_t at = 0;
    bool ok = zip_stream_open(z, entry, inflater, &s, &e);

    while (ok && (ok = zip_stream_next(&s, &piece, &e)) && piece.n) {
        assert_true(piece.n <= entry->size - at);
        if (why->kind == ERR_NONE)
            assert_memory_equal(whole + at, piece.p, piece.n);
        at += piece.n;
    }
    assert_int_equal(ok, why->kind == ERR_NONE);
    assert_string_equal(e.text, why->text);
    assert_int_equal(e.kind, why->kind);
    if (ok)
        assert_int_equal(at, entry->size);
}

/* Opens, then reads every member, whole and in pieces. */
static bool read_all(struct str file, const struct zip_limits *limits, struct arena *a, struct zip *z, struct err *e)
{
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();

    if (!zip_open(file, limits, a, z, e))
        return false;
    for (size_t i = 0; i < z->n; i++) {
        char *whole = arena_alloc(a, z->entry[i].size);
        bool ok = zip_read(z, &z->entry[i], whole, inflater, e);

        check_stream(z, &z->entry[i], inflater, whole, e);
        if (!ok)
            return false;
    }
    return true;
}

static void check_refused(const struct archive *z, const char *why)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b;
    struct err e = { 0 };
    struct zip out;

    build(z, &b, &a);
    if (read_all(buf_done(&b), NULL, &a, &out, &e))
        fail_msg("accepted, want '%s'", why);
    assert_int_equal(e.kind, ERR_PACKAGE);
    if (!strstr(e.text, why))
        fail_msg("'%s' does not say '%s'", e.text, why);
}

static void refuses_names_that_are_not_safe(void **state)
{
    static char longest[4200];
    const struct {
        struct str name;
        const char *why;
    } cases[] = {
        { STR(""), "entry '' has no name" },
        { STR("/etc/passwd"), "entry '/etc/passwd' has an absolute name" },
        { STR("/"), "has an absolute name" },
        { STR("../a"), "entry '../a' leaves the folder it is unpacked into" },
        { STR("a/../../b"), "leaves the folder" },
        { STR("a/.."), "leaves the folder" },
        { STR("./a"), "has '.' as a part of its name" },
        { STR("a//b"), "has an empty part in its name" },
        { STR("a//"), "has an empty part in its name" },
        { STR("C:/a"), "has a drive in its name" },
        { STR("c:a"), "has a drive in its name" },
        { STR("a\\b"), "has a backslash in its name" },
        { STR("a\0b"), "entry 'a?b' has a control character in its name" },
        { STR("a\nb"), "entry 'a?b' has a control character in its name" },
        { STR("a\x7F"), "has a control character in its name" },
        { STR("a\xFF.py"), "entry 'a?.py' has a name that is not UTF-8" },
        { STR("\xC0\xAF"), "has a name that is not UTF-8" },
        { { longest, 256 }, "has a part of over 255 bytes in its name" },
    };

    (void)state;
    memset(longest, 'a', 256);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct archive z = { .m = { { .name_bytes = cases[i].name, .data = "x" } } };

        check_refused(&z, cases[i].why);
    }
    for (size_t i = 0; i < 4097; i += 2)
        memcpy(longest + i, "a/", 2);
    struct archive z = { .m = { { .name_bytes = { longest, 4097 }, .data = "x" } } };

    check_refused(&z, "a/a/a/...' has a name of over 4096 bytes");
}

static void refuses_archives_that_contradict_themselves(void **state)
{
    const struct {
        struct archive z;
        const char *why;
    } cases[] = {
        { { .m = { { "a", "x" }, { "a", "y" } } }, "entry 'a' is in the archive twice" },
        { { .m = { { "a/", .mode = 040755 }, { "a/" } } }, "entry 'a/' is in the archive twice" },
        { { .m = { { "a", "x" }, { "a/" } } }, "entry 'a/' is both a file and a folder" },
        { { .m = { { "a/b/c", "x" }, { "a/b", "y" } } },
          "entry 'a/b/c' is inside of what another entry says is a file" },
        { { .m = { { "a", "x" }, { "a/b/c", "x" } } }, "entry 'a/b/c' is inside of what" },
        { { .m = { { "a", "x", "b" } } }, "entry 'a' has another name in its own header" },
        { { .m = { { "a", "x", "aa" } } }, "entry 'a' has another name in its own header" },
        { { .m = { { "a", "x", .local_crc_off = 1 } } }, "has another size or checksum in its own header" },
        { { .m = { { "a", "x", .local_size_off = 1 } } }, "has another size or checksum in its own header" },
        { { .m = { { "a", "x", .described = true, .local_crc_off = 1 } } }, "in its data descriptor" },
        { { .m = { { "a", "x", .described = true, .local_size_off = 1 } } }, "in its data descriptor" },
        { { .m = { { "a", "x", .crc_off = 1, .local_crc_off = 1 } } },
          "entry 'a' is damaged: its CRC is 8cdc1683, not 8cdc1684" },
        { { .m = { { "a", "x", .size_off = 1, .local_size_off = 1 } } }, "is stored, but its two sizes differ" },
        { { .m = { { "a", "xx", .deflate = true, .size_off = 1, .local_size_off = 1 } } },
          "does not unpack to 3 bytes" },
        { { .m = { { "a", "x", .method = 8 } } }, "entry 'a' is damaged: its packed data cannot be unpacked" },
        { { .m = { { "a", "x", .method = 93 } } }, "entry 'a' is packed with zstd, which is not read here" },
        { { .m = { { "a", "x", .method = 12 } } }, "is packed with a method that is not read here" },
        { { .m = { { "a", "x", .flags = 1 } } }, "entry 'a' is encrypted" },
        { { .m = { { "a", "x", .flags = 0x2000 } } }, "entry 'a' is encrypted" },
        { { .m = { { "a", "/etc", .mode = 0120777 } } }, "entry 'a' is a symbolic link" },
        { { .m = { { "a", "x", .mode = 0020666 } } }, "entry 'a' is neither a file nor a folder" },
        { { .m = { { "a/", "x" } } }, "entry 'a/' is a folder that has data" },
        { { .m = { { "a", "x" }, { "b", "y", .offset_off = (uint32_t)-32 } } }, "overlaps" },
        { { .m = { { "a", "x" }, { "b", "y", .offset_off = (uint32_t)-1 } } }, "entry 'a' overlaps another one" },
        { { .m = { { "a", "x", .offset_off = 1 } } }, "the zip archive has 1 bytes before its first entry" },
        { { .m = { { "a", "x" }, { "b", "y", .offset_off = 1000 } } }, "overlaps" },
        { { .m = { { "a", "x", .gap = "gap" } } }, "entry 'a' is followed by 3 bytes that belong to no entry" },
        { { .m = { { "a", "x", .described = true, .gap = "gap" } } }, "in its data descriptor" },
        { { .m = { { "a", "x" } }, .prefix = "#!/bin/sh\n" }, "has 10 bytes before its first entry" },
        { { .m = { { "a", "x" } }, .suffix = "tail" }, "no end record found: not a zip archive, or cut short" },
        { { .m = { { "a", "x" } }, .before_end = "gap" }, "is not right before its end record" },
        { { .m = { { "a", "x" } }, .entries_off = 1 }, "cannot hold 2 entries" },
        { { .m = { { "a", "x" }, { "b", "y" } }, .entries_off = (unsigned)-1 }, "directory has 47 bytes too many" },
        { { .m = { { "a", "x" } }, .disk = 1 }, "is one of several parts" },
        { { .m = { { "a", "x", .extra = STR("up\6\0\1....b") } } }, "entry 'a' has a second, different name" },
        { { .m = { { "a", "x", .extra = STR("up\6\0") } } }, "has a second, different name" },
        { { .m = { { "a", "x", .extra = STR("\1\0\0\0\1\0\0\0") } } }, "has no valid zip64 sizes" },
        { { .m = { { "a", "x", .size_off = 0xFFFFFFFE, .extra = STR("\1\0\4\0\1\0\0\0") } } },
          "has no valid zip64 sizes" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        check_refused(&cases[i].z, cases[i].why);
}

static void reads_an_archive_and_its_modes(void **state)
{
    static const struct archive z = {
        .m = { { "demo/", .mode = 040755 },
               { "demo/run", "#!python\n", .mode = 0100755, .described = true },
               { "demo/text", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", .deflate = true, .mode = 0600 } },
        .comment = "made by a test",
    };
    AUTO_ARENA a = { 0 };
    AUTO_BUF b;
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct err e = { 0 };
    struct zip out;
    struct str view;
    char text[64];

    (void)state;
    build(&z, &b, &a);
    if (!read_all(buf_done(&b), NULL, &a, &out, &e))
        fail_msg("%s", e.text);
    assert_int_equal(out.n, 3);
    assert_int_equal(out.unpacked, 9 + 42);
    assert_true(out.entry[0].is_dir && !out.entry[0].executable);
    assert_true(!out.entry[1].is_dir && out.entry[1].executable);
    assert_true(!out.entry[2].is_dir && !out.entry[2].executable);
    assert_null(zip_find(&out, STR("demo")));
    const struct zip_entry *run = zip_find(&out, STR("demo/run")), *packed = zip_find(&out, STR("demo/text"));

    assert_true(zip_view(&out, run, &view, &e) && str_eq(view, STR("#!python\n")));
    assert_true(view.p > b.p && view.p < b.p + b.n);
    assert_true(packed->method == ZIP_DEFLATED && packed->comp_size < packed->size);
    assert_true(zip_read(&out, packed, text, inflater, &e));
    assert_memory_equal(text, z.m[2].data, 42);
}

static void obeys_the_limits_of_the_caller(void **state)
{
    static const struct {
        struct zip_limits l;
        const char *why;
    } cases[] = {
        { { .total = 9 }, "the zip archive unpacks to more than 9 bytes" },
        { { .member = 4 }, "entry 'a' unpacks to 5 bytes, the limit is 4" },
        { { .entries = 1 }, "the zip archive has 2 entries, the limit is 1" },
        { { .total = 10, .member = 5, .entries = 2 }, NULL },
    };
    static const struct archive z = { .m = { { "a", "12345" }, { "b", "12345" } } };
    AUTO_ARENA a = { 0 };
    AUTO_BUF b;

    (void)state;
    build(&z, &b, &a);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct zip out;
        bool ok = read_all(buf_done(&b), &cases[i].l, &a, &out, &e);

        if (ok != !cases[i].why || (!ok && !strstr(e.text, cases[i].why)))
            fail_msg("case %zu: '%s'", i, e.text);
    }
}

/* Sizes are a claim until the data is unpacked: the claim alone has to be enough to refuse. */
static void refuses_bombs_by_what_they_claim(void **state)
{
    static const struct archive z = { .m = { { "a", "xx", .deflate = true, .size_off = 100u << 20,
                                               .local_size_off = 100u << 20 } } };

    (void)state;
    check_refused(&z, "the zip archive unpacks to 104857602 bytes, over 200 times its size");
}

static void says_of_other_files_that_they_are_no_archive(void **state)
{
    static char blank[70000];
    const struct str cases[] = { STR(""), STR("PK\5\6"), STR("no archive at all, but longer than 22 bytes"),
                                 { blank, sizeof blank } };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct zip out;

        assert_false(zip_open(cases[i], NULL, &a, &out, &e));
        assert_string_equal(e.text, "no end record found: not a zip archive, or cut short");
    }
}

static void load(const char *name, struct buf *b)
{
    const char *vectors = getenv("BLAST_VECTORS");
    char path[4096], block[4096];
    size_t n;

    (void)snprintf(path, sizeof path, "%s/zip/%s", vectors ? vectors : "tests/vectors", name);
    FILE *f = fopen(path, "rbe");

    if (!f)
        fail_msg("%s is missing", path);
    buf_init(b, LIMIT);
    while ((n = fread(block, 1, sizeof block, f)) > 0)
        (void)buf_add(b, block, n);
    (void)fclose(f);
}

static const char *const made_by_others[] = {
    "python-deflated.zip", "python-stored.zip",     "python-streamed.zip",   "python-zip64.zip",
    "info-zip64.zip",      "info-zip-streamed.zip", "python-streamed-zip64.zip",
};

static void reads_what_other_tools_write(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(made_by_others); i++) {
        AUTO_ARENA a = { 0 };
        AUTO_BUF b;
        struct err e = { 0 };
        struct zip z;

        load(made_by_others[i], &b);
        if (!read_all(buf_done(&b), NULL, &a, &z, &e))
            fail_msg("%s: %s", made_by_others[i], e.text);
        assert_int_equal(z.unpacked, 12 * 40 + 18 + 3 + 46);
        assert_non_null(zip_find(&z, STR("demo/\xC3\xA9.txt")));
        assert_true(zip_find(&z, STR("demo-1.0.data/scripts/run"))->executable);
        assert_false(zip_find(&z, STR("demo/__init__.py"))->executable);
    }
}

/* Ever longer tails, as a client with range requests sees them: each answer must lead on, and to the same entry. */
static void reads_one_member_from_ranges(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(made_by_others); i++) {
        AUTO_BUF b;

        load(made_by_others[i], &b);
        for (uint64_t n = 0; n <= b.n; n += 7) {
            AUTO_ARENA a = { 0 };
            AUTO_ZIP_INFLATER inflater = zip_inflater_new();
            struct err e = { 0 };
            struct zip_central c = { .missing = n };
            struct zip z;
            char text[64];
            unsigned asked = 0;

            for (uint64_t last = 0; c.missing || asked == 0; asked++) {
                assert_true(c.missing <= b.n && (asked == 0 || c.missing > last) && asked < 4);
                last = c.missing;
                assert_true(zip_find_central((struct str){ b.p + b.n - last, last }, b.n, &c, &e));
            }
            assert_true(zip_parse_central((struct str){ b.p + c.offset, c.size }, &c, NULL, &a, &z, &e));
            const struct zip_entry *m = zip_find(&z, STR("demo-1.0.dist-info/METADATA"));

            assert_true(zip_read_member((struct str){ b.p + m->offset, m->end - m->offset }, m, text, inflater, &e));
            assert_memory_equal(text, "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\n", m->size);
        }
    }
}

static void refuses_a_range_of_another_size(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b;
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct err e = { 0 };
    struct zip_central c;
    struct zip z;
    char text[64];

    (void)state;
    load("python-stored.zip", &b);
    assert_true(zip_find_central(buf_done(&b), b.n, &c, &e));
    assert_false(zip_parse_central((struct str){ b.p + c.offset, c.size - 1 }, &c, NULL, &a, &z, &e));
    assert_non_null(strstr(e.text, "the zip archive's directory has "));
    assert_true(zip_parse_central((struct str){ b.p + c.offset, c.size }, &c, NULL, &a, &z, &e));
    const struct zip_entry *m = zip_find(&z, STR("demo-1.0.dist-info/METADATA"));

    assert_false(zip_read_member((struct str){ b.p + m->offset, m->end - m->offset - 1 }, m, text, inflater, &e));
    assert_non_null(strstr(e.text, "is not where the archive's directory says"));
}

static void notices_every_archive_that_was_cut_short(void **state)
{
    AUTO_BUF b;

    (void)state;
    load("python-zip64.zip", &b);
    for (size_t n = 0; n < b.n; n++) {
        AUTO_ARENA a = { 0 };
        struct err e = { 0 };
        struct zip z;

        assert_false(zip_open((struct str){ b.p, n }, NULL, &a, &z, &e));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refuses_names_that_are_not_safe),
        cmocka_unit_test(refuses_archives_that_contradict_themselves),
        cmocka_unit_test(reads_an_archive_and_its_modes),
        cmocka_unit_test(obeys_the_limits_of_the_caller),
        cmocka_unit_test(refuses_bombs_by_what_they_claim),
        cmocka_unit_test(says_of_other_files_that_they_are_no_archive),
        cmocka_unit_test(reads_what_other_tools_write),
        cmocka_unit_test(reads_one_member_from_ranges),
        cmocka_unit_test(refuses_a_range_of_another_size),
        cmocka_unit_test(notices_every_archive_that_was_cut_short),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
