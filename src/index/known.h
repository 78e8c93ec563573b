/* Dependency metadata of the files of one project, as learned so far: one append-only record.
 *
 * A resolve needs of a file's METADATA only Requires-Python, Requires-Dist and Provides-Extra. They are kept for good
 * (a published file never changes: the key holds its sha256), each as an entry with a checksum, so that a torn tail
 * or a foreign byte ends the record instead of being believed; the next writer replaces such a record.
 * Looking one up is a hash probe into the mapping.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"

struct arena;
struct cache;
struct metadata;

#define KNOWN_BUCKET "known-v1"

struct known {
    struct str record; /* mapped */
    size_t whole;      /* bytes of it that are entries: what follows is torn */
    int fd;
    struct map index;  /* key -> offset of the entry; those in `fresh` have the top bit set */
    struct buf fresh;  /* entries learned now, not yet on disk */
};

struct known_meta {
    struct str requires_python;
    const struct str *requires; /* Requires-Dist lines */
    size_t n_requires;
    const struct str *extra;    /* Provides-Extra */
    size_t n_extra;
};

MUST_USE uint64_t known_key(struct str file_name, const unsigned char sha256[32]);

/* Opens the project's record; an absent one is empty. */
void known_open(const struct cache *c, struct str project, struct known *out);
/* Adds what was learned to the record on disk and closes. */
void known_close(struct known *k, const struct cache *c, struct str project);

/* Views point into the record (or into what was just learned) and live until the next known_add or known_close; the
 * arrays live in the arena. */
MUST_USE bool known_find(const struct known *k, uint64_t key, struct arena *a, struct known_meta *out);
MUST_USE bool known_has(const struct known *k, uint64_t key);
/* `keep`: it goes to the disk at known_close(); else it is known until then only. False when it is too large. */
MUST_USE bool known_add(struct known *k, uint64_t key, const struct metadata *m, bool keep);
