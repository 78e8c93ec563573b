/* Ends, stays inside the text, and reports names and sections that are not empty. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "codec/ini.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct ini i;
    struct ini_item item;
    size_t last = 0;

    ini_init(&i, (struct str){ (const char *)data, size }, &a, &e);
    while (ini_next(&i, &item)) {
        if (item.line <= last || item.name.n == 0 || item.section.n == 0 || item.value.n > size)
            abort();
        last = item.line;
    }
    if (i.failed != (e.kind == ERR_PACKAGE))
        abort();
    return 0;
}
