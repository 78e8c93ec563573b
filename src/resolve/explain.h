/* Why there is no solution: the solver's proof turned into few plain sentences.
 *
 * The proof is a graph of derived statements whose leaves are facts: requirements, constraints, dependencies,
 * versions that cannot be used. Readers want the facts, not the steps, so the report names each fact once, those of
 * one kind about the same packages united, ranges instead of lists, the user's own requirements first and with the
 * place where they are written. The steps are kept in the long form.
 *
 *     no versions satisfy all requirements
 *       your project requires flask>=3 (pyproject.toml:7) and werkzeug<2 (pyproject.toml:8)
 *       flask >=3.0.0 depends on werkzeug>=3.0.0
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct solve;

#define EXPLAIN_LINES 8 /* of the short report, its headline included */

/* word in JSON */
#define EXPLAIN_CAUSES(X)                                                                                              \
    X(REQUIREMENT, "requirement") /* of the root: package is the root, on what it requires, origin where */            \
    X(CONSTRAINT, "constraint")   /* package is limited to on, origin where */                                         \
    X(DEPENDENCY, "dependency")   /* package in set depends on on */                                                   \
    X(UNUSABLE, "unusable")       /* package in set cannot be used: detail */                                          \
    X(NONE, "none")               /* nothing of package in set is to be chosen: detail */

enum explain_cause {
#define X(name, word) EXPLAIN_##name,
    EXPLAIN_CAUSES(X)
#undef X
};

struct explain_fact {
    enum explain_cause cause;
    struct str package; /* "flask" */
    struct str set;     /* ">=3.0.0,<3.1"; empty: every version */
    struct str on;      /* "werkzeug>=3.0.0": as written where all mean the same */
    struct str detail;  /* "needs Python >=3.9"; for a requirement nothing fits, what there is instead */
    struct str origin;  /* "pyproject.toml:8", or empty */
    uint32_t versions;  /* how many versions of package the fact is about */
    struct str text;    /* the whole fact as a sentence, no full stop */
};

struct explain {
    struct str headline;
    const struct explain_fact *fact; /* in the order of reading: what the user asked for, then outwards from it */
    size_t n;
};

const char *explain_word(enum explain_cause cause);

/* The facts behind SOLVE_FAILED, made in the arena; texts of the source are pointed to. Not for another state. */
MUST_USE struct explain explain_new(const struct solve *s, struct arena *a);

/* The short report: at most `lines` lines (EXPLAIN_LINES), no line end behind the last. When there are more facts
 * those in the middle give way to a line that counts them. */
MUST_USE struct str explain_text(const struct explain *x, size_t lines, struct arena *a);

/* The whole derivation, one numbered statement a line, each after those it follows from. */
MUST_USE struct str explain_full(const struct solve *s, struct arena *a);
