/* The top-level modules of Python's standard library, of all versions that Blast supports together: a name that only
 * some version has is taken for known, because saying nothing is better than proposing a stranger's package. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

MUST_USE bool stdlib_has(struct str module);
