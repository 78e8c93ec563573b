#include "base/str.h"

#define DISTANCE_MAX 64 /* longer names are never typos of each other worth a hint */

bool str_eq_nocase(struct str a, struct str b)
{
    if (a.n != b.n)
        return false;
    for (size_t i = 0; i < a.n; i++)
        if (char_lower(a.p[i]) != char_lower(b.p[i]))
            return false;
    return true;
}

int str_cmp(struct str a, struct str b)
{
    size_t n = MIN(a.n, b.n);
    int c = n ? memcmp(a.p, b.p, n) : 0;

    if (c)
        return c;
    return a.n < b.n ? -1 : a.n > b.n;
}

bool str_starts(struct str s, struct str prefix)
{
    return s.n >= prefix.n && (prefix.n == 0 || memcmp(s.p, prefix.p, prefix.n) == 0);
}

bool str_ends(struct str s, struct str suffix)
{
    return s.n >= suffix.n && (suffix.n == 0 || memcmp(s.p + s.n - suffix.n, suffix.p, suffix.n) == 0);
}

bool str_cut_prefix(struct str *s, struct str prefix)
{
    if (!str_starts(*s, prefix))
        return false;
    *s = str_sub(*s, prefix.n, s->n);
    return true;
}

bool str_cut_suffix(struct str *s, struct str suffix)
{
    if (!str_ends(*s, suffix))
        return false;
    s->n -= suffix.n;
    return true;
}

size_t str_find(struct str s, char c)
{
    const char *at = s.n ? memchr(s.p, c, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

size_t str_rfind(struct str s, char c)
{
    const char *at = s.n ? memrchr(s.p, c, s.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

size_t str_search(struct str s, struct str needle)
{
    const char *at = s.n ? memmem(s.p, s.n, needle.p, needle.n) : NULL;

    return at ? (size_t)(at - s.p) : s.n;
}

struct str str_trim(struct str s)
{
    while (s.n && char_is_space(s.p[0])) {
        s.p++;
        s.n--;
    }
    while (s.n && char_is_space(s.p[s.n - 1]))
        s.n--;
    return s;
}

bool str_next(struct str *rest, char sep, struct str *part)
{
    if (!rest->p)
        return false;
    size_t at = str_find(*rest, sep);

    *part = str_sub(*rest, 0, at);
    *rest = at == rest->n ? (struct str){ NULL, 0 } : str_sub(*rest, at + 1, rest->n);
    return true;
}

bool str_next_line(struct str *rest, struct str *line)
{
    if (rest->n == 0)
        return false;
    size_t end = 0;

    while (end < rest->n && rest->p[end] != '\n' && rest->p[end] != '\r')
        end++;
    *line = str_sub(*rest, 0, end);
    if (end + 1 < rest->n && rest->p[end] == '\r' && rest->p[end + 1] == '\n')
        end++;
    *rest = str_sub(*rest, MIN(end + 1, rest->n), rest->n);
    return true;
}

size_t str_split(struct str s, char sep, struct str *part, size_t max)
{
    size_t n = 0;
    struct str one, rest = s.p ? s : STR("");

    while (str_next(&rest, sep, &one)) {
        if (n < max)
            part[n] = one;
        n++;
    }
    return n;
}

bool str_to_u64(struct str s, uint64_t *out)
{
    uint64_t v = 0;

    if (s.n == 0)
        return false;
    for (size_t i = 0; i < s.n; i++) {
        if (!char_is_digit(s.p[i]) || __builtin_mul_overflow(v, 10, &v) ||
            __builtin_add_overflow(v, (uint64_t)(s.p[i] - '0'), &v))
            return false;
    }
    *out = v;
    return true;
}

unsigned str_distance(struct str a, struct str b, unsigned limit)
{
    unsigned row[3][DISTANCE_MAX + 1];

    if (a.n > DISTANCE_MAX || b.n > DISTANCE_MAX)
        return limit + 1;
    for (size_t j = 0; j <= b.n; j++)
        row[0][j] = (unsigned)j;
    for (size_t i = 1; i <= a.n; i++) {
        unsigned *now = row[i % 3], *up = row[(i + 2) % 3], *up2 = row[(i + 1) % 3];

        now[0] = (unsigned)i;
        for (size_t j = 1; j <= b.n; j++) {
            unsigned cost = a.p[i - 1] != b.p[j - 1];
            unsigned best = MIN(MIN(up[j], now[j - 1]) + 1, up[j - 1] + cost);

            if (i > 1 && j > 1 && a.p[i - 1] == b.p[j - 2] && a.p[i - 2] == b.p[j - 1])
                best = MIN(best, up2[j - 2] + 1);
            now[j] = best;
        }
    }
    unsigned d = row[a.n % 3][b.n];

    return d > limit ? limit + 1 : d;
}

int str_order(const void *a, const void *b)
{
    const struct str *x = a, *y = b;

    return str_cmp(*x, *y);
}
