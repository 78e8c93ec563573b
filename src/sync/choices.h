/* The choices of a decision: each is tried, as a run that stops when the lock is known, and priced against what is
 * installed. What does not work is not offered. Nothing is written. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct decision;
struct err;
struct failure;
struct sync_outcome;
struct workspace;

/* Requirements that exclude each other: the repairs that work, as edits of pyproject.toml. `base` is its text as the
 * failed resolve saw it, `e` the failure. out->n == 0 when there is no way out. */
void choices_conflict(struct workspace *w, struct str base, const struct failure *f, const struct err *e,
                      struct decision *out);
/* A lock that has to be made anew: keeping what fits, or with the newest of all. */
void choices_relock(struct workspace *w, const struct sync_outcome *held, struct decision *out);
/* Newer versions: the lock that has them. */
void choices_update(struct workspace *w, const struct sync_outcome *held, struct decision *out);
/* Packages installed by hand that would go: into pyproject.toml with them, or out. */
void choices_hand(struct workspace *w, const struct sync_outcome *held, struct decision *out);
/* Another interpreter than env_layer = manual keeps. */
void choices_python(struct workspace *w, struct decision *out);
