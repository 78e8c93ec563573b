/* `blast debug resolve FILE`: a resolver scenario as text; prints the pins or the explanation. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct buf;
struct err;

/* Runs the scenarios of the text one after another (resolve/scenario.h) and adds what each gives to `out`; with more
 * than one, each begins with its name. Fails with ERR_PACKAGE, the line named, when the text cannot be read; with
 * ERR_RESOLUTION when an outcome is not the @EXPECT of its scenario. */
MUST_USE bool debug_resolve(struct str scenario_text, struct buf *out, struct err *e);
