/* Every view lies inside the text, in order, and unfolding never grows a value. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "codec/mail.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct str name, value, rest = { (const char *)data, size };
    const char *at = rest.p;

    while (mail_next(&rest, &name, &value)) {
        if (name.n == 0 || name.p < at || name.p + name.n >= value.p || value.p + value.n > rest.p)
            abort();
        if (mail_unfold(value, &a).n > value.n)
            abort();
        at = rest.p;
    }
    if (rest.p + rest.n != (const char *)data + size)
        abort();
    return 0;
}
