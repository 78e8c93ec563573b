/* Asking an interpreter about itself: one process the first time, a small file afterwards.
 *
 * The answer is kept in <cache>/python-v1/<hash of the path>, keyed by the path and by device, inode, size, mtime and
 * ctime of the executable behind it (and of pyvenv.cfg for an environment's): an upgrade in place is seen, an unchanged
 * interpreter costs a stat and a read. A cache that cannot be read or written is no error: the interpreter is asked.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct py_facts;

#define PROBE_TIMEOUT_MS 10000
#define PROBE_OUTPUT_MAX (256 * 1024)

/* Facts of the executable at an absolute path. `cache`: the cache directory, NULL or "" for none. Everything is in
 * the arena. ERR_PYTHON naming the interpreter, with the end of what it wrote to stderr, when it does not start, says
 * nothing that makes sense, or is older than 3.6. */
MUST_USE bool probe_python(const char *executable, const char *cache, struct arena *a, struct py_facts *out,
                           struct err *e);

/* Only from the cache: false when it is not there, out of date or damaged. Starts nothing. */
MUST_USE bool probe_cached(const char *executable, const char *cache, struct arena *a, struct py_facts *out);
