/* What was read and written again reads the same, with the same digest. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "jail/policy.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF once = { .limit = JAIL_POLICY_MAX }, twice = { .limit = JAIL_POLICY_MAX };
    struct jail_policy p, back;
    struct err e = { 0 };

    arena_init(&a);
    if (!jail_policy_parse((struct str){ (const char *)data, size }, &a, &p, &e)) {
        if (e.kind == ERR_NONE)
            abort();
        return 0;
    }
    if (!jail_policy_format(&p, false, &once) || !jail_policy_parse(buf_done(&once), &a, &back, &e) ||
        !jail_policy_format(&back, false, &twice) || !str_eq(buf_done(&once), buf_done(&twice)))
        abort();
    return 0;
}
