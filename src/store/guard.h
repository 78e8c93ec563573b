/* Who may use the store: installers share it, garbage collection has it alone.
 *
 * The lock is an open-file-description lock on <store>/.lock: it goes with the process that holds it. Order of
 * locks, to exclude deadlock: environment, then store.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;
struct store;

enum guard_kind { GUARD_SHARED, GUARD_ALONE };

/* Waits. *out is a descriptor; closing it gives the lock back. */
MUST_USE bool guard_take(const struct store *s, enum guard_kind kind, int *out, struct err *e);
/* *out is -1 when somebody else holds it in a way that excludes ours. */
MUST_USE bool guard_try(const struct store *s, enum guard_kind kind, int *out, struct err *e);
