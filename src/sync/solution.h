/* The solver's answer as a lock: files, hashes, dependencies, and which lists of the project need what. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct inputs;
struct lock;
struct solve;
struct source;
struct workspace;

/* Texts are copied into the workspace's arena, so the source may be closed after. */
MUST_USE bool solution_lock(struct workspace *w, const struct inputs *in, struct source *s, const struct solve *solver,
                            struct lock *out, struct err *e);
