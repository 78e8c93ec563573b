/* --find-links: the files of a folder, or of a page of links, as candidates beside the index's. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct catalog;
struct err;
struct page;

/* Adds the wheels and source distributions of a folder. ERR_CONFIG when it cannot be read. */
MUST_USE bool flat_read_folder(struct str path, struct catalog *c, struct err *e);
/* Adds what a page of links names; the links' texts must live as long as the catalog. */
MUST_USE bool flat_read_page(const struct page *page, struct catalog *c, struct err *e);

/* One file as the only candidate of its project: a requirement by URL or path. `url` may carry a "#sha256=..." fragment
 * (or sha384, sha512, blake2b). Sets *project to its number. ERR_PACKAGE when it is no wheel, when its hash is none, or
 * when another URL was given for the project before. */
MUST_USE bool flat_direct(struct catalog *c, struct str url, struct str name, uint32_t *project, struct err *e);

/* What has no file of its own to be installed from: a source tree, an archive, a repository. */
struct flat_source {
    struct str url;      /* tells it from others */
    struct str metadata; /* text of its METADATA, whole */
};
/* The only candidate of its project, to be built when it is installed. ERR_PACKAGE as above, and when its metadata or
 * its name is not usable; `name` is the one that is required. */
MUST_USE bool flat_given(struct catalog *c, const struct flat_source *s, struct str name, struct err *e);
