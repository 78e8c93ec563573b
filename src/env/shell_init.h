/* What a shell evaluates to work with Blast in place: the text of `blast shell-init` and the words that start and kill
 * send to it.
 *
 * The text is static and holds no value: nothing is looked up to make it. What is sent to a shell is one call of a
 * function of that text, each value quoted for that shell (env/activate.h).
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum shell_kind { SHELL_BASH, SHELL_ZSH, SHELL_SH, SHELL_FISH, SHELL_PWSH };

/* "bash", "zsh", "sh" (dash, ash and others too), "fish", "pwsh". False for another one. */
MUST_USE bool shell_find(struct str name, enum shell_kind *out);

/* With by_cd the shell also enters and leaves environments as the folder changes. */
bool shell_init_text(enum shell_kind shell, bool by_cd, struct buf *out);

struct shell_enter {
    struct str env;     /* absolute */
    struct str project; /* its directory; empty: none */
    struct str name;    /* what the prompt shows; control characters become '?' */
    bool stack;         /* on top of what is active */
    bool shims;         /* its programs run in the sandbox (install/shims.h) */
};
bool shell_enter_text(enum shell_kind shell, const struct shell_enter *s, struct buf *out);
bool shell_leave_text(enum shell_kind shell, struct buf *out);
