/* Where interpreters may be: gathered without starting any; between python/discover.c and python/candidates.c only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/str.h"
#include "base/vec.h"
#include "python/discover.h"

#define CANDIDATE_UNKNOWN 999u /* above all real numbers, so that what is not known is asked first */

struct candidate {
    struct str path;
    bool front;         /* what the shell would start, or the active environment's base: preferred as they come */
    bool pypy;          /* the names say so */
    unsigned minor, micro; /* of 3.minor.micro, CANDIDATE_UNKNOWN where the names do not tell */
    bool free_threaded; /* the names say so */

    bool asked, failed;
    struct py_facts facts; /* asked and not failed */
    struct str why;        /* failed */
};

struct candidates {
    VEC(struct candidate) list;
    VEC(struct py_note) notes; /* seen and left out without asking */
    struct arena *a;
};

/* All of them in the order of python/discover.h, each executable file once; or only those with `front` set, for which
 * a tenth of the places is looked at. */
void candidates_gather(const struct py_search *search, bool front_only, struct candidates *c);
