/* Lines are the parts of a wheel's tags and of an interpreter: a rank is that of a tag which the set lists and the
 * wheel has, and nothing listed is refused. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "pep/tag.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static bool has_part(struct str set, struct str want)
{
    struct str part;

    while (str_next(&set, '.', &part))
        if (str_eq_nocase(part, want))
            return true;
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct str rest = { (const char *)data, size };
    struct str line[6] = { 0 };
    uint32_t rank;

    for (size_t i = 0; i < COUNT(line); i++)
        if (!str_next_line(&rest, &line[i]))
            line[i] = STR("");

    unsigned flags = line[5].n > 0 ? (unsigned char)line[5].p[0] : 0;
    struct tag_input in = {
        .implementation = flags & 1 ? STR("pypy") : STR("cpython"), .major = 3, .minor = flags % 23,
        .free_threaded = flags & 2, .debug = flags & 4, .soabi = line[4], .machine = line[3], .is_32bit = flags & 8,
        .libc = flags & 16 ? TAG_MUSL : TAG_GLIBC, .libc_major = 2, .libc_minor = flags >> 3,
        .manylinux_denied = line[4],
    };
    const struct tag_set *s = tag_set_new(&in, &a);
    size_t n = tag_set_count(s);

    if (tag_set_rank(s, line[0], line[1], line[2], &rank, NULL)) {
        struct tag t = tag_set_at(s, rank);

        check(rank < n);
        check(has_part(line[0], t.python) && has_part(line[1], t.abi) && has_part(line[2], t.platform));
    }
    for (size_t i = 0; i < n; i += 1 + n / 16) {
        struct tag t = tag_set_at(s, i);

        /* Odd machine and ABI names may hold upper case or be too long, which no wheel's part is. */
        if (line[3].n == 0 && line[4].n == 0)
            check(tag_set_rank(s, t.python, t.abi, t.platform, &rank, NULL) && rank <= i);
    }
    return 0;
}
