/* From blast.toml to a policy: the presets of the levels, the project's own paths, and what cannot be meant.
 *
 * Reads the file system (which paths are there, which are links) but changes nothing. A path that would undo the
 * sandbox (the root directory, /run, /proc, /sys, /dev made visible) is ERR_CONFIG with the setting's name; so is one
 * that leads through a link which a program in the sandbox may have made, or could lead elsewhere before the next run.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/policy.h"

struct arena;
struct config;
struct err;

/* What the program needs to see, by its place in the project. Paths are absolute; NULL where there is none. */
struct jail_place {
    const char *project;     /* writable */
    const char *environment; /* read-only, or as [sandbox.filesystem] environment says */
    const char *store;       /* read-only */
    const char *home;        /* of the user; empty inside */
    const char *keep;        /* where changes of overlays may lie; NULL: in memory, whatever blast.toml says */
    const char *const *interpreter; /* prefixes of the interpreter, NULL at the end; read-only */
    const char *const *index_hosts; /* what "index" in allowed_domains stands for, NULL at the end; may be NULL */
};

/* *out lives in the arena. */
MUST_USE bool jail_compile(const struct config *c, const struct jail_place *at, struct arena *a,
                           struct jail_policy *out, struct err *e);

/* The policy under which a source distribution is built, whatever blast.toml says: namespace level, network isolated,
 * nothing of the home directory. `source` and `output` are writable directories, `interpreter` as in struct jail_place,
 * `requires` an environment with the build requirements (NULL: none), read-only. */
struct jail_build {
    const char *source, *output, *requires;
    const char *store, *home;
    const char *const *interpreter;
    struct jail_limits limits;
};
MUST_USE bool jail_compile_build(const struct jail_build *b, struct arena *a, struct jail_policy *out, struct err *e);

/* The same policy for the level process, where the host's names stay and only access to them is ruled. */
void jail_policy_as_process(const struct jail_policy *p, struct arena *a, struct jail_policy *out);
/* The policy with further host paths, each list NULL at the end or NULL; they must be there and normal. */
MUST_USE bool jail_policy_with(const struct jail_policy *p, const char *const *ro, const char *const *rw,
                               struct arena *a, struct jail_policy *out, struct err *e);

/* Does blast.toml ask for any sandbox? Without one `blast run` is a plain exec. */
MUST_USE bool jail_is_wanted(const struct config *c);
