/* Small state files that are there whole or not at all: one line with a tag and a checksum, then a JSON text.
 *
 *     blast-queue-1 9f8c01d2e3b4a596
 *     {"next":4,"jobs":[]}
 *
 * Written beside and renamed, so killing the program leaves the old text or the new one. A power cut may leave a torn
 * one: the checksum finds it, and it counts as absent.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define RECORD_MAX (4u << 20)

struct record {
    int dir;
    const char *name;
    const char *tag; /* of the format; another one counts as no file */
};

MUST_USE bool record_save(const struct record *r, struct str json, struct err *e);
/* out->p == NULL: there is none, or it is of another tag, or damaged (*damaged says so; the file is left alone). */
MUST_USE bool record_load(const struct record *r, struct arena *a, struct str *out, bool *damaged, struct err *e);
