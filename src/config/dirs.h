/* Where Blast keeps things.
 *
 *   cache   BLAST_CACHE_DIR, else BLAST_HOME/cache, else $XDG_CACHE_HOME/blast, else ~/.cache/blast
 *   store   BLAST_STORE_DIR, else BLAST_HOME/store, else $XDG_DATA_HOME/blast/store, else ~/.local/share/blast/store
 *   state   BLAST_STATE_DIR, else BLAST_HOME/state, else $XDG_STATE_HOME/blast/<machine>, else ~/.local/state/...
 *   config  BLAST_CONFIG_DIR, else BLAST_HOME/config, else $XDG_CONFIG_HOME/blast, else ~/.config/blast
 *
 * <machine> is the first 8 characters of the machine id, because home directories are shared between machines and
 * what state says (pids, inodes, interpreters) is true on one only. A relative XDG variable is ignored (XDG Base
 * Directory Specification); a relative BLAST_ variable is taken from the working directory. An empty variable is
 * as good as none. Nothing is created here. `[cache] cache_dir` is applied by dirs_use_cache().
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

struct dirs {
    const char *home; /* the user's home directory: $HOME, else the passwd entry */
    const char *cache, *store, *state, *config; /* absolute, no slash at the end */
    bool cache_by_variable; /* the cache was moved by BLAST_CACHE_DIR or BLAST_HOME */
};

/* `env` is an environment as environ is one; NULL means environ. ERR_CONFIG when no home directory is known and one
 * is needed. */
MUST_USE bool dirs_find(const char *const *env, struct arena *a, struct dirs *out, struct err *e);
/* The cache directory that blast.toml asks for, relative to the project; a variable wins over it. Empty: no change. */
void dirs_use_cache(struct dirs *d, struct str cache_dir, const char *project_dir, struct arena *a);

/* The value of a variable in such an environment, or NULL when it is missing or empty. */
MUST_USE const char *dirs_variable(const char *const *env, const char *name);
