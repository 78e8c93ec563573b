/* A name that is found is normal, and found as well when more follows; a prefix never gives another one. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "gate/hello.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char name[HOST_MAX], again[HOST_MAX];
    size_t step = size / 16 + 1;

    if (hello_read(data, size, name) != HELLO_NAME)
        return 0;
    if (!host_normalise(str_of(name), again) || strcmp(name, again) != 0)
        abort();
    for (size_t n = 0; n < size; n += step) {
        enum hello found = hello_read(data, n, again);

        if (found != HELLO_MORE && (found != HELLO_NAME || strcmp(name, again) != 0))
            abort();
    }
    return 0;
}
