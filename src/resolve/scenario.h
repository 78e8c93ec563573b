/* Resolver scenarios: a small universe of packages, what is wanted, and what must come out, as text.
 *
 *     # a comment
 *     @NAME an extra brings its requirement
 *     @UNIVERSE
 *     flask 3.0 : werkzeug >=3; click if python_version >= "3.8"; [async] asgiref >=3.2
 *     flask 2.0 yanked "broken wheel" : werkzeug
 *     werkzeug 3.0 python >=3.8
 *     werkzeug 2.0 unusable "has no wheel for this platform"
 *     click 8.1
 *     asgiref 3.7
 *     @WANT
 *     flask[async] >=2 from pyproject.toml:7
 *     @PYTHON 3.12.1
 *     @OPTIONS
 *     prerelease if-necessary | allow | disallow
 *     resolution highest | lowest | lowest-direct
 *     constraint werkzeug <4 from constraints.txt:1
 *     prefer werkzeug 3.0
 *     @EXPECT
 *     asgiref 3.7
 *     click 8.1
 *     flask 3.0
 *     werkzeug 3.0
 *     @STEPS 5
 *
 * @EXPECT holds the pins sorted by name ("(nothing)" when there are none), or the short report exactly as printed;
 * `(full)` behind the word asks for the whole derivation instead. @STEPS bounds the versions tried, the root counted. A
 * second @NAME starts the next scenario of the text.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

struct scenario_result {
    struct str name;
    struct str output; /* pins or report, a line end behind every line */
    struct str expect; /* as written, blank lines at the ends dropped, a line end behind every line; n == 0: none */
    bool solved;
    uint32_t steps;    /* versions tried */
    uint32_t max_steps; /* UINT32_MAX when the scenario says nothing */
    uint32_t waits;    /* times the solver had to wait */
};

/* Takes the next scenario off the front of *rest, *line the number of its first line (set it to 1 before the first
 * call); false at the end. */
bool scenario_next(struct str *rest, struct str *one, unsigned *line);

/* Runs one scenario. wait_every: 0, or about every n-th answer of the universe is put off. ERR_PACKAGE names the line
 * that cannot be read, counted from `line`. */
MUST_USE bool scenario_run(struct str one, unsigned line, uint32_t wait_every, struct arena *a,
                           struct scenario_result *out, struct err *e);
