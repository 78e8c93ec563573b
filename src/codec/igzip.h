/* Deflate (RFC 1951) in pieces: what is packed lies in memory, what comes out takes the memory of a piece however large
 * it is. By igzip of ISA-L, opened late, which may be missing.
 *
 * libdeflate unpacks only the whole, into memory for the whole; zlib works in pieces and takes twice its time or more.
 * Of streams that no compressor writes, and zlib refuses, igzip takes some that libdeflate 1.14 refuses (codes that are
 * not complete) and refuses some that it takes (code lengths that are repeated past the last code). What both take is
 * the same in both; size and CRC are the caller's to compare in any case.
 */
#pragma once

#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct igzip;

#define IGZIP_PIECE (256u << 10) /* bytes of a piece; the last may be shorter */

enum igzip_step { IGZIP_MORE, IGZIP_END, IGZIP_DAMAGED };

/* Scratch of about 340 KiB, for any number of streams; NULL where the library is missing. */
MUST_USE struct igzip *igzip_new(void);
void igzip_free(struct igzip *g); /* NULL is nothing */

/* `packed` must outlive the stream. */
void igzip_begin(struct igzip *g, struct str packed);
/* A piece that is valid until the next call, never empty; at the end, and for a damaged stream, none. */
MUST_USE enum igzip_step igzip_next(struct igzip *g, struct str *piece);
/* Bytes of `packed` that were read; at the end: those that belong to the stream. */
MUST_USE size_t igzip_taken(const struct igzip *g);
