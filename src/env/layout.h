/* The fixed parts of an environment: pyvenv.cfg, links to the interpreter, activation scripts.
 *
 * Nothing here starts an interpreter. Making an environment is a fixed, small number of system calls.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "env/env.h"

struct arena;
struct err;

/* What pyvenv.cfg says. Views live in the arena. */
struct layout_config {
    struct str home;
    struct str version;        /* "version" or "version_info" */
    struct str executable;     /* "base-executable" or "executable", may be empty */
    struct str implementation;
    struct str prompt;
    struct str blast;          /* version of Blast that made it; n == 0: another tool did */
    bool system_site_packages;
};

void layout_config_parse(struct str text, struct layout_config *out);
MUST_USE struct str layout_config_format(const struct env_new *spec, struct arena *a);

/* "lib/python3.12/site-packages" (PyPy: lib/pypy3.10/site-packages). */
MUST_USE struct str layout_site(const struct env_python *python, struct arena *a);
/* "python3.12": the name below lib/ and include/site/. */
MUST_USE struct str layout_python_dir(const struct env_python *python, struct arena *a);

/* Fills an empty generation (or the root of a plain environment): bin/ with interpreter links and activation
 * scripts, the site-packages directory. `env_path` is what the scripts say, not where they are written. */
MUST_USE bool layout_fill(int prefix, const char *env_path, const struct env_python *python, struct str prompt,
                          struct err *e);
/* pyvenv.cfg, .gitignore, and the links bin, lib, lib64 of the generations layout. */
MUST_USE bool layout_root(int dir, const struct env_new *spec, struct err *e);
