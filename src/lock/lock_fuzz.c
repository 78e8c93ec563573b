/* A lock that parses is written in one form: writing what was written reads back to the same bytes. What the reader of
 * our own layout takes, the other one takes with the same meaning; and it takes everything that was written. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "lock/lock_parts.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void compare_readers(struct str text)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF x = { 0 };
    AUTO_BUF y = { 0 };
    struct err e = { 0 };
    struct lock own, any;

    buf_init(&x, LOCK_MAX);
    buf_init(&y, LOCK_MAX);
    if (!lock_parse_own(&a, text, &own))
        return;
    if (!lock_parse_any(&a, text, &any, &e) || !lock_format(&own, &x) || !lock_format(&any, &y) ||
        !str_eq(buf_done(&x), buf_done(&y)))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF once = { 0 };
    AUTO_BUF twice = { 0 };
    struct err e = { 0 };
    struct lock l, again;
    struct lock_origin origin;

    compare_readers((struct str){ (const char *)data, size });
    buf_init(&once, LOCK_MAX);
    buf_init(&twice, LOCK_MAX);
    if (lock_peek(&a, (struct str){ (const char *)data, size }, &origin) && !origin.inputs.n)
        abort();
    if (memchr(data, '\\', size) || !lock_parse(&a, (struct str){ (const char *)data, size }, &l, &e))
        return 0; /* markers with resolved escapes print what they resolved to */
    if (!lock_format(&l, &once) || !lock_parse(&a, buf_done(&once), &again, &e) || again.n_package != l.n_package)
        abort();
    compare_readers(buf_done(&once));
    if (!lock_format(&again, &twice) || !str_eq(buf_done(&once), buf_done(&twice)))
        abort();
    return 0;
}
