#include "codec/gzip.h"

#include <libdeflate.h>
#include "base/buf.h"
#include "base/err.h"

#define GUESS_MIN ((size_t)4096)
#define TRAILER 8 /* bytes: CRC and size, both little-endian */

/* The size that the end of the text claims; only a guess, for it is modulo 2^32 and of the last member. */
static size_t claimed_size(struct str packed)
{
    const unsigned char *p = (const unsigned char *)packed.p + packed.n - 4;

    return (size_t)p[0] | (size_t)p[1] << 8 | (size_t)p[2] << 16 | (size_t)p[3] << 24;
}

/* One member off the front of *rest; room grows until it fits or the limit is reached. */
static bool member(struct libdeflate_decompressor *d, struct str *rest, struct buf *out, struct err *e)
{
    size_t room = rest->n > TRAILER ? MAX(claimed_size(*rest), GUESS_MIN) : GUESS_MIN;

    for (;;) {
        size_t used, made;

        room = MIN(room, out->limit - out->n);
        char *at = buf_reserve(out, room);

        if (!at)
            return err_set(e, ERR_PACKAGE, "unpacks to more than %zu bytes", out->limit);
        enum libdeflate_result r = libdeflate_gzip_decompress_ex(d, rest->p, rest->n, at, room, &used, &made);

        if (r == LIBDEFLATE_SUCCESS) {
            out->n += made;
            *rest = str_sub(*rest, used, rest->n);
            return true;
        }
        if (r != LIBDEFLATE_INSUFFICIENT_SPACE)
            return err_set(e, ERR_PACKAGE, "not valid gzip data");
        if (room == out->limit - out->n)
            return err_set(e, ERR_PACKAGE, "unpacks to more than %zu bytes", out->limit);
        room = room > out->limit / 2 ? out->limit : room * 2;
    }
}

bool gzip_unpack(struct str packed, struct buf *out, struct err *e)
{
    struct libdeflate_decompressor *d = libdeflate_alloc_decompressor();
    bool ok = true;

    if (!d)
        abort(); /* as for any other memory */
    do
        ok = member(d, &packed, out, e);
    while (ok && packed.n > 0);
    libdeflate_free_decompressor(d);
    return ok;
}
