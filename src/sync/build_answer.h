/* What a build backend answered: the file that sync/build/hook.py leaves, which anything inside the sandbox can write.
 *
 *     {"value": "demo-1.0-py3-none-any.whl"} | {"value": ["wheel"]} | {"missing": true}
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "sync/request.h"

struct arena;
struct err;

/* A name in the value that could lead anywhere but to a file of its directory is refused. ERR_PACKAGE. *missing: the
 * backend has no such hook. */
MUST_USE bool build_answer_name(struct str text, struct arena *a, struct str *name, bool *missing, struct err *e);
/* The requirements in it; none when the backend has no such hook. */
MUST_USE bool build_answer_list(struct str text, struct arena *a, struct str_list *out, struct err *e);
