/* Names of projects, extras and dependency groups: validity, normal form, comparison.
 *
 * Valid: "Names and normalization" of the packaging specifications (PEP 508): ASCII letters, digits, '.', '_', '-',
 * beginning and ending with a letter or a digit. Normal form (PEP 503): lower case, each run of "-_." one '-'.
 * Comparing and hashing work on names as written, without making the normal form.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;

MUST_USE bool name_is_valid(struct str name);
/* True when the name is valid and equal to its own normal form. */
MUST_USE bool name_is_normal(struct str name);

/* The normal form: `name` itself when it is normal already (no copy), else text in the arena. A name that is not
 * valid is mapped by the same rule and never fails; check name_is_valid() where it matters. */
MUST_USE struct str name_normalize(struct arena *a, struct str name);
/* The same into `out`, which has room for name.n bytes; returns the length, never more than name.n. No NUL. */
size_t name_normalize_into(struct str name, char *out);

/* Comparison of normal forms: equal; order (negative, 0, positive) by byte; a hash that agrees with name_eq(). */
MUST_USE bool name_eq(struct str a, struct str b);
MUST_USE int name_cmp(struct str a, struct str b);
MUST_USE uint64_t name_hash(struct str name);
