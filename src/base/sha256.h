/* SHA-256 (FIPS 180-4) for a few hundred bytes, without a library.
 *
 * base/hash.h opens libcrypto, which takes 2.7 ms here: nothing beside a download, more than all the rest of an undo
 * that adds one line to the audit log. This one is ten times slower per byte and costs nothing to have, so it is for
 * short texts on paths that otherwise hash nothing. Files and downloads use base/hash.h.
 */
#pragma once

#include <stddef.h>
#include "base/hash.h"

struct sha256 {
    uint32_t state[8];
    uint64_t n; /* bytes so far */
    unsigned char block[64];
};

void sha256_init(struct sha256 *s);
void sha256_add(struct sha256 *s, const void *p, size_t n);
/* Ends the computation; init begins a new one. */
void sha256_finish(struct sha256 *s, unsigned char out[HASH_SHA256]);
