/* What opens keeps the promises of the header, whole or by ranges; unpacking small members touches nothing else. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/utf8.h"
#include "codec/zip.h"

#define UNPACK_MAX (1u << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_entry(const struct zip *z, const struct zip_entry *entry, struct zip_inflater *inflater)
{
    struct str name = entry->name;
    struct err e = { 0 };

    if (name.n == 0 || name.p[0] == '/' || memchr(name.p, 0, name.n) || !utf8_is_valid(name, NULL) ||
        str_search(name, STR("../")) == 0 || str_search(name, STR("/../")) < name.n || entry->end > z->file.n)
        abort();
    if (entry->size > UNPACK_MAX)
        return;
    AUTO(mem_auto) char *out = mem_alloc(entry->size);

    if (!zip_read(z, entry, out, inflater, &e) && e.kind != ERR_PACKAGE)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct err e = { 0 };
    struct str file = { (const char *)data, size };
    struct zip_central c;
    struct zip z;

    if (zip_find_central(str_sub(file, size / 2, size), size, &c, &e) && c.missing > size)
        abort();
    if (!zip_open(file, NULL, &a, &z, &e)) {
        if (e.kind != ERR_PACKAGE)
            abort();
        return 0;
    }
    for (size_t i = 0; i < z.n; i++)
        check_entry(&z, &z.entry[i], inflater);
    return 0;
}
