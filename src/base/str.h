/* Text views: a pointer and a length, passed by value. The bytes belong to somebody else and must outlive the
 * view; nothing here allocates. A view need not end in NUL and may hold any byte.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include "base/attr.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){ "" literal, sizeof(literal) - 1 })
/* The same where C wants a constant: static tables. */
#define STR_INIT(literal) { "" literal, sizeof(literal) - 1 }
#define STR_FMT "%.*s"
#define STR_ARG(s) (int)(s).n, (s).n ? (s).p : ""

static inline struct str str_of(const char *c)
{
    return (struct str){ c, c ? strlen(c) : 0 };
}

static inline struct str str_sub(struct str s, size_t from, size_t to)
{
    return (struct str){ s.p + from, to - from };
}

static inline bool str_eq(struct str a, struct str b)
{
    return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0);
}

/* ASCII case is ignored; other bytes must be the same. */
MUST_USE bool str_eq_nocase(struct str a, struct str b);
/* Byte order, as memcmp and then length: negative, 0, positive. */
MUST_USE int str_cmp(struct str a, struct str b);
MUST_USE bool str_starts(struct str s, struct str prefix);
MUST_USE bool str_ends(struct str s, struct str suffix);
/* True and the prefix removed from *s, or false and *s as it was. */
bool str_cut_prefix(struct str *s, struct str prefix);
bool str_cut_suffix(struct str *s, struct str suffix);

/* Position of the first (last) c, or s.n when there is none. */
MUST_USE size_t str_find(struct str s, char c);
MUST_USE size_t str_rfind(struct str s, char c);
/* Position of the first needle, or s.n. */
MUST_USE size_t str_search(struct str s, struct str needle);

/* White space here is space, \t, \n, \v, \f, \r. */
MUST_USE struct str str_trim(struct str s);
static inline bool char_is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}
static inline bool char_is_digit(char c)
{
    return c >= '0' && c <= '9';
}
static inline bool char_is_alpha(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
static inline char char_lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

/* Takes the part before the next `sep` off the front of *rest into *part, the separator with it; the last
 * part is what remains. False when *rest was used up (rest->p == NULL then). An empty text has one empty part.
 *     for (struct str part, rest = s; str_next(&rest, ',', &part);) ... */
bool str_next(struct str *rest, char sep, struct str *part);
/* The same for lines: ends at \n, \r\n or \r; no empty part after a final line end. */
bool str_next_line(struct str *rest, struct str *line);
/* At most max parts are written; returns how many there are, which may be more than max. */
size_t str_split(struct str s, char sep, struct str *part, size_t max);

/* Decimal digits only, no sign, no space; false when empty, too large or anything else stands there. */
MUST_USE bool str_to_u64(struct str s, uint64_t *out);

/* Edit distance with transpositions, capped: returns limit + 1 when it is larger. For "did you mean". */
MUST_USE unsigned str_distance(struct str a, struct str b, unsigned limit);

/* qsort/bsearch order of struct str. */
int str_order(const void *a, const void *b);
