#include "base/err.h"
#include "codec/tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size };
    struct tar_entry entry;
    struct err e = { 0 };
    size_t total = 0;

    while (tar_next(&rest, &entry, &e))
        total += entry.data.n + entry.name.n + entry.prefix.n;
    if (total > 2 * size)
        BUG("entries larger than the archive");
    return 0;
}
