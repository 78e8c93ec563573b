/* What `pip list`, `freeze`, `show` and `check` say of an environment, in the form that pip says it. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct cmd;
struct env;
struct err;
struct pip_words;
struct workspace;

MUST_USE bool pip_list(struct cmd *c, struct workspace *w, struct env *env, const struct pip_words *words,
                       struct err *e);
MUST_USE bool pip_freeze(struct cmd *c, struct env *env, const struct pip_words *words, struct err *e);
MUST_USE bool pip_show(struct cmd *c, struct workspace *w, struct env *env, const struct pip_words *words,
                       struct err *e);
MUST_USE bool pip_check(struct cmd *c, struct workspace *w, struct env *env, struct err *e);
