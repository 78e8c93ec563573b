/* The first line is a specifier set, the others are versions. Ranks, filter and single answers must agree, a printed
 * set must read back the same, and a lenient reader must accept what the strict one does. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "pep/spec.h"

#define VERSIONS 24

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool ok)
{
    if (!ok)
        abort();
}

static void check_versions(const struct spec *s, const struct spec *again, struct version *v, size_t n,
                           struct arena *a)
{
    struct spec_range *range;
    uint32_t index[VERSIONS];
    size_t matches, ranges, at = 0, seen = 0;

    qsort(v, n, sizeof *v, version_order);
    ranges = spec_ranks(s, v, n, a, &range);
    matches = spec_filter(s, v, n, SPEC_PRE_ALLOW, index);
    for (uint32_t i = 0; i < n; i++) {
        bool want = spec_contains(s, &v[i], SPEC_PRE_ALLOW);

        while (at < ranges && range[at].hi <= i)
            at++;
        check(want == (at < ranges && range[at].lo <= i));
        check(want == (seen < matches && index[seen] == i));
        check(want == spec_contains(again, &v[i], SPEC_PRE_ALLOW));
        seen += want;
        check(!spec_accepts_python(s, &v[i], false) || spec_accepts_python(s, &v[i], true));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct version v[VERSIONS];
    struct str line = STR(""), rest = { (const char *)data, size };
    struct spec s, again;
    bool repaired;
    size_t n = 0;

    (void)str_next_line(&rest, &line);

    bool strict = spec_parse(line, &a, &again, &e);

    if (!spec_parse_lenient(line, &a, &s, &repaired, &e)) {
        check(!strict && e.kind == ERR_PACKAGE);
        return 0;
    }
    check(strict == !repaired);
    check(spec_parse(spec_format(&s, &a), &a, &again, &e));
    while (n < VERSIONS && str_next_line(&rest, &line))
        n += version_parse(line, &a, &v[n]);
    if (n > 0)
        check_versions(&s, &again, v, n, &a);
    return 0;
}
