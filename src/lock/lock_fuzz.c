/* A lock that parses is written in one form: writing what was written reads back to the same bytes. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "lock/lock.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF once = { 0 };
    AUTO_BUF twice = { 0 };
    struct err e = { 0 };
    struct lock l, again;
    struct lock_origin origin;

    buf_init(&once, LOCK_MAX);
    buf_init(&twice, LOCK_MAX);
    if (lock_peek(&a, (struct str){ (const char *)data, size }, &origin) && !origin.inputs.n)
        abort();
    if (memchr(data, '\\', size) || !lock_parse(&a, (struct str){ (const char *)data, size }, &l, &e))
        return 0; /* markers with resolved escapes print what they resolved to */
    if (!lock_format(&l, &once) || !lock_parse(&a, buf_done(&once), &again, &e) || again.n_package != l.n_package)
        abort();
    if (!lock_format(&again, &twice) || !str_eq(buf_done(&once), buf_done(&twice)))
        abort();
    return 0;
}
