/* What a set of packages is made from: requirements with their origins, constraints, indexes, policy; and the digest
 * that tells whether a lock still fits.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"
#include "index/source.h"

struct err;
struct workspace;

/* Which lists of the project a requirement stands in: bit 0 the dependencies (or a requirements file, or the command
 * line), then the extras, then the groups. */
#define INPUT_LISTS_MAX 63

struct input_hash {
    struct str name;    /* normalised */
    struct str version; /* n == 0: any */
    struct str hash;    /* "sha256:..." */
};

struct inputs {
    VEC(struct source_root) roots;
    VEC(uint64_t) lists;          /* of each root: its bit */
    VEC(struct input_hash) hashes; /* --hash of requirements files */
    VEC(struct str) extras, groups, default_groups; /* of the project, normalised: bits 1.. in this order */
    struct index_settings index;
    struct str index_urls_shown;  /* for messages, without credentials */
    const struct str *bare_url;   /* the indexes without credentials, for the lock */
    bool require_hashes;
    bool from_project;            /* pyproject.toml's lists */
    struct str source;            /* "pyproject.toml", "requirements.txt", "the command line" */
    struct str digest;            /* hexadecimal; of everything that decides the result but the index's content */
};

/* Reads the project's lists, else requirements.txt, else the files and words of the request. What the
 * workspace holds counts, so an edit of pyproject.toml that is not written yet can be tried. */
MUST_USE bool inputs_gather(struct workspace *w, struct inputs *out, struct err *e);
