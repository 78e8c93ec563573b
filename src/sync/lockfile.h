/* The project's lock on disk: whether it still fits the inputs, and making it anew when it does not. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "lock/lock.h"
#include "sync/pkg_layer.h"

struct err;
struct workspace;

#define LOCKFILE "pylock.toml"

struct lockfile {
    struct str path;     /* absolute */
    struct str old_text; /* p == NULL: there was none */
    struct str text;     /* what it should be; the same view as old_text when nothing changes */
    struct lock lock;    /* parsed or made; only with `loaded` */
    bool loaded;
    bool changed;        /* text differs from old_text */
    bool fresh;          /* it fitted the inputs: nothing was resolved */
};

/* Reads the lock at `path` (NULL: the project's) and decides. With --frozen a lock that does not fit is ERR_RESOLUTION;
 * otherwise it is made anew, keeping its pins where they still fit (and those of uv.lock, poetry.lock or pdm.lock for a
 * project that has no lock of ours). Writes nothing. */
MUST_USE bool lockfile_make(const struct pkg_job *job, const char *path, struct lockfile *out, struct err *e);
/* Parses the text when that was not needed yet. */
MUST_USE bool lockfile_load(struct workspace *w, struct lockfile *l, struct err *e);
MUST_USE bool lockfile_write(const struct lockfile *l, struct err *e);
