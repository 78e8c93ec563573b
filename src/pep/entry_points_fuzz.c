/* No entry that is given out has a name that leaves bin or takes the interpreter's place. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "pep/entry_points.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct entry_points p;

    if (!entry_points_parse(&a, (struct str){ (const char *)data, size }, &p, &e))
        return 0;
    for (size_t i = 0; i < p.n; i++)
        if (memchr(p.p[i].name.p, '/', p.p[i].name.n) || entry_point_is_reserved(p.p[i].name) || !p.p[i].attr.n)
            abort();
    return 0;
}
