/* direct_url.json: where a distribution came from when it did not come from an index (PEP 610, direct URL data
 * structure).
 *
 * The writer removes credentials from the URL, unless they are ${VARIABLES} or the name `git` alone.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

enum direct_kind { DIRECT_ARCHIVE, DIRECT_DIR, DIRECT_VCS };

struct direct_hash {
    struct str alg, hex;
};

struct direct_url {
    enum direct_kind kind;
    struct str url;
    struct str subdirectory; /* n == 0 for none */
    /* DIRECT_ARCHIVE */
    const struct direct_hash *hash;
    size_t n_hash;
    /* DIRECT_DIR */
    bool editable;
    /* DIRECT_VCS */
    struct str vcs, commit_id, requested_revision;
};

#define DIRECT_URL_MAX (1 << 20) /* bytes of one direct_url.json */

/* Texts live in the arena or are views of the input. Fails with ERR_PACKAGE. */
MUST_USE bool direct_url_parse(struct arena *a, struct str text, struct direct_url *out, struct err *e);
/* The JSON object, no newline behind it. */
bool direct_url_format(const struct direct_url *d, struct buf *out);
/* The URL without user and password (see above); a copy in the arena only where something was removed. */
MUST_USE struct str url_without_credentials(struct arena *a, struct str url);
