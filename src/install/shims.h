/* The programs of a project's environment as a shell in which it is active finds them: in the sandbox.
 *
 *     shims -> .current/shims     what activation puts into PATH in the place of bin/
 *     .gen/N/shims/NAME           for each program of the tree's bin/: a link to the one below
 *     .shim                       a text for /bin/sh that runs `blast shim`, by the path of the program that made it
 *
 * A text and not a link to the program blast: where a link leads nowhere a shell takes the next program of that name in
 * PATH, outside of any sandbox. The text says what is missing and ends. Environments that are not a project's
 * (`env->boot` is empty) get none. In no RECORD and no distribution, nor in what `blast eject` leaves.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct env;
struct err;

#define SHIMS_FOLDER "shims"
#define SHIMS_PROGRAM ".shim"

/* Names of an environment's root and of a tree that are these. */
MUST_USE bool shims_is_name(const char *name);

/* Puts them into a tree whose programs are there already; what is there stays. Nothing when env->boot is empty. */
MUST_USE bool shims_add(struct env *env, int tree, struct err *e);

/* The same for the tree of a generation that becomes current again, after whoever changed it since. */
MUST_USE bool shims_complete(struct env *env, uint32_t tree, struct err *e);

/* Before a shell is sent to them: the ones of the current tree, made by whatever Blast, lead to the running program.
 * *there is false for an environment that keeps no generations. */
MUST_USE bool shims_settle(const char *env_path, bool *there, struct err *e);
