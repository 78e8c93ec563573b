/* Tar archives in memory, entry by entry: ustar and pax, as far as finding a file needs it.
 *
 * Checked: each header's checksum, every size against what is there. Long names of pax and GNU headers are not joined:
 * such an entry comes with the short name it has in its own header. All failures are ERR_PACKAGE.
 * (POSIX.1-2017, pax, "ustar Interchange Format".)
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

struct tar_entry {
    struct str prefix, name; /* the path is prefix/name; prefix may be empty */
    struct str data;
    bool is_file;            /* a regular file; not a link, directory or extended header */
};

/* Takes the next entry off the front of *rest. False at the end of the archive, and with e set on a failure (clear e
 * before the loop). */
MUST_USE bool tar_next(struct str *rest, struct tar_entry *out, struct err *e);
