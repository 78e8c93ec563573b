/* blast.toml: what may be set is in config/keys.def; here is what is set, and by whom.
 *
 * Layers, each over the one before: built-in defaults, the user's config.toml, [tool.blast] of pyproject.toml (the keys
 * of [resolver]), the project's blast.toml, variables BLAST_<SECTION>_<KEY>. Options of the command line come on
 * top and are the command's business. Every value remembers its origin.
 *
 * An unknown section or key is a warning with the nearest known name, collected for the caller; a wrong type or
 * value is ERR_CONFIG with file, line, column, what was found and what is wanted. A blast.toml without one of the
 * required sections is ERR_CONFIG that shows the lines to add.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

#define CONFIG_FILE_MAX (1u << 20)

struct config_list {
    const struct str *item;
    size_t n;
};

struct config_ports {
    const uint16_t *port;
    size_t n;
};

/* The words of WORD keys, in the order of keys.def. */
enum config_isolation { CONFIG_ISOLATION_PROCESS, CONFIG_ISOLATION_NAMESPACE, CONFIG_ISOLATION_CONTAINER };
enum config_network { CONFIG_NETWORK_ISOLATED, CONFIG_NETWORK_ALLOWLIST, CONFIG_NETWORK_HOST, CONFIG_NETWORK_NONE };
enum config_inside { CONFIG_INSIDE_READONLY, CONFIG_INSIDE_OVERLAY, CONFIG_INSIDE_WRITABLE };
enum config_killed { CONFIG_KILLED_DISCARD, CONFIG_KILLED_KEEP }; /* [sandbox.filesystem] recovery */
enum config_hook { CONFIG_HOOK_OFF, CONFIG_HOOK_SUGGEST, CONFIG_HOOK_ASK, CONFIG_HOOK_DECLARED, CONFIG_HOOK_AUTO };
enum config_pip { CONFIG_PIP_INTERCEPT, CONFIG_PIP_REAL, CONFIG_PIP_BLOCK };
enum config_tracking { CONFIG_TRACKING_PACKAGE, CONFIG_TRACKING_SYSCALL, CONFIG_TRACKING_FANOTIFY };
enum config_policy { CONFIG_POLICY_STRICT, CONFIG_POLICY_STANDARD, CONFIG_POLICY_PERMISSIVE };
enum config_startup { CONFIG_STARTUP_ALLOW, CONFIG_STARTUP_ASK, CONFIG_STARTUP_ALLOW_KNOWN, CONFIG_STARTUP_DENY };
enum config_env_layer { CONFIG_ENV_STRICT, CONFIG_ENV_RELAXED, CONFIG_ENV_MANUAL };
enum config_pkg_layer { CONFIG_PKG_AUTOMATIC, CONFIG_PKG_MANUAL, CONFIG_PKG_LOCKED };
enum config_conflict {
    CONFIG_CONFLICT_INTERACTIVE,
    CONFIG_CONFLICT_FAIL,
    CONFIG_CONFLICT_KEEP,
    CONFIG_CONFLICT_NEWEST
};
enum config_recovery { CONFIG_RECOVERY_LATEST, CONFIG_RECOVERY_PREVIOUS, CONFIG_RECOVERY_MANUAL };
enum config_versions { CONFIG_VERSIONS_LATEST, CONFIG_VERSIONS_MINOR, CONFIG_VERSIONS_PATCH, CONFIG_VERSIONS_LOCKED };
enum config_prerelease { CONFIG_PRERELEASE_IF_NECESSARY, CONFIG_PRERELEASE_ALLOW, CONFIG_PRERELEASE_DISALLOW };
enum config_resolution { CONFIG_RESOLUTION_HIGHEST, CONFIG_RESOLUTION_LOWEST, CONFIG_RESOLUTION_LOWEST_DIRECT };

enum config_key {
#define SECTION(id, name, required, sentence)
#define KEY(section, name, type, preset, min, max, unit, sentence) CONFIG_KEY_##section##_##name,
#include "config/keys.def"
#undef KEY
#undef SECTION
    CONFIG_KEYS
};

enum config_layer { CONFIG_DEFAULT, CONFIG_USER, CONFIG_PYPROJECT, CONFIG_PROJECT, CONFIG_VARIABLE };

struct config_origin {
    enum config_layer layer;
    struct str text; /* "default", "blast.toml:12" or the variable's name */
};

#define CONFIG_BOOL bool
#define CONFIG_INT int64_t
#define CONFIG_FLOAT double
#define CONFIG_TEXT struct str
#define CONFIG_WORD int
#define CONFIG_LIST struct config_list
#define CONFIG_PORTS struct config_ports
#define CONFIG_SIZE int64_t
#define CONFIG_DURATION int64_t
#define CONFIG_MOMENT struct str

struct config {
#define SECTION(id, name, required, sentence)
#define KEY(section, name, type, preset, min, max, unit, sentence) CONFIG_##type section##_##name;
#include "config/keys.def"
#undef KEY
#undef SECTION
    struct config_origin origin[CONFIG_KEYS];
    bool found;                  /* the project has a blast.toml */
    struct config_list warnings; /* "blast.toml:7: unknown key 'x' in [env]; did you mean 'y'?" */
};

/* What the layers are read from; a text with p == NULL is not there. Names are for messages and origins. */
struct config_input {
    struct str user, pyproject, project;
    const char *user_name, *pyproject_name, *project_name;
    const char *const *env; /* as environ is one; NULL: environ */
};

/* Everything in *out lives in the arena. */
MUST_USE bool config_read(const struct config_input *in, struct arena *a, struct config *out, struct err *e);
/* config_read() on dir/blast.toml, dir/pyproject.toml, the user's config.toml under `config_dir` (NULL: none) and
 * environ. Missing files are fine. */
MUST_USE bool config_load(int dir, const char *config_dir, struct arena *a, struct config *out, struct err *e);

/* One value as it is listed. */
struct config_item {
    enum config_key key;
    const char *section, *name; /* "sandbox.network", "allow_outbound" */
    struct str value;           /* as TOML writes it; in the arena */
    struct config_origin origin;
    const char *unit;  /* "seconds"; for words "a|b|c"; "" when there is none */
    const char *sentence;
    const char *variable; /* BLAST_SANDBOX_NETWORK_ALLOW_OUTBOUND; in the arena */
};

/* Every key in the order of keys.def: start with *i = 0; false past the last. */
MUST_USE bool config_each(const struct config *c, unsigned *i, struct arena *a, struct config_item *out);
/* "section.key" to its number; ERR_CONFIG with the nearest one when there is none. */
MUST_USE bool config_find_key(struct str dotted, enum config_key *out, struct err *e);

/* What a new blast.toml begins with; empty texts are left out or given by default. */
struct config_start {
    struct str name, version, python_version;
};

/* The text that `blast init` and `blast start` write: every required section with comments, optional ones as
 * comments. */
void config_default_text(const struct config_start *s, struct buf *out);
/* Writes it as dir/blast.toml; ERR_CONFIG when there is one already. */
MUST_USE bool config_write_default(int dir, const struct config_start *s, struct err *e);
