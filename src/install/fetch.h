/* Files fetched to disk, many at once: streamed, hashed on the way, verified, and only then given their name.
 *
 *     struct fetch *f = fetch_new(http, &progress);
 *     fetch_add(f, &item[i]) ...
 *     while (fetch_outstanding(f) && fetch_step(f, -1, work_fd(pool), e))
 *         for (struct fetch_item *done; (done = fetch_next(f));)
 *             push the unpacking of done to the pool
 *
 * Promises: a file with its final name was verified whole against the expected digest and size. Until then it is
 * "<sha256 or name>.part" in the same directory, which a later run goes on with after an interruption, at any
 * moment. Two processes never write the same .part. The largest files start first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/str.h"

struct fetch;
struct http;

struct fetch_progress {
    uint64_t bytes_total; /* of the files whose size is known beforehand or by now */
    uint64_t bytes_done;
    size_t files_total, files_done;
};

struct fetch_item {
    /* The caller's; views must live until the item is given back. Zero the rest. */
    struct str url;       /* http, https, file: URL or a plain absolute path */
    struct str name;      /* final file name in `dir`: one path segment */
    struct str hash_name; /* "sha256", "sha512", "blake2b" ...; n == 0: no digest is known */
    struct str hash;      /* hexadecimal */
    uint64_t size;        /* 0: unknown */
    int dir;              /* directory to write in; stays open and is the caller's */
    void *user;

    /* The result. */
    struct err err;                  /* kind ERR_NONE: the file stands in `dir` under `name` */
    char sha256[HASH_HEX256 + 1];    /* always computed */
    uint64_t got;                    /* its size */
    bool was_there;                  /* it stood there already and its digest was right: nothing was fetched */
    uint64_t resumed;                /* bytes taken over from an earlier attempt */

    struct fetch_task *task;         /* the fetcher's */
    struct fetch_item *next;
};

/* Errors of an item: ERR_NETWORK as http.h says; ERR_PACKAGE with exit code 5 when the digest or the size is wrong
 * (after one more download that bypasses caches), naming the file, what was expected and what came; ERR_PACKAGE
 * when the name is unfit or the hash is weak (md5, sha1) or unknown; ERR_IO for the disk. */

/* `http` must outlive it and may serve others too. *progress is updated as it goes. */
MUST_USE struct fetch *fetch_new(struct http *http, struct fetch_progress *progress);
/* Gives up what is not done; .part files stay. */
void fetch_free(struct fetch *f);
void fetch_auto(struct fetch **f);
#define AUTO_FETCH AUTO(fetch_auto) struct fetch *

/* Never fails: what is wrong comes back in the item. */
void fetch_add(struct fetch *f, struct fetch_item *item);

/* As http_step(): returns when an item is done, `extra_fd` is readable or the time is over. */
MUST_USE bool fetch_step(struct fetch *f, int timeout_ms, int extra_fd, struct err *e);
/* The next finished item or NULL. */
MUST_USE struct fetch_item *fetch_next(struct fetch *f);
/* Items added and not yet given back. */
MUST_USE size_t fetch_outstanding(const struct fetch *f);

/* All of them, one after the other as they come; stops at the first error. For callers with nothing to overlap. */
MUST_USE bool fetch_all(struct http *http, struct fetch_item *items, size_t n, struct err *e);
