#include "base/hash.h"

#include "base/err.h"
#include "base/mem.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#define HASH_OF_NOTHING 0x9E3779B97F4A7C15u

uint64_t hash_fast(const void *p, size_t n)
{
    return n ? XXH3_64bits(p, n) : HASH_OF_NOTHING;
}

struct hash_fast {
    XXH3_state_t *state;
    bool any;
};

struct hash_fast *hash_fast_new(void)
{
    struct hash_fast *h = mem_alloc(sizeof *h);

    *h = (struct hash_fast){ .state = XXH3_createState() };
    if (!h->state || XXH3_64bits_reset(h->state) != XXH_OK)
        BUG("out of memory for a hash");
    return h;
}

void hash_fast_free(struct hash_fast *h)
{
    if (!h)
        return;
    (void)XXH3_freeState(h->state); /* returns XXH_OK whatever happens */
    free(h);
}

void hash_fast_add(struct hash_fast *h, const void *p, size_t n)
{
    h->any = h->any || n;
    if (XXH3_64bits_update(h->state, p, n) != XXH_OK)
        BUG("fast hash update");
}

uint64_t hash_fast_finish(const struct hash_fast *h)
{
    return h->any ? XXH3_64bits_digest(h->state) : HASH_OF_NOTHING;
}

void hash_hex(const unsigned char *p, size_t n, char *out)
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < n; i++) {
        out[2 * i] = digits[p[i] >> 4];
        out[2 * i + 1] = digits[p[i] & 15];
    }
    out[2 * n] = '\0';
}

/* One more than the digit's value; 0: no digit. Index pages hold a hundred thousand digests. */
static const unsigned char hex_digit[256] = {
    ['0'] = 1,  ['1'] = 2,  ['2'] = 3,  ['3'] = 4,  ['4'] = 5,  ['5'] = 6,  ['6'] = 7,  ['7'] = 8,
    ['8'] = 9,  ['9'] = 10, ['a'] = 11, ['b'] = 12, ['c'] = 13, ['d'] = 14, ['e'] = 15, ['f'] = 16,
    ['A'] = 11, ['B'] = 12, ['C'] = 13, ['D'] = 14, ['E'] = 15, ['F'] = 16,
};

bool hash_from_hex(struct str hex, unsigned char *out, size_t n)
{
    if (hex.n != 2 * n)
        return false;
    for (size_t i = 0; i < n; i++) {
        unsigned hi = hex_digit[(unsigned char)hex.p[2 * i]], lo = hex_digit[(unsigned char)hex.p[2 * i + 1]];

        if (!hi || !lo)
            return false;
        out[i] = (unsigned char)((hi - 1) << 4 | (lo - 1));
    }
    return true;
}
