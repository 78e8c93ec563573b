/* Lines are versions: each prints to what reads back equal, the packed and the part-by-part order agree, and the order
 * is one (antisymmetric, transitive through the keys). */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "pep/version.h"

#define VERSIONS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_one(const struct version *v, struct arena *a)
{
    uint64_t room[VERSION_INLINE];
    struct version_parts parts;
    struct str text = version_format(v, a);
    struct version again;

    check(version_parse(text, a, &again));
    check(version_cmp(v, &again) == 0 && again.key == v->key && version_hash(v) == version_hash(&again));
    check(str_eq(version_format(&again, a), text));
    version_split(v, room, &parts);
    version_make(&parts, a, &again);
    check(version_cmp(v, &again) == 0 && version_is_pre(v) == version_is_pre(&again));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct version v[VERSIONS];
    struct str line, rest = { (const char *)data, size };
    size_t n = 0;

    while (n < VERSIONS && str_next_line(&rest, &line))
        if (version_parse(line, &a, &v[n]))
            check_one(&v[n++], &a);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < n; k++) {
            int order = version_cmp(&v[i], &v[k]);

            check(order == -version_cmp(&v[k], &v[i]));
            check(order == version_cmp_slow(&v[i], &v[k]));
            check(order >= 0 || v[i].key <= v[k].key);
            check(order != 0 || version_hash(&v[i]) == version_hash(&v[k]));
        }
    return 0;
}
