/* Ends, moves forward with every tag, and fails only with an error. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "codec/html.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct html h;
    struct html_tag tag;
    size_t last = 0;

    html_init(&h, (struct str){ (const char *)data, size }, &a, &e);
    while (html_next(&h, &tag)) {
        if (h.at <= last || h.at > size || tag.text.n > size || tag.n > HTML_MAX_ATTRS)
            abort();
        last = h.at;
    }
    if (h.failed != (e.kind == ERR_PACKAGE))
        abort();
    return 0;
}
