/* EnvironmentLayer: the environment of a workspace, found, made, changed by one generation at a time.
 *
 * EnvironmentState is env/ (the generation that is current and its manifest). Container and ResourceManager are jail/
 * (policy, launcher, cgroup); env_layer_unenforced() says what stays outside of it.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "env/env.h"
#include "install/apply.h"
#include "sync/request.h"

struct err;
struct pkg_wheels;
struct inputs;
struct store;
struct workspace;

/* Opens the environment; makes it for the workspace's interpreter when there is none, or makes it anew when it is for
 * another interpreter or its own is gone. *made says so. A foreign environment (--env) is never made or replaced:
 * ERR_ENVIRONMENT. The environment comes locked. */
MUST_USE bool env_layer_open(struct workspace *w, struct env *env, bool *made, struct err *e);
/* Would env_layer_open() replace the environment that is there? The interpreter is known. */
MUST_USE bool env_layer_replaces(struct workspace *w);
/* Opens what is there for reading, without a lock. ERR_ENVIRONMENT with a hint when there is none. */
MUST_USE bool env_layer_read(struct workspace *w, struct env *env, struct err *e);

/* An empty environment at a path; `force` replaces one that is there. */
MUST_USE bool env_layer_make(struct workspace *w, const char *path, bool force, struct env *out, struct err *e);

struct env_change {
    const struct pkg_wheels *wheels;
    const struct inputs *inputs;
    const struct generation_input *input; /* the lock it is made from, for the manifest; NULL: none */
    struct str command;   /* for the history: "install flask" */
    bool keep_others;     /* what is installed besides stays */
    bool dry_run;
    bool (*trial)(void *ctx, struct env *env, const char *tree, struct err *e); /* see struct apply_spec */
    void *trial_ctx;
    uint32_t *aside;
};

MUST_USE bool env_layer_apply(struct workspace *w, struct env *env, const struct store *store,
                              const struct env_change *change, struct apply_result *out, struct err *e);

/* Takes packages out, by name as installed; everything else stays. */
MUST_USE bool env_layer_remove(struct workspace *w, struct env *env, struct str_list names, struct str command,
                               struct apply_result *out, struct err *e);

/* What is inside of the sandbox, in one line; n == 0: none is asked for. */
MUST_USE struct str env_layer_enforced(const struct workspace *w);
/* What stays outside of it, in one line; n == 0: nothing is asked for. What of the settings this
 * machine cannot enforce is another matter: `blast sandbox check` tries. */
MUST_USE struct str env_layer_unenforced(const struct workspace *w);
