/* What igzip and libdeflate both take is the same, and as long. Each refuses streams that the other takes: igzip.h. */
#include <libdeflate.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/mem.h"
#include "codec/igzip.h"

#define UNPACKED_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The same in pieces, compared as they come. */
static void compare(struct igzip *g, const char *whole, size_t n, size_t taken)
{
    enum igzip_step step;
    struct str piece;
    size_t at = 0;

    while ((step = igzip_next(g, &piece)) == IGZIP_MORE) {
        if (piece.n == 0 || piece.n > n - at || memcmp(whole + at, piece.p, piece.n) != 0)
            abort();
        at += piece.n;
    }
    if (step == IGZIP_END && (at != n || igzip_taken(g) != taken))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    AUTO(mem_auto) char *whole = mem_alloc(UNPACKED_MAX);
    struct igzip *g = igzip_new();
    struct str piece;
    size_t taken = 0, n = 0;

    if (!d || !g)
        abort();
    enum libdeflate_result r = libdeflate_deflate_decompress_ex(d, data, size, whole, UNPACKED_MAX, &taken, &n);

    igzip_begin(g, (struct str){ (const char *)data, size });
    if (r == LIBDEFLATE_SUCCESS)
        compare(g, whole, n, taken);
    else
        while (igzip_next(g, &piece) == IGZIP_MORE && igzip_taken(g) <= size)
            ;
    if (igzip_taken(g) > size)
        abort();
    igzip_free(g);
    libdeflate_free_decompressor(d);
    return 0;
}
