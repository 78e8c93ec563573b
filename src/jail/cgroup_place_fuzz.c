/* Input: the controller, a NUL, the list of groups, a NUL, the list of mounts. A place is absolute and ends with a
 * NUL. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "jail/cgroup_place.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct str all = { (const char *)data, size }, out;
    size_t one = str_find(all, '\0'), two = one < size ? one + 1 + str_find(str_sub(all, one + 1, size), '\0') : size;

    if (one >= size || two >= size)
        return 0;
    arena_init(&a);
    if (cgroup_place(str_sub(all, one + 1, two), str_sub(all, two + 1, size), str_sub(all, 0, one), &a, &out) &&
        (out.n == 0 || out.p[0] != '/' || out.p[out.n] != '\0'))
        abort();
    return 0;
}
