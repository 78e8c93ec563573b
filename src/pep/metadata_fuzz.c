/* Metadata that parses has a name and a version, and fits its own name. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "pep/metadata.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct metadata m;

    if (!metadata_parse(&a, (struct str){ (const char *)data, size }, &m, &e))
        return 0;
    if (!metadata_check_name(&m, m.name, m.version, &e))
        abort();
    if (sdist_metadata_is_static(&m) && metadata_has_dynamic(&m, STR("requires-dist")))
        abort();
    return 0;
}
