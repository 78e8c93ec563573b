/* Versions: parse, order and print ("Version specifiers" specification, PEP 440).
 *
 * A version is a value of 40 bytes. `key` is monotone: a smaller version never has a larger key. Almost all versions
 * (epoch 0, at most four release numbers after trailing zeros are dropped, one suffix at most, no local part) are
 * exact: the key says everything, `full` is NULL, and comparing two of them is one integer comparison. Where a key is
 * equal and one side has a `full`, the parts are compared.
 *
 *     bits 63-48  first release number         bits 23-20  suffix: dev 1, a 2, b 3, rc 4, none 5, local 6, post 7,
 *     bits 47-24  the next three, 8 each                   more release numbers 8, too large 15
 *                                              bits 19-0   number of the suffix
 *
 * `text` and what `full` points to belong to the text and the arena given to version_parse(). Numbers may not pass
 * 2^63 - 1 (a limit of ours; the specification has none).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

struct version_parts; /* below */

struct version {
    uint64_t key;
    const struct version_parts *full; /* NULL: the key is exact */
    struct str text;                  /* as written, white space at the ends dropped */
    uint32_t n_release;               /* release numbers as written, trailing zeros counted */
};

enum version_pre { VERSION_NOT_PRE, VERSION_A, VERSION_B, VERSION_RC };

/* A version taken apart. */
struct version_parts {
    uint64_t epoch;
    const uint64_t *release; /* as written, trailing zeros kept */
    uint32_t n_release;
    enum version_pre pre;
    bool has_post, has_dev;
    uint64_t pre_number, post_number, dev_number;
    struct str local;        /* normalised: lower case, "." between segments; n == 0: none */
};

#define VERSION_INLINE 8 /* the most release numbers an exact version is written with */

/* True and *out written, or false and *out untouched. White space at the ends is allowed. Allocates in the arena
 * only for versions that are not exact. */
MUST_USE bool version_parse(struct str text, struct arena *a, struct version *out);
/* The same for input of users and files: ERR_PACKAGE naming the text. */
MUST_USE bool version_get(struct str text, struct arena *a, struct version *out, struct err *e);

MUST_USE int version_cmp_slow(const struct version *a, const struct version *b);

/* Negative, 0, positive; 0 for 1.0 and 1.0.0. */
MUST_USE static inline int version_cmp(const struct version *a, const struct version *b)
{
    if (a->key != b->key)
        return a->key < b->key ? -1 : 1;
    if (!a->full && !b->full)
        return 0;
    return version_cmp_slow(a, b);
}

/* qsort/bsearch order of struct version. */
int version_order(const void *a, const void *b);
/* Agrees with version_cmp() == 0. */
MUST_USE uint64_t version_hash(const struct version *v);

/* Alpha, beta, candidate or dev. */
MUST_USE bool version_is_pre(const struct version *v);
MUST_USE bool version_is_post(const struct version *v);
MUST_USE bool version_is_dev(const struct version *v);
MUST_USE bool version_has_local(const struct version *v);

/* Takes v apart; `room` holds the release numbers of an exact version and must live as long as *out. */
void version_split(const struct version *v, uint64_t room[VERSION_INLINE], struct version_parts *out);
/* The reverse: the version of these parts, which are copied into the arena. Its text is left empty; version_format()
 * writes it where it is wanted. Numbers may be up to UINT64_MAX here, so that a bound above all real ones exists. */
void version_make(const struct version_parts *parts, struct arena *a, struct version *out);

/* The version of the release numbers alone: 3.13.0 for 3.13.0rc1. Text as before. One with an epoch or with numbers
 * too large for the key is left as it is: the interpreters' versions that this is for have neither. */
void version_final(const struct version *v, struct version *out);

/* Normalised text: "1!1.0rc1.post2.dev3+local.4", trailing zeros kept; a copy in the arena, NUL behind it. */
MUST_USE struct str version_format(const struct version *v, struct arena *a);
/* Release number i (0: major), 0 past the end. */
MUST_USE uint64_t version_release(const struct version *v, uint32_t i);
