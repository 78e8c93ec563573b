/* Pages of a simple index: JSON (PEP 691, 700, 714, 740) and HTML (PEP 503, 592, 629, 658, 714), to one list of links.
 *
 * Everything in the result lives in the arena or is a view of the body. Also used for the folders and pages of
 * --find-links.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

struct page_link {
    struct str name; /* of the file, decoded */
    struct str url;  /* absolute, without the hash fragment */
    struct str requires_python;
    struct str yanked_reason;
    struct str other_hash; /* "sha512=..." when there is no sha256 */
    bool yanked, has_sha256, has_metadata, has_metadata_sha256, has_size, has_uploaded;
    uint64_t size;
    int64_t uploaded;
    unsigned char sha256[32], metadata_sha256[32];
};

struct page {
    const struct page_link *link;
    uint32_t n;
    struct str status; /* of the project (PEP 792); n == 0: active */
};

/* content_type decides between the two; without one the first byte does. ERR_PACKAGE. */
MUST_USE bool page_parse(struct str body, struct str content_type, struct str url, struct arena *a, struct page *out,
                         struct err *e);
