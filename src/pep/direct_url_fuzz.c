/* What was read is written and read again; the written URL has no credentials left to take out. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "pep/direct_url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct err e = { 0 };
    struct direct_url d, again;

    buf_init(&b, DIRECT_URL_MAX * 8);
    if (!direct_url_parse(&a, (struct str){ (const char *)data, size }, &d, &e))
        return 0;
    if (!direct_url_format(&d, &b) || !direct_url_parse(&a, buf_done(&b), &again, &e))
        abort();
    if (again.kind != d.kind || !str_eq(url_without_credentials(&a, again.url), again.url))
        abort();
    return 0;
}
