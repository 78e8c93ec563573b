/* What was read and written again reads the same. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/csv.h"

#define FIELDS 64

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool copy(struct str text, struct arena *a, struct buf *out)
{
    struct csv c;
    struct err e;
    struct str field[FIELDS];
    size_t n;

    csv_init(&c, text, a, &e);
    while (csv_next(&c, field, FIELDS, &n))
        if (!csv_write(out, field, MIN(n, FIELDS)))
            abort();
    return !c.failed;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF once, twice;

    buf_init(&once, size * 4 + 64);
    buf_init(&twice, size * 4 + 64);
    (void)copy((struct str){ (const char *)data, size }, &a, &once);
    if (!copy(buf_done(&once), &a, &twice) || !str_eq(buf_done(&once), buf_done(&twice)))
        abort();
    return 0;
}
