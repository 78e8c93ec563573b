/* What Blast knows about one interpreter: asked once by python/probe.h, remembered, then used without starting it.
 *
 * All texts live in the arena that the facts were made in; nothing here is released by itself. Paths have no trailing
 * slash and a NUL behind them, so that `.p` may be given to a system call.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "pep/marker_env.h"
#include "pep/tag.h"
#include "pep/version.h"

struct arena;

/* Where an environment of this interpreter keeps things, relative to the environment's root. */
struct py_layout {
    struct str purelib;  /* "lib/python3.11/site-packages" */
    struct str platlib;  /* the same, or "lib64/..." */
    struct str include;  /* "include/site/python3.11": a project's headers go to include/<project> below it */
    struct str scripts;  /* "bin" */
    struct str data;     /* "" */
};

struct py_facts {
    struct str executable;      /* as it was found and started: absolute, links kept */
    struct str real_executable; /* links resolved; what the cache is keyed by */
    struct str base_executable; /* outside any environment: what a new environment's bin/python points to */
    struct str home;            /* its directory: `home` in pyvenv.cfg */
    struct str prefix;          /* sys.prefix */
    struct str base_prefix;     /* sys.base_prefix; differs from prefix inside an environment */
    struct str stdlib;          /* "/usr/lib/python3.11" */

    unsigned major, minor, micro;
    struct str version_text;    /* "3.13.0rc1": python_full_version */
    struct version version;     /* the same, parsed */
    struct str implementation;  /* "cpython", "pypy" */
    struct str cache_tag;       /* "cpython-311": names of compiled files */
    struct str soabi;           /* "cpython-311-x86_64-linux-gnu" */
    struct str abiflags;        /* "", "m", "t", "d" */
    bool free_threaded, debug;
    bool is_32bit, arm_hard_float;
    struct str machine;         /* "x86_64"; of a 32-bit interpreter its own ("i686"), not the kernel's */
    struct str manylinux_denied; /* see struct tag_input */
    enum tag_libc libc;
    unsigned libc_major, libc_minor;
    struct str externally_managed; /* path of the EXTERNALLY-MANAGED file (PEP 668); n == 0: none */

    struct py_layout layout;
    struct marker_env marker;
};

/* The interpreter of an environment: its prefix is not its base prefix. */
MUST_USE bool facts_is_venv(const struct py_facts *f);

/* "cpython 3.11.7 (/usr/bin/python3.11)": for messages. */
MUST_USE struct str facts_describe(const struct py_facts *f, struct arena *a);

/* The wheel tags it accepts, best first; made anew at each call. */
MUST_USE struct tag_set *facts_tags(const struct py_facts *f, struct arena *a);

/* A value for a key of the cache of resolved or installed things: changes with everything that wheels depend on
 * (implementation, version, ABI, machine, libc), not with the place of the executable. */
MUST_USE struct str facts_fingerprint(const struct py_facts *f, struct arena *a);
