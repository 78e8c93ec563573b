/* Any text: no crash, views inside of it, an end; lines that never go back. */
#include <stdint.h>
#include "base/err.h"
#include "base/str.h"
#include "daemon/imports.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct str text = { (const char *)data, n }, module;
    struct imports it;
    unsigned line, before = 1;
    size_t found = 0;

    imports_init(&it, text);
    while (imports_next(&it, &module, &line)) {
        if (!module.n || module.p < text.p || module.p + module.n > text.p + text.n)
            BUG("a module outside of the text");
        if (line < before)
            BUG("line %u after line %u", line, before);
        if (++found > n)
            BUG("more modules than bytes");
        before = line;
    }
    return 0;
}
