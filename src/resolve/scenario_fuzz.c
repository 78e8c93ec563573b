/* Any text: it is read or refused, and what is read is solved or explained. */
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "resolve/scenario.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size }, one = { 0 };
    unsigned line = 1;

    while (scenario_next(&rest, &one, &line)) {
        AUTO_ARENA a = { 0 };
        struct scenario_result result;
        struct err e = { 0 };

        if (!scenario_run(one, line, 4, &a, &result, &e))
            return 0;
    }
    return 0;
}
