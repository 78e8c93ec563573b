/* What was read and written again reads the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "jail/uppers.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF once = { .limit = 8 * UPPERS_ABOUT_MAX }, twice = { .limit = 8 * UPPERS_ABOUT_MAX };
    struct uppers_about about, back;
    struct err e = { 0 };

    arena_init(&a);
    if (size > UPPERS_ABOUT_MAX)
        return 0;
    if (!uppers_about_parse((struct str){ (const char *)data, size }, &a, &about, &e)) {
        if (e.kind == ERR_NONE)
            abort();
        return 0;
    }
    if (!uppers_about_format(&about, &once) || !uppers_about_parse(buf_done(&once), &a, &back, &e) ||
        !uppers_about_format(&back, &twice) || !str_eq(buf_done(&once), buf_done(&twice)))
        abort();
    return 0;
}
