/* Where an ELF file looks for its libraries: DT_RPATH and DT_RUNPATH of a little-endian 64-bit or 32-bit file.
 *
 * Pure, bounded, and never an error: what cannot be read has no paths.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

#define ELF_PATHS_MAX 4

/* Writes at most ELF_PATHS_MAX views into the content, each a list separated by ':'; returns how many. */
size_t elf_library_paths(struct str content, struct str out[ELF_PATHS_MAX]);

/* The folder that `entry` ("$ORIGIN/../demo.libs") means for a file at `path` ("demo/sub/x.so"), as the name of its
 * first part below the root. False when it does not begin with $ORIGIN; *outside when it climbs over the root. The
 * root itself gives an empty name. */
MUST_USE bool elf_origin_top(struct str path, struct str entry, struct str *top, bool *outside);
