/* Hashes: one fast one for tables in memory and cache keys, the cryptographic ones for content.
 *
 * libcrypto is opened at the first digest, so that commands which hash nothing do not pay for loading it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

/* XXH3, 64 bits. Not for anything that an attacker may choose to collide and that matters. */
MUST_USE uint64_t hash_fast(const void *p, size_t n);

struct hash_fast; /* the same, of what comes in pieces */

MUST_USE struct hash_fast *hash_fast_new(void);
void hash_fast_free(struct hash_fast *h); /* NULL is nothing */
void hash_fast_add(struct hash_fast *h, const void *p, size_t n);
/* Of all that was added. */
MUST_USE uint64_t hash_fast_finish(const struct hash_fast *h);

#define HASH_MAX 64     /* bytes of the longest digest */
#define HASH_SHA256 32
#define HASH_HEX256 64  /* characters of a sha256 in hexadecimal */

struct digest; /* one running computation */

/* `name` as indexes and RECORD write it: sha256, sha384, sha512, blake2b, md5, sha1 ...; ERR_PACKAGE when
 * libcrypto does not know it. Weak ones are refused by the callers that verify, not here. */
MUST_USE bool digest_new(struct str name, struct digest **out, struct err *e);
void digest_free(struct digest *d);
void digest_add(struct digest *d, const void *p, size_t n);
/* Writes the result, *n its bytes; the digest may then be used again from the start. */
void digest_finish(struct digest *d, unsigned char out[HASH_MAX], size_t *n);

void digest_auto(struct digest **d);
#define AUTO_DIGEST AUTO(digest_auto) struct digest *

MUST_USE bool hash_sha256(const void *p, size_t n, unsigned char out[HASH_SHA256], struct err *e);
MUST_USE bool hash_sha256_file(int fd, const char *name, unsigned char out[HASH_SHA256], struct err *e);

/* Lower-case hexadecimal with a NUL: out has 2 n + 1 bytes. */
void hash_hex(const unsigned char *p, size_t n, char *out);
/* The reverse; false when hex is not exactly 2 n hexadecimal digits. */
MUST_USE bool hash_from_hex(struct str hex, unsigned char *out, size_t n);
