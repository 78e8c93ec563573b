#include "base/utf8.h"

/* Bytes of the character that starts with this one; 0: none does. */
static unsigned sequence(const unsigned char *p, size_t n, uint32_t *c)
{
    static const uint32_t least[5] = { 0, 0, 0x80, 0x800, 0x10000 };
    unsigned len = p[0] < 0x80 ? 1 : p[0] >= 0xC2 && p[0] < 0xE0 ? 2 : (p[0] & 0xF0) == 0xE0 ? 3 : 0;

    if (p[0] >= 0xF0 && p[0] < 0xF5)
        len = 4;
    if (len == 0 || len > n)
        return 0;
    uint32_t v = len == 1 ? p[0] : p[0] & (0x7Fu >> len);

    for (unsigned i = 1; i < len; i++) {
        if ((p[i] & 0xC0) != 0x80)
            return 0;
        v = v << 6 | (p[i] & 0x3F);
    }
    if (v < least[len] || v > 0x10FFFF || (v >= 0xD800 && v < 0xE000))
        return 0;
    *c = v;
    return len;
}

bool utf8_is_valid(struct str s, size_t *bad)
{
    const unsigned char *p = (const unsigned char *)s.p;
    uint32_t c;

    for (size_t i = 0; i < s.n;) {
        if (s.n - i >= 8) { /* plain ASCII, eight at a time */
            uint64_t w;

            memcpy(&w, p + i, 8);
            if (!(w & 0x8080808080808080u)) {
                i += 8;
                continue;
            }
        }
        unsigned len = sequence(p + i, s.n - i, &c);

        if (!len) {
            if (bad)
                *bad = i;
            return false;
        }
        i += len;
    }
    return true;
}

bool utf8_next(struct str *s, uint32_t *c)
{
    if (s->n == 0)
        return false;
    unsigned len = sequence((const unsigned char *)s->p, s->n, c);

    if (!len) {
        *c = 0xFFFD;
        len = 1;
    }
    *s = str_sub(*s, len, s->n);
    return true;
}

size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    size_t n = c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

    for (size_t i = n - 1; i > 0; i--) {
        out[i] = (char)(0x80 | (c & 0x3F));
        c >>= 6;
    }
    out[0] = (char)(0xF00u >> n | c);
    return n;
}

static bool is_wide(uint32_t c)
{
    static const uint32_t range[][2] = {
        { 0x1100, 0x115F }, { 0x2E80, 0x303E }, { 0x3041, 0x33FF }, { 0x3400, 0x4DBF },   { 0x4E00, 0x9FFF },
        { 0xA000, 0xA4CF }, { 0xAC00, 0xD7A3 }, { 0xF900, 0xFAFF }, { 0xFE30, 0xFE6F },   { 0xFF00, 0xFF60 },
        { 0xFFE0, 0xFFE6 }, { 0x1F300, 0x1F64F }, { 0x1F680, 0x1F6FF }, { 0x1F900, 0x1FAFF }, { 0x20000, 0x3FFFD },
    };

    for (size_t i = 0; i < COUNT(range); i++)
        if (c >= range[i][0] && c <= range[i][1])
            return true;
    return false;
}

size_t utf8_width(struct str s)
{
    size_t w = 0;
    uint32_t c;

    while (utf8_next(&s, &c)) {
        bool zero = c < 0x20 || (c >= 0x7F && c < 0xA0) || (c >= 0x300 && c < 0x370) || c == 0x200B || c == 0x200D ||
                    (c >= 0xFE00 && c < 0xFE10);

        w += zero ? 0 : is_wide(c) ? 2 : 1;
    }
    return w;
}
