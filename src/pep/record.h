/* RECORD: the files of an installed distribution, as CSV rows of path, hash, size (recording installed projects).
 *
 * Paths are relative to the directory that holds the dist-info directory and may start with "../"; they are not checked
 * here beyond being text: whoever writes or deletes files does that. Digests are bytes here and urlsafe base64 without
 * padding in the file.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/hash.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

#define RECORD_MAX (64 << 20)    /* bytes of one RECORD */
#define RECORD_NO_SIZE UINT64_MAX

struct record_row {
    struct str path;
    struct str alg; /* "sha256"; n == 0 when the row has no hash */
    unsigned char digest[HASH_MAX];
    unsigned n_digest;
    uint64_t size; /* RECORD_NO_SIZE when the row has none */
};

struct record {
    struct record_row *row;
    size_t n;
};

/* Rows in file order. Texts are views of the input, or copies in the arena where quotes had to be resolved. Fails with
 * ERR_PACKAGE and the line. A path listed twice is kept twice: record_find() gives the last. */
MUST_USE bool record_parse(struct arena *a, struct str text, struct record *out, struct err *e);
/* One row with its "\n", quoted where CSV needs it. */
bool record_write(struct buf *out, const struct record_row *row);
MUST_USE const struct record_row *record_find(const struct record *r, struct str path);
/* RECORD itself and its signatures, RECORD.jws and RECORD.p7s: rows that have no hash. */
MUST_USE bool record_is_unhashed(struct str path);

/* urlsafe base64 without padding (RFC 4648, section 5). */
#define BASE64_LEN(n) (((n) * 4 + 2) / 3)
/* Writes BASE64_LEN(n) characters and a NUL. */
void base64url_encode(const unsigned char *p, size_t n, char *out);
/* Accepts trailing '='. False for another alphabet, a length that cannot be, or more than max bytes. */
MUST_USE bool base64url_decode(struct str text, unsigned char *out, size_t max, size_t *n);
