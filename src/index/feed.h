/* Brings what the resolve lacks: index pages and metadata of files, many at once, and some before they are asked for.
 *
 * The solver never waits for one answer at a time: whenever a page comes, the metadata of the version that would be
 * chosen is asked for; whenever metadata comes, the pages of its requirements are. When a project is tried version
 * after version, the next ones are fetched in batches. What comes is written to the cache.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct catalog;
struct err;
struct http;
struct solve;
struct source;

struct feed;

struct feed_figures {
    uint32_t pages, metadata; /* that have come over the network */
    uint64_t bytes;
};

/* All outlive the feed. Without a network (offline) `http` may be NULL. */
MUST_USE struct feed *feed_new(struct catalog *c, struct source *s, struct http *http);
void feed_free(struct feed *f);

/* Starts what is lacking and waits until something of it has come. `solver` may be NULL; it helps to guess what will
 * be asked next. ERR_NETWORK, ERR_PACKAGE, or offline: ERR_NETWORK naming what is not in the cache. */
MUST_USE bool feed_wait(struct feed *f, const struct solve *solver, struct err *e);
/* Lets what was asked ahead come in while somebody else waits for other things; does not block. */
void feed_figures(const struct feed *f, struct feed_figures *out);
