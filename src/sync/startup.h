/* The gate for code that runs at every start of Python, before any program: `.pth` lines that begin with import,
 * `.start` files (PEP 829), sitecustomize and usercustomize, and packages named like modules of the standard library.
 *
 * A wheel that is new to the environment and brings such code stops at staging, before any interpreter runs it, unless
 * it is well known (a list by content: setuptools' distutils, pytest-cov, namespace packages, editable installs), was
 * allowed in this project before with just this content, or is allowed now: by --allow-startup NAME or by the answer
 * to a question. `[security] startup_code`: ask, allow-known (unknown code is refused without asking), deny (also what
 * is known), allow. Whether a wheel brings such code was found when it was unpacked, so wheels without it cost
 * a look at their flags and at the names of their top-level folders.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct env;
struct err;
struct pkg_wheels;
struct store;
struct store_entry;
struct workspace;

enum startup_kind { STARTUP_PTH, STARTUP_START, STARTUP_CUSTOMIZE, STARTUP_SHADOW };

struct startup_finding {
    enum startup_kind kind;
    struct str path; /* below the entry */
    struct str line; /* of a .pth: the first one that is not known, at most STARTUP_SHOWN bytes */
    bool known;
};

#define STARTUP_SHOWN 160

struct startup_findings {
    struct startup_finding *p;
    size_t n;
    bool known;        /* all of them */
    struct str digest; /* of name and content: what a consent is for */
};

/* What an entry of the store brings. n == 0: nothing. In the arena. */
MUST_USE bool startup_scan(const struct store *s, const struct store_entry *entry, struct arena *a,
                           struct startup_findings *out, struct err *e);
/* Is this line of a .pth file well known, coming from that project? */
MUST_USE bool startup_line_is_known(struct str project, struct str line);

/* The gate: every wheel that the environment does not have yet. ERR_PACKAGE with exit code 5 names what is refused and
 * why; consents are recorded (trust, audit). */
MUST_USE bool startup_gate(struct workspace *w, struct env *env, const struct store *s, const struct pkg_wheels *wheels,
                           struct err *e);
