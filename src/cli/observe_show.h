/* What cli/observe.h found, shown and applied. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "sync/learn.h"

struct arena;
struct cmd;
struct err;
struct jail_policy;
struct asked;
struct workspace;

MUST_USE struct learn_place observe_place(const struct workspace *w, struct arena *a);

void observe_show_accesses(struct cmd *c, const struct asked *asked);
/* Behind a run: on standard error, since standard output is the command's. */
MUST_USE bool observe_show_learned(struct cmd *c, const struct workspace *w, const struct jail_policy *p,
                                   const struct asked *asked, struct err *e);
/* As the result of a command; with --apply the change is made and *made says so. */
MUST_USE bool observe_print_learned(struct cmd *c, struct workspace *w, const struct jail_policy *p,
                                    const struct asked *asked, bool *made, struct err *e);
