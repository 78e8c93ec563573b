/* Child processes: started without a shell, output captured within a limit, ended after a time.
 *
 * The child gets its own stdin (/dev/null), the given working directory and environment, and no descriptor of
 * ours. Fails with ERR_IO when it cannot be started, runs out of time or says more than the limit; its exit
 * status is a result, not an error.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

struct buf;
struct err;

struct proc_spec {
    const char *const *argv; /* argv[0] is a path with a slash, or looked up in PATH */
    const char *const *env;  /* NULL: ours */
    const char *dir;         /* NULL: ours */
    unsigned timeout_ms;     /* 0: none */
    struct buf *out;         /* NULL: discarded */
    struct buf *err;         /* NULL: discarded; may be the same as out */
};

/* *status: the exit code, or 128 + signal. */
MUST_USE bool proc_run(const struct proc_spec *spec, int *status, struct err *e);
