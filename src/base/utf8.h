/* UTF-8: checking, decoding, and how wide text is in a terminal. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

/* Strict (RFC 3629): no surrogates, nothing overlong, nothing above U+10FFFF. *bad is where it ends being valid. */
MUST_USE bool utf8_is_valid(struct str s, size_t *bad);
/* Takes one character off the front; false at the end. An invalid byte gives U+FFFD and goes on after it. */
MUST_USE bool utf8_next(struct str *s, uint32_t *c);
/* Writes 1 to 4 bytes and returns how many. c must be a scalar value. */
size_t utf8_encode(uint32_t c, char out[4]);
/* Columns in a terminal: control characters 0, wide ones 2. */
MUST_USE size_t utf8_width(struct str s);
