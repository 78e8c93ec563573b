/* An environment of Blast turned into a plain one that needs neither Blast nor its store.
 *
 * The new tree is made beside the old one: real bin/ and lib/ with files of their own, pyvenv.cfg without the key
 * `blast`, no generations. What was changed by hand in the environment comes along. Then the two names are exchanged
 * in one call, so a crash leaves the old environment or the new one; what remains beside it is swept up by the next
 * run. Programs keep their paths, so scripts and running processes go on.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"

struct env;
struct err;

struct eject_result {
    uint64_t bytes;
    uint32_t files, links; /* links that stay: to the interpreter, and the user's own */
};

/* Counts what would be copied and changes nothing. `store` is the directory of the store. */
MUST_USE bool eject_measure(struct env *env, const char *store, struct eject_result *out, struct err *e);
/* Removes what an interrupted run left beside a plain environment. */
MUST_USE bool eject_sweep(struct env *env, struct err *e);
/* The environment is locked by the caller, who closes it afterwards: its descriptors belong to the old tree. */
MUST_USE bool eject_run(struct env *env, const char *store, struct eject_result *out, struct err *e);
