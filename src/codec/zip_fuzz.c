/* What opens keeps the promises of the header, whole or by ranges; unpacking small members touches nothing else. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/zip.h"

#define UNPACK_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same in pieces, unless they are refused (igzip.h says when that can be). */
static void compare_pieces(const struct zip *z, const struct zip_entry *entry, struct zip_inflater *inflater,
                           const char *whole)
{
    struct zip_stream s;
    struct str piece;
    struct err e = { 0 };
    size_t at = 0;

    if (!zip_stream_open(z, entry, inflater, &s, &e))
        return;
    while (zip_stream_next(&s, &piece, &e) && piece.n) {
        if (piece.n > entry->size - at || (whole && memcmp(whole + at, piece.p, piece.n) != 0))
            abort();
        at += piece.n;
    }
    if (e.kind == ERR_NONE ? at != entry->size : e.kind != ERR_PACKAGE)
        abort();
}

static void check_entry(const struct zip *z, const struct zip_entry *entry, struct zip_inflater *inflater)
{
    struct str name = entry->name;
    struct err e = { 0 };

    if (name.n == 0 || name.p[0] == '/' || memchr(name.p, 0, name.n) || !utf8_is_valid(name, NULL) ||
        str_search(name, STR("../")) == 0 || str_search(name, STR("/../")) < name.n || entry->end > z->file.n)
        abort();
    if (entry->size > UNPACK_MAX)
        return;
    AUTO(mem_auto) char *out = mem_alloc(entry->size);

    bool ok = zip_read(z, entry, out, inflater, &e);

    if (!ok && e.kind != ERR_PACKAGE)
        abort();
    compare_pieces(z, entry, inflater, ok ? out : NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct err e = { 0 };
    struct str file = { (const char *)data, size };
    struct zip_central c;
    struct zip z;

    if (zip_find_central(str_sub(file, size / 2, size), size, &c, &e) && c.missing > size)
        abort();
    if (!zip_open(file, NULL, &a, &z, &e)) {
        if (e.kind != ERR_PACKAGE)
            abort();
        return 0;
    }
    for (size_t i = 0; i < z.n; i++)
        check_entry(&z, &z.entry[i], inflater);
    return 0;
}
