/* Two lines are two names: the normal form is a fixed point, and equality, order and hash are those of normal forms. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "pep/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct str rest = { (const char *)data, size };
    struct str one = STR(""), other = STR("");

    (void)str_next_line(&rest, &one);
    (void)str_next_line(&rest, &other);

    struct str x = name_normalize(&a, one), y = name_normalize(&a, other);

    check(x.n <= one.n && str_eq(name_normalize(&a, x), x));
    check(name_is_normal(x) == name_is_valid(x));
    check(name_is_valid(one) <= name_is_valid(x));
    check(name_eq(one, other) == str_eq(x, y));
    check((name_cmp(one, other) < 0) == (str_cmp(x, y) < 0) && (name_cmp(one, other) > 0) == (str_cmp(x, y) > 0));
    check(name_hash(one) == name_hash(x));
    return 0;
}
