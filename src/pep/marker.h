/* Environment markers: parse, evaluate, combine, print (dependency specifiers, "Environment Markers"; PEP 508, PEP 685;
 * `extras` and `dependency_groups` of lock files, PEP 751).
 *
 * A marker is an immutable tree in the arena it was parsed in; it holds no views into the parsed text. NULL is the
 * marker that is always true. Versions named by a marker are parsed once, here, so that evaluating allocates nothing
 * and costs well under a microsecond.
 *
 * Meaning, equal to the reference implementation (`packaging` 26.3) but for one case:
 * - python_version, python_full_version, implementation_version and platform_release compare as PEP 440 specifiers
 *   when what is compared with is a version; everything else compares as text, where < and > are false, <= and >= mean
 *   "equal", and ~= and === are undefined.
 * - `in` and `not in` look for a part of the text. The one case: a Python version on the left is found only where it
 *   does not cut a number of the list in two, so 3.1 is not in "3.9 3.10" (it is, for the reference).
 * - One undefined comparison makes the whole marker undefined, whatever stands beside it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;
struct marker_env;
struct spec;

#define MARKER_DEPTH 64   /* parentheses within parentheses */
#define MARKER_TEXT 65536 /* bytes of one marker */

enum marker_kind { MARKER_ATOM, MARKER_AND, MARKER_OR };

enum marker_var {
    MARKER_NO_VAR, /* two texts are compared and the right one is not a variable's name either: undefined */
    MARKER_OS_NAME,
    MARKER_SYS_PLATFORM,
    MARKER_PLATFORM_MACHINE,
    MARKER_PLATFORM_PYTHON_IMPLEMENTATION,
    MARKER_PLATFORM_RELEASE,
    MARKER_PLATFORM_SYSTEM,
    MARKER_PLATFORM_VERSION,
    MARKER_PYTHON_VERSION,
    MARKER_PYTHON_FULL_VERSION,
    MARKER_IMPLEMENTATION_NAME,
    MARKER_IMPLEMENTATION_VERSION,
    MARKER_EXTRA,
    MARKER_EXTRAS,            /* PEP 751 */
    MARKER_DEPENDENCY_GROUPS, /* PEP 751 */
};

enum marker_op {
    MARKER_LT,
    MARKER_LE,
    MARKER_EQ,
    MARKER_NE,
    MARKER_GE,
    MARKER_GT,
    MARKER_COMPATIBLE, /* ~= */
    MARKER_ARBITRARY,  /* === */
    MARKER_IN,
    MARKER_NOT_IN,
};

struct marker {
    enum marker_kind kind;
    /* MARKER_AND, MARKER_OR */
    bool paren; /* printed in parentheses, because it was written so */
    unsigned n;
    const struct marker *const *part;
    /* MARKER_ATOM: `var op text`, or `text op var` when reversed */
    enum marker_var var;
    enum marker_op op;
    bool reversed;
    bool two_names;          /* `var op name`: the reference compares with the other variable's name, not its value */
    bool two_texts;          /* `text op "name"`: the reference looks the right text up as a variable */
    struct str text;         /* quotes removed, escapes resolved; names of extras and groups normalised */
    struct str name;         /* two_texts: the right one */
    const struct spec *spec; /* `op text` as a specifier; NULL when it compares as text */
};

enum marker_result { MARKER_FALSE, MARKER_TRUE, MARKER_UNDEFINED };
enum marker_context { MARKER_METADATA, MARKER_LOCK_FILE };

/* What a marker is asked about. All names are normalised (PEP 503). */
struct marker_scope {
    const struct marker_env *env;
    enum marker_context context;
    /* `extra`: several may be active at once: `extra == "a"` asks for membership, `extra != "a"` for its absence. None
     * at all: the empty text in metadata, undefined in a lock file. */
    const struct str *extra;
    size_t n_extra;
    /* `extras` and `dependency_groups`: sets in a lock file, undefined in metadata. */
    const struct str *extras;
    size_t n_extras;
    const struct str *groups;
    size_t n_groups;
};

/* Fails with ERR_PACKAGE, the column (from 1) and the text in the message. */
MUST_USE bool marker_parse(struct arena *a, struct str text, const struct marker **out, struct err *e);
/* The longest marker at the front of *rest, which is left behind it: for a caller whose text goes on. `whole` is the
 * text that columns are counted in and that messages quote; *rest is its tail. */
MUST_USE bool marker_parse_tail(struct arena *a, struct str whole, struct str *rest, const struct marker **out,
                                struct err *e);

MUST_USE enum marker_result marker_eval(const struct marker *m, const struct marker_scope *scope);
/* The usual question of a resolve: metadata context, undefined counts as false. */
MUST_USE bool marker_is_true(const struct marker *m, const struct marker_env *env, const struct str *extra,
                             size_t n_extra);

/* As the reference prints it: double quotes, one space, parentheses where they were written and mean something. */
bool marker_format(const struct marker *m, struct buf *out);
MUST_USE struct str marker_text(struct arena *a, const struct marker *m); /* empty for NULL */

/* Both, or either; NULL is true. Parts are shared, so both arguments must live as long as the result. */
MUST_USE const struct marker *marker_and(struct arena *a, const struct marker *x, const struct marker *y);
MUST_USE const struct marker *marker_or(struct arena *a, const struct marker *x, const struct marker *y);

/* Same tree, same texts; not logical equivalence. */
MUST_USE bool marker_eq(const struct marker *x, const struct marker *y);
MUST_USE bool marker_mentions(const struct marker *m, enum marker_var var);
/* Every comparison is one of `extra`: the environment has no say. False for NULL. */
MUST_USE bool marker_is_only_extra(const struct marker *m);
/* What the marker leaves once `extra` is decided: *out NULL when nothing is left (true); false is returned when it is
 * false in every environment. A marker without `extra` comes back as it is. */
MUST_USE bool marker_without_extra(struct arena *a, const struct marker *m, const struct str *extra, size_t n_extra,
                                   const struct marker **out);
