/* Text that a shell evaluates to enter or leave an environment; static but for the values, which are quoted.
 *
 * Values may hold any byte but NUL: spaces, quotes, newlines, `$`.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

enum activate_shell { ACTIVATE_POSIX, ACTIVATE_FISH, ACTIVATE_CSH, ACTIVATE_PWSH }; /* POSIX serves bash, zsh, dash */

/* One word of that shell that means exactly the bytes of s. csh cannot hold a newline in a word that `source`
 * reads portably: it gets one escaped. PowerShell holds text, so bytes that are not UTF-8 are lost there. */
bool activate_quote(enum activate_shell shell, struct str s, struct buf *out);

/* The file bin/activate, bin/activate.fish or bin/activate.csh; there is none for PowerShell. */
bool activate_script(enum activate_shell shell, struct str env, struct str prompt, struct buf *out);
