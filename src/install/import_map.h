/* Which package has a module: from what packages say of themselves, never from a guess that is not called one.
 *
 * In this order, the first that knows wins:
 *   1  Import-Name and Import-Namespace of a candidate's metadata (PEP 794)
 *   2  the files of a candidate: candidates are the packages of the project's lock, as far as the store has them
 *   3  every wheel that this store has seen: <store>/imports-v1, a line for each, added to when a wheel is
 *   4  a table of well-known names (import_names.def); ambiguous ones give several
 *   5  the same name, unverified
 * No index is asked. A name with dots is looked up whole, then without its last parts ("google.cloud.storage.blob").
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct store;
struct store_draft;

enum import_how {
    IMPORT_METADATA, /* the package says so */
    IMPORT_FILES,    /* a candidate has the module's files */
    IMPORT_SEEN,     /* a wheel of the store has, or had */
    IMPORT_TABLE,
    IMPORT_PYTHON,   /* belongs to Python itself, which was built without it or has it no more */
    IMPORT_GUESS     /* nobody knows; the package of that name may be anything */
};

/* A package that may be the one: of the project's lock. */
struct import_candidate {
    struct str name;   /* normalised */
    struct str sha256; /* of one of its wheels, hexadecimal; one candidate for each wheel */
};

struct import_query {
    struct str module;         /* "yaml", "google.cloud.storage" */
    const struct store *store; /* NULL: none, 1 to 3 are left out */
    const struct import_candidate *candidate;
    size_t n;
};

struct import_answer {
    enum import_how how;
    struct str module;              /* what was found: the name asked for, or its beginning */
    const struct str *distribution; /* as the packages spell their names, without doubles; more than one: ambiguous */
    size_t n;                       /* 0 for IMPORT_PYTHON */
    struct str note;                /* IMPORT_PYTHON: what to do */
};

const char *import_how_word(enum import_how how); /* "metadata", "files", "seen", "table", "python", "guess" */

/* False with ERR_CONFIG when the text is no module's name. Damage in the store counts as not knowing. In the arena. */
MUST_USE bool import_find(const struct import_query *q, struct arena *a, struct import_answer *out, struct err *e);

/* Remembers what a new wheel has; `d` as it was committed, its files sorted. Best effort. */
void import_note(const struct store *store, const struct store_draft *d);
