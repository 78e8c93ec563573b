/* Getting into an environment from `blast start`: a subshell on a terminal, or text for the shell to evaluate. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct cmd;
struct err;
struct workspace;

/* Replaces this process by an interactive shell with the environment active. Returns only on failure. */
MUST_USE bool activate_subshell(struct cmd *c, const struct workspace *w, struct err *e);
/* What `shell` (bash, zsh, sh, fish, csh) has to evaluate; in the command's arena. ERR_CONFIG for another one. */
MUST_USE bool activate_text(struct cmd *c, const struct workspace *w, struct str shell, struct str *out,
                            struct err *e);
/* The process that called us is the shell that activate_subshell() became. */
MUST_USE bool activate_is_subshell(void);
/* The environment is active in this shell already. */
MUST_USE bool activate_is_active(const struct workspace *w);
