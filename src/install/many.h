/* Hard links by the thousand: handed to the workers in batches. Private to install/place.c.
 *
 * The directories exist before a link is added. Links of small sets are not worth a thread: the caller makes the first
 * MANY_FROM itself.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

struct err;
struct many;

#define MANY_FROM 1024

/* Descriptors of the store and of the prefix; they stay open until many_free(). NULL when there are no workers to be
 * had. */
MUST_USE struct many *many_new(int store, int prefix);
void many_free(struct many *m); /* waits for what runs */

/* Both paths live until many_finish(). */
void many_add(struct many *m, const char *from, const char *to);

/* A file that has all the names its file system allows (ext4: 65,000): to be copied instead. */
struct many_copy {
    const char *from, *to;
};
/* Waits until all links are made; the first that could not be is the error. *copy lives until many_free(). */
MUST_USE bool many_finish(struct many *m, const struct many_copy **copy, size_t *n, struct err *e);
