/* Folders that several wheels fill, or that no __init__.py claims: real directories with links inside. Private to
 * install/link.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct place;

struct merge_file {
    struct str path;     /* relative to site-packages */
    uint32_t package, index; /* of the spec, of the entry's files */
};

/* `mode_of[package]`: how that wheel is linked. Sorts the files. */
MUST_USE bool merge_files(struct place *p, struct merge_file *files, size_t n, const unsigned char *mode_of,
                          struct err *e);
