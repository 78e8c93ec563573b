/* Where igzip is missing; zip_test.c has all the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/igzip.h"
#include "codec/zip.h"

/* In place of libc's: no library is there. */
void *dlopen(const char *file, int mode)
{
    (void)file;
    (void)mode;
    return NULL;
}

static struct str load(struct arena *a)
{
    const char *vectors = getenv("BLAST_VECTORS");
    const char *path = arena_printf(a, "%s/zip/python-deflated.zip", vectors ? vectors : "tests/vectors").p;
    struct err e = { 0 };
    struct str mapped;
    AUTO_FD fd = -1;

    if (!fd_open(AT_FDCWD, path, O_RDONLY, 0, &fd, &e) || !fd_map(fd, path, &mapped, &e))
        fail_msg("%s", e.text);
    struct str copy = arena_str(a, mapped);

    fd_unmap(&mapped);
    return copy;
}

/* All pieces behind each other; n: how many bytes came. */
static bool read_pieces(const struct zip *z, const struct zip_entry *entry, char *out, size_t *n, struct err *e)
{
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct zip_stream s;
    struct str piece;

    *n = 0;
    if (!zip_stream_open(z, entry, inflater, &s, e))
        return false;
    for (;;) {
        if (!zip_stream_next(&s, &piece, e))
            return false;
        if (piece.n == 0)
            return true;
        memcpy(out + *n, piece.p, piece.n);
        *n += piece.n;
    }
}

static void members_come_in_pieces_without_igzip(void **state)
{
    AUTO_ARENA a = { 0 };
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct err e = { 0 };
    struct zip z;
    unsigned packed = 0;

    (void)state;
    assert_null(igzip_new());
    assert_true(zip_open(load(&a), NULL, &a, &z, &e));
    for (size_t i = 0; i < z.n; i++) {
        const struct zip_entry *m = &z.entry[i];
        char *whole = arena_alloc(&a, m->size + 1), *pieces = arena_alloc(&a, m->size + 1);
        size_t n;

        packed += m->method == ZIP_DEFLATED;
        if (!zip_read(&z, m, whole, inflater, &e) || !read_pieces(&z, m, pieces, &n, &e))
            fail_msg("%s", e.text);
        assert_int_equal(n, m->size);
        assert_memory_equal(whole, pieces, n);
    }
    assert_true(packed > 1);
}

static void damage_is_refused_without_igzip(void **state)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str file = load(&a);
    struct zip z;
    char out[4096];
    size_t n;

    (void)state;
    assert_true(zip_open(file, NULL, &a, &z, &e));
    const struct zip_entry *m = zip_find(&z, STR("demo-1.0.dist-info/METADATA"));

    assert_true(m->method == ZIP_DEFLATED && m->size < sizeof out);
    ((char *)(uintptr_t)file.p)[m->end - m->comp_size] ^= 6; /* the kind of its first block */
    assert_false(read_pieces(&z, m, out, &n, &e));
    assert_int_equal(e.kind, ERR_PACKAGE);
    assert_string_equal(e.text, "entry 'demo-1.0.dist-info/METADATA' is damaged: its packed data cannot be unpacked");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(members_come_in_pieces_without_igzip),
        cmocka_unit_test(damage_is_refused_without_igzip),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
