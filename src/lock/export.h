/* A lock as requirements.txt: "name==version" lines, sorted, for tools that read nothing better. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct buf;
struct err;
struct lock;

struct export_options {
    bool hashes;  /* --hash=alg:hex for every file */
    bool markers; /* "; marker" behind packages that have one */
};

/* Packages from archives, directories and version control become "name @ url" (or "-e path"). Fails with ERR_PACKAGE
 * when hashes are wanted and a package can have none. */
MUST_USE bool export_requirements(const struct lock *l, const struct export_options *options, struct buf *out,
                                  struct err *e);
