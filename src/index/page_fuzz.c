/* Any bytes as a page of an index, in both formats: the first byte says which. What is read is listed. */
#include "index/page.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "index/listing.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = LISTING_PAGE_MAX };
    struct listing_source s = {
        .project = STR("demo"),
        .url = STR("https://index.example/simple/demo/"),
    };
    struct str body = { (const char *)data, size };
    struct page page = { 0 };
    struct listing l;
    struct err e = { 0 };

    s.content_type = size && data[0] == '<' ? STR("text/html") : STR("application/json");
    if (!page_parse(body, s.content_type, s.url, &a, &page, &e)) {
        if (e.kind == ERR_NONE)
            abort(); /* refused without a reason */
        return 0;
    }
    if (!listing_from_links(&page, &s, &b, &e) || !listing_open((struct str){ b.p, b.n }, &l) ||
        l.head->n_files + l.head->skipped != page.n)
        abort();
    for (uint32_t i = 0; i < l.head->n_versions; i++) {
        struct version v, before = { 0 };

        if (!listing_version(&l, i, &a, &v) || (i && !listing_version(&l, i - 1, &a, &before)) ||
            (i && version_cmp(&before, &v) >= 0))
            abort();
    }
    return 0;
}
