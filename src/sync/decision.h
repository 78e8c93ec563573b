/* Decisions that only the user can take, parked until then: what happened, and choices that were solved and priced
 * when it did.
 *
 * One file each, decision-N.json, in the environment's state directory: it survives restarts and belongs to no
 * process. A decision is void, and is removed when it is met, as soon as one of the files that it was made from
 * (pyproject.toml, requirements.txt, pylock.toml, blast.toml, .python-version) has other bytes, or, where it is about
 * the environment itself, when another generation is current. At most one of a kind is kept: the newest.
 *
 * A choice holds the new texts of the files it changes, so taking it is an ordinary edit with an ordinary generation:
 * nothing is solved again that could end differently.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "sync/price.h"

struct arena;
struct err;
struct json_write;
struct workspace;

/* kind, word */
#define DECISION_KINDS(X)                                                                                              \
    X(CONFLICT, "conflict") /* the requirements exclude each other */                                                  \
    X(RELOCK, "relock")     /* the lock does not fit the inputs and may not be written unasked */                      \
    X(HAND, "hand")         /* packages installed by hand would go */                                                  \
    X(PYTHON, "python")     /* the files ask for another interpreter */                                                \
    X(UPDATE, "update")     /* newer versions are there */

enum decision_kind {
#define X(kind, word) DECISION_##kind,
    DECISION_KINDS(X)
#undef X
};

struct decision_choice {
    struct str label;     /* "update anyio 4.8.0 -> 4.9.0" */
    struct str where;     /* the line that it edits, "pyproject.toml:14"; n == 0: none */
    struct price price;
    struct str pyproject; /* the new text; p == NULL: stays */
    struct str lock;      /* likewise */
    bool later;           /* by [sync] conflict_resolution = newest: follows the later change */
    bool remake;          /* the environment is made anew for the interpreter that the files ask for */
};

struct decision {
    uint32_t id;
    enum decision_kind kind;
    int64_t created;
    struct str text; /* one line: what happened */
    struct str why;  /* many lines; may be empty */
    struct str state; /* of the inputs when it was made; set by decision_park() */
    struct decision_choice *choice;
    size_t n;
};

#define DECISION_CHOICES 8

const char *decision_word(enum decision_kind kind);

/* Stores it, with a number of its own, in place of an older one of the kind. ERR_ENVIRONMENT without an environment. */
MUST_USE bool decision_park(struct workspace *w, struct decision *d, struct err *e);
/* Those in force, by number, in the workspace's arena; void and damaged ones are removed. */
MUST_USE bool decision_list(struct workspace *w, struct decision **out, size_t *n, struct err *e);
MUST_USE bool decision_drop(struct workspace *w, uint32_t id, struct err *e);

/* One as JSON, without the texts of files: for `resolve --list --json` and for errors with exit code 4. */
void decision_write(const struct decision *d, struct json_write *w);
/* "httpx 0.28 ...: 2 choices -> blast resolve": the line for a prompt. */
MUST_USE struct str decision_notice(const struct decision *d, size_t others, struct arena *a);
