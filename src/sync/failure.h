/* A resolve without solution as data: the facts that exclude each other and the ways out that were tried and work.
 * What the error says as text, for --json and for decisions. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"
#include "resolve/explain.h"

struct json_write;

enum repair_kind {
    REPAIR_BOUND, /* the requirement with other bounds */
    REPAIR_EXTRA, /* the requirement without its extras */
    REPAIR_DROP   /* without the requirement */
};

struct repair {
    enum repair_kind kind;
    struct str requirement; /* as it stands in the user's file */
    struct str origin;      /* "pyproject.toml:14", "command line" */
    struct str replacement; /* what to write instead; n == 0: take it out */
    struct str package;     /* normalised */
    struct str version;     /* that would be taken; n == 0 when the package goes */
    struct str text;        /* "works without the bound in ...": one line */
};

struct failure {
    bool set; /* a resolve failed for want of a solution */
    struct explain explain;
    VEC(struct repair) repairs; /* in the order of the requirements to blame */
};

/* Members "facts" and "repairs" of an object that is open. */
void failure_write(const struct failure *f, struct json_write *w);
