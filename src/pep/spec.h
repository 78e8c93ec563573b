/* Version specifier sets such as ">=1.2,!=1.4.*,<2" ("Version specifiers" specification, PEP 440).
 *
 * The meaning is that of the `packaging` library, case by case. Every clause but "===" is one interval of the version
 * order or, for "!=", what lies outside of one; the interval's ends are made when the set is parsed, so that testing a
 * version is one or two comparisons and finding the matches in a sorted list is two binary searches a clause.
 * "===" compares text without regard to case. Texts are views into the input, the rest lives in the arena.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "pep/version.h"

struct arena;
struct err;

enum spec_op { SPEC_EQ, SPEC_NE, SPEC_LE, SPEC_GE, SPEC_LT, SPEC_GT, SPEC_COMPATIBLE, SPEC_SAME };

struct spec_clause {
    enum spec_op op;
    bool wildcard;                /* "== 1.2.*", "!= 1.2.*" */
    bool has_lo, has_hi;          /* bounded below, above */
    bool hi_closed;               /* hi itself is inside: "==1.0+local" */
    struct str text;              /* the version as written, stripped, ".*" kept */
    struct version v;             /* of the text without ".*"; not set for SPEC_SAME */
    struct version lo, hi;        /* lo <= inside < hi; SPEC_NE: the interval that is left out */
};

struct spec {
    const struct spec_clause *clause;
    uint32_t n;      /* 0: every version */
    bool has_same;   /* a "===" is among them */
    bool names_pre;  /* a clause other than "!=" or "== X.*" has a pre-release version */
};

/* What becomes of pre-releases. DEFAULT is packaging's prereleases=None: a filter gives them if the set names one or if
 * nothing else matches; a single version is then never refused for being one. */
enum spec_pre { SPEC_PRE_DEFAULT, SPEC_PRE_ALLOW, SPEC_PRE_DENY };

/* Clauses with commas between; empty ones are skipped, an empty text is the set of all versions. ERR_PACKAGE names the
 * clause that is wrong. */
MUST_USE bool spec_parse(struct str text, struct arena *a, struct spec *out, struct err *e);
/* For metadata of published packages: when the strict parse fails the known mistakes (missing comma, ">=1.9.*",
 * "!=~5.0", "!=3.0*", stray quotes, ">dev", ...) are mended one kind at a time, each tried before the next. *repaired
 * says that something was, and out's texts are then views into a copy in the arena. The error is that of the strict
 * parse. */
MUST_USE bool spec_parse_lenient(struct str text, struct arena *a, struct spec *out, bool *repaired, struct err *e);

MUST_USE const char *spec_op_text(enum spec_op op); /* ">=" */
/* "!=1.2.*,>=1.0" in the order written, texts as written; NUL behind it. */
MUST_USE struct str spec_format(const struct spec *s, struct arena *a);

MUST_USE bool spec_contains(const struct spec *s, const struct version *v, enum spec_pre pre);
/* Whether a text that is no version at all matches: only "===" clauses can. */
MUST_USE bool spec_contains_text(const struct spec *s, struct str text);
/* The indices of the versions that pass, in the given order, written to `out` (room for n); returns how many. */
size_t spec_filter(const struct spec *s, const struct version *v, size_t n, enum spec_pre pre, uint32_t *out);

struct spec_range {
    uint32_t lo, hi; /* indices lo <= i < hi */
};

/* Which of n known versions, sorted ascending, match when pre-releases are allowed: disjoint, ascending, non-adjacent
 * ranges in the arena; returns how many. By binary search, except for "===", which looks at each. */
size_t spec_ranks(const struct spec *s, const struct version *v, size_t n, struct arena *a, struct spec_range **out);

/* Has the set a pre-release of its own ("names_pre")? */
MUST_USE static inline bool spec_mentions_prerelease(const struct spec *s)
{
    return s->names_pre;
}

/* Requires-Python: is this interpreter version accepted? Its pre-release, post, dev and local parts are put aside
 * first (3.13.0b1 satisfies >=3.13). With `ignore_upper` the clauses <, <=, and the upper ends of == ~= do not count:
 * for choosing versions, so that a capped new release does not push to an uncapped old one. */
MUST_USE bool spec_accepts_python(const struct spec *s, const struct version *python, bool ignore_upper);
