#include "base/buf.h"
#include "base/err.h"
#include "codec/gzip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_BUF b = { .limit = (size_t)1 << 20 };
    struct err e = { 0 };

    (void)!gzip_unpack((struct str){ (const char *)data, size }, &b, &e);
    return 0;
}
