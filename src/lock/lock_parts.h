/* What the files of lock/ share: the two readers and the forms that hashes, times and names must have.
 *
 * lock_parse() tries the reader of our own layout first and falls back to the one that takes any TOML. Both must give
 * the same lock for the same text; the fuzz target holds them to it.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "lock/lock.h"

#define LOCK_HEAD_MAX (64 << 10) /* bytes before the first package in our own layout */

/* Any TOML; errors name line and column. */
MUST_USE bool lock_parse_any(struct arena *a, struct str text, struct lock *out, struct err *e);
/* The layout that lock_format() writes; false for every other and for everything that is wrong. */
MUST_USE bool lock_parse_own(struct arena *a, struct str text, struct lock *out);
/* The packages of that layout, from the line end before the first "[[packages]]". */
MUST_USE bool lock_fast_packages(struct arena *a, struct str text, struct lock *l);

/* Hexadecimal, and of the algorithm's length where that is known. */
MUST_USE bool lock_hash_is_valid(const struct lock_hash *h);
/* A date and time as TOML has it, with an offset. */
MUST_USE bool lock_time_is_valid(struct str s);
/* Sets the name from path or URL where it is empty. */
void lock_file_set_name(struct arena *a, struct lock_file *f);
/* Do these parts of a file's name fit the package? */
MUST_USE bool lock_file_is_of(const struct lock_package *p, struct str name, struct str version);
