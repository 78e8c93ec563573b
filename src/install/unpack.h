/* A wheel file becomes an entry of the store, strictly and on all workers.
 *
 * Checked: names in the archive (codec/zip.h), one .dist-info whose METADATA agrees with the file name,
 * Wheel-Version 1.x, every file against RECORD by its digest. A wheel that does not keep to it is refused with
 * ERR_PACKAGE, exit code 5, and the name of the file; nothing of it stays. Tolerated, because published wheels
 * have it: the .dist-info directory spelled unlike the normalised name, RECORD rows for files that are not there
 * (ignored), rows with a size but no digest for RECORD, *.jws and *.p7s, directory members, a METADATA version
 * that has the file's local part missing or written unnormalised.
 *
 * The work is cut into jobs by bytes, the largest member first, so that one big wheel keeps every worker busy.
 * Digests are taken from the memory into which a member was inflated; each file costs open, write, close.
 *
 *     struct unpack *u = unpack_new(&spec);
 *     unpack_push(u, pool);
 *     while ((j = work_next(pool, true)))           // other jobs may share the pool: unpack_owner() is NULL
 *         if (!unpack_take(j, pool, &done, e)) ...
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "store/store.h"

struct err;
struct job;
struct unpack;
struct work;

struct unpack_spec {
    const struct store *store; /* outlives the unpack */
    struct str file;           /* name of the wheel file, without directories */
    const char *hex;           /* its verified sha256; the entry's key */
    int fd;                    /* the file, mapped by the first job; -1: `map` holds the bytes */
    struct str map;
};

/* Copies the spec's texts; the descriptor stays the caller's and must stay open to the end. */
MUST_USE struct unpack *unpack_new(const struct unpack_spec *spec);
/* Removes what was begun. Only when no job of it is with the pool. */
void unpack_free(struct unpack *u);

/* Hands the first job to the pool. */
void unpack_push(struct unpack *u, struct work *w);
/* Whose job it is, or NULL when it is not an unpacking job. */
MUST_USE struct unpack *unpack_owner(const struct job *j);
/* Takes a job back and pushes what became possible. *done when the last one is back; after a failure *done comes
 * with the remaining jobs and the first error is given then. */
MUST_USE bool unpack_take(struct job *j, struct work *w, bool *done, struct err *e);

/* All of it, for callers with nothing else to do. An entry that exists already is success. */
MUST_USE bool unpack_run(const struct unpack_spec *spec, struct work *w, struct err *e);
