/* Gzip (RFC 1952) in memory: what a server packed, unpacked within the limit of the buffer.
 *
 * Checked: headers, the CRC and the size of every member. Several members behind each other are one text; anything
 * else behind the last one is an error. All failures are ERR_PACKAGE.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct buf;
struct err;

/* Appends to out, whose limit is what stops a bomb. On failure out holds anything. */
MUST_USE bool gzip_unpack(struct str packed, struct buf *out, struct err *e);
