/* The cache on disk: small records by name, mapped when read, replaced whole or appended to.
 *
 * A bucket is a folder named with the version of its format, so that old and new programs live side by side. What
 * is in the cache can be made again: a failure to write it is never an error of the operation (the functions say
 * so by a bool), a record that does not check out is a miss. Nothing here is flushed to disk.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

struct cache {
    int dir; /* of the bucket; -1: the cache cannot be used (read-only home, say) and everything misses */
};

/* Opens (makes) <root>/<bucket>. Never fails: without a usable folder all is a miss. */
void cache_open(const char *root, const char *bucket, struct cache *out);
void cache_close(struct cache *c);

/* The record's bytes, mapped read-only; *fd stays open for cache_patch. False when it is not there. Unmap with
 * fd_unmap(), close the descriptor. */
MUST_USE bool cache_map(const struct cache *c, const char *name, struct str *out, int *fd);
/* Writes the record beside and renames it. False when that was not possible. */
bool cache_put(const struct cache *c, const char *name, struct str data);
/* Adds bytes at the end in one write, making the record when it is not there. A torn tail after a crash is the
 * reader's to detect. */
bool cache_append(const struct cache *c, const char *name, struct str data);
/* Overwrites a few bytes in place (a freshness date). */
bool cache_patch(int fd, size_t at, struct str data);
void cache_drop(const struct cache *c, const char *name);

/* The file name for a text of any length and content: itself when it is short and plain, else its hash. */
void cache_name(struct str text, const char *suffix, char out[128]);
