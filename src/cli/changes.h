/* What differs between two sets of packages, as text and as JSON. */
#pragma once

#include "base/arena.h"
#include "codec/json_write.h"
#include "env/generation.h"
#include "install/plan.h"

/* From `before` (NULL: nothing) to `after`; views of both, in the arena. */
void changes_of(const struct generation *before, const struct generation *after, struct arena *a, struct plan *out);
/* The packages of a listing, to compare with changes_of(). */
MUST_USE struct generation changes_installed(const struct env_packages *list, struct arena *a);
/* "+flask 3.1.3 ~httpx 0.27 -> 0.28 -x 1"; empty when nothing differs. */
MUST_USE struct str changes_line(const struct plan *p, struct arena *a);
/* " + flask 3.1.3", a line each, on stdout; `indent` blanks before. */
void changes_print(const struct plan *p, unsigned indent);
/* The member "changes": an array of {action, name, from, to}. */
void changes_json(struct json_write *w, const struct plan *p);
