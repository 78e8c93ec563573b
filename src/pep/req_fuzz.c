/* What the strict reading takes the lenient one takes unrepaired, and its printed form is taken again. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "pep/req.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str text = { (const char *)data, size };
    struct req strict, lenient, again;
    bool ok = req_parse(&a, text, &strict, &e), lenient_ok = req_parse_lenient(&a, text, &lenient, &e);

    if (ok && (!lenient_ok || lenient.repaired))
        abort();
    if (!ok || memchr(data, '\\', size))
        return 0;
    struct str printed = req_text(&a, &strict);

    if (!req_parse(&a, printed, &again, &e) || !str_eq(again.key, strict.key) || again.spec.n != strict.spec.n)
        abort();
    return 0;
}
