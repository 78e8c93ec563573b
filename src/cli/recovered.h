/* What sandboxes held apart when they were killed, where [sandbox.filesystem] recovery = "keep" asks for that:
 *
 *     <state>/cells/...upper                  while a sandbox is there (jail/uppers.h), and after its death
 *     <state>/recovered/MARK-TIME[-N]/        moved there by the next start, or by `blast sandbox recovered`
 *         about.json                          since when, when it was found, over which directories
 *         0/upper, 1/upper                    the changes of these, as an overlay keeps them: a device 0:0 is a removal
 *
 * MARK is the project's. Nothing is applied by itself, nothing there is overwritten, and only the user removes it.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct cmd;
struct err;
struct workspace;

/* In `dir`, the locked <state>/cells, the next that begins with `name`, that nobody uses and that has something to
 * keep: moved away, which the user is told. Its new path, in the arena; n == 0: none is left. Those with nothing to
 * keep are removed on the way. `wait_ms`: for how long somebody may still be dying. */
MUST_USE struct str recovered_take(const struct workspace *w, int dir, const char *name, unsigned wait_ms,
                                   struct arena *a);

/* blast sandbox recovered [--drop [NAME]]; `name` NULL: all of the project. */
MUST_USE bool recovered_show(struct cmd *c, struct workspace *w);
MUST_USE bool recovered_drop(struct cmd *c, struct workspace *w, const char *name, struct err *e);
