/* Finding the interpreter for a project.
 *
 * Where it looks, in this order: what was asked for by path; the active environment's base (VIRTUAL_ENV); PATH;
 * pyenv's versions directory, read directly (pyenv's shims are recognised and never run); a directory of interpreters
 * that the caller manages. A request by version takes the first source's fitting interpreter only if nothing better is
 * known about its version: candidates are probed lazily, most promising first, guided by the version that a file name
 * or a directory name tells. A candidate that is broken or too old becomes a note, never a failure.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "pep/spec.h"
#include "python/facts.h"

struct arena;
struct err;

enum py_request_kind {
    PY_ANY,     /* nothing was asked */
    PY_PATH,    /* an executable, or an environment's directory */
    PY_VERSION, /* "3.11", "3.11.7", "python3.12", "pypy3.10", "3.13t", ">=3.10,<3.13" */
};

struct py_request {
    enum py_request_kind kind;
    struct str text;           /* as asked */
    struct str path;           /* PY_PATH: the executable, absolute */
    struct str implementation; /* "cpython", "pypy"; n == 0: cpython is preferred, any is taken */
    bool free_threaded;        /* "3.13t": only such; without it only others */
    struct spec versions;      /* PY_VERSION */
    const struct spec *bounds; /* Requires-Python, set by the caller; NULL: none */
};

/* What a user wrote for --python, [env] python_version or in .python-version. A path that exists wins over a version
 * guess; relative paths count from `cwd` (NULL: the process's). An empty text is PY_ANY. ERR_PYTHON for what is
 * neither. */
MUST_USE bool python_request_parse(struct str text, const char *cwd, struct arena *a, struct py_request *out,
                                   struct err *e);

struct py_search {
    const char *cache;        /* for probe_python(); NULL: none */
    const char *managed;      /* directory with one installation a sub-directory; NULL: none */
    const char *path;         /* PATH; NULL: the environment's */
    const char *home;         /* for ~/.pyenv; NULL: HOME */
    const char *pyenv_root;   /* NULL: PYENV_ROOT, then ~/.pyenv */
    const char *virtual_env;  /* NULL: VIRTUAL_ENV; "": none */
};

/* Candidates that could not be used, in the order met. */
struct py_note {
    struct str path;
    struct str why; /* "python 2.7 is not supported" */
};

struct py_found {
    struct py_facts *facts; /* best first; one for each real executable */
    size_t n;
    const struct py_note *note;
    size_t n_notes;
};

/* The best interpreter for the request that its bounds accept. It is the interpreter outside of any environment, except
 * when the request is a path: then exactly that one, and the bounds are still checked.
 * `found` (may be NULL) receives the notes. ERR_PYTHON lists what was found when nothing fits. */
MUST_USE bool python_find(const struct py_request *request, const struct py_search *search, struct arena *a,
                          struct py_facts *out, struct py_found *found, struct err *e);

/* All interpreters that can be found, for `python list`: request order first, then newest stable first. Those not in
 * the cache are probed side by side. */
MUST_USE bool python_list(const struct py_search *search, struct arena *a, struct py_found *out, struct err *e);
