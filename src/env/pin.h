/* Whether an environment stays as it is although the project's files ask for something else.
 *
 * After an undo or a rollback it must: a sync in the background would undo the undo. The state belongs to one
 * generation and ends by itself when another one becomes current; before that `blast resume`, or a command that
 * settles the environment with the project's files, ends it. Nothing is written by an undo: its manifest says what
 * it is, so that there is no moment at which a crash could lose the pin.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct env;
struct err;

/* Is the current generation pinned? *seq is its number either way. What cannot be read counts as not pinned. */
MUST_USE bool pin_get(struct env *env, uint32_t *seq);
/* Pins the current generation, whatever it is there by. */
MUST_USE bool pin_set(struct env *env, struct err *e);
/* Ends the pinned state; fine when there is none. */
MUST_USE bool pin_clear(struct env *env, struct err *e);
