/* Applying a plan to a plain environment. Private to install/apply.c. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "install/apply.h"

/* r->plan is made; the rest of *r is filled. */
MUST_USE bool inplace_apply(struct env *env, const struct apply_spec *spec, struct arena *a, struct apply_result *r,
                            struct err *e);
/* Links the wanted packages into a new prefix. */
MUST_USE bool apply_link(struct env *env, const struct apply_spec *spec, int prefix, struct arena *a,
                         struct link_result *out, struct err *e);
