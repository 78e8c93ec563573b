#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "install/elf.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Whatever the bytes say, the views lie inside them. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str content = { (const char *)data, size }, path[ELF_PATHS_MAX];
    size_t n = elf_library_paths(content, path);

    for (size_t i = 0; i < n; i++) {
        if (path[i].p < content.p || path[i].p + path[i].n > content.p + content.n)
            BUG("a library path outside the file");
        for (struct str entry, top; str_next(&path[i], ':', &entry);) {
            bool outside;

            if (elf_origin_top(STR("demo/lib/x.so"), entry, &top, &outside) && !outside && top.n > entry.n + 4)
                BUG("a folder that is in neither path");
        }
    }
    return 0;
}
