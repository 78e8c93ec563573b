/* Getting into an environment from `blast start`, and out of it from `blast kill`: by words to the shell that called us
 * (cli/directive.h), by a shell of its own on a terminal, or by text for a shell to evaluate.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct cmd;
struct err;
struct workspace;

/* What a shell or an editor will find in the environment, whoever made it, leads to this program. */
MUST_USE bool activate_settle(const struct workspace *w, struct err *e);
/* The shell that called us enters or leaves. Only where directive_is_heard(). */
MUST_USE bool activate_here(struct cmd *c, const struct workspace *w, struct err *e);
MUST_USE bool activate_leave_here(struct err *e);
/* Replaces this process by an interactive shell with the environment active. Returns only on failure. */
MUST_USE bool activate_subshell(struct cmd *c, const struct workspace *w, struct err *e);
/* Runs an interactive shell in the sandbox and leaves its exit code in c->exit_code. */
MUST_USE bool activate_inside(struct cmd *c, struct workspace *w, struct err *e);
/* What `shell` (bash, zsh, sh, fish, csh) has to evaluate; in the command's arena. The environment is there. ERR_CONFIG
 * for another one, which the first of the two says beforehand. */
MUST_USE bool activate_has_text(struct str shell, struct err *e);
MUST_USE bool activate_text(struct cmd *c, const struct workspace *w, struct str shell, struct str *out,
                            struct err *e);
/* The process that called us is the shell that activate_subshell() became. */
MUST_USE bool activate_is_subshell(void);
/* The environment is active in this shell already. */
MUST_USE bool activate_is_active(const struct workspace *w);
/* Environment and project that a shell entered in place, as it tells its children; p == NULL: none. */
struct activate_told {
    struct str env, project;
};
struct activate_told activate_told(void);
