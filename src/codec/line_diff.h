/* A unified diff of two texts, as diff -u and git write it and patch reads it: three lines around each change. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;

/* Appends "--- old_name", "+++ new_name" and the hunks to out; nothing when the texts are equal. False when out is
 * full. The smallest diff, but for texts that differ in some thousand lines: there one change covers all of them. */
MUST_USE bool line_diff(struct str old, struct str new, const char *old_name, const char *new_name, struct arena *a,
                        struct buf *out);
