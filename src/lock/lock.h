/* pylock.toml: what exactly to install (pylock.toml specification, PEP 751).
 *
 * The reader is strict about what the standard requires: a missing `packages` is an error and never means "nothing",
 * a lock-version of another major is refused, names are normalised, every file has a hash of the right form, and a
 * package has one kind of source. Tables of other tools and keys nobody knows are passed over. The writer is
 * deterministic: packages by name, files by name, one line a file, so that a change of one package is a change of few
 * lines in version control.
 *
 * Everything lives in the arena or is a view of the text that was parsed, which must live as long.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "pep/spec.h"

struct arena;
struct buf;
struct err;
struct marker;
struct marker_env;
struct tag_set;

#define LOCK_MAX (32 << 20) /* bytes of one lock */
#define LOCK_NO_SIZE UINT64_MAX

struct lock_hash {
    struct str alg, hex; /* "sha256", lower case */
};

/* sdist, wheel, archive */
struct lock_file {
    struct str name;        /* file name; from path or url when the table has none */
    struct str url, path;   /* at least one has n > 0 */
    uint64_t size;          /* LOCK_NO_SIZE when not given */
    struct str upload_time; /* RFC 3339 with an offset; n == 0 when not given; the writer drops any other form */
    const struct lock_hash *hash;
    size_t n_hash;
    struct str subdirectory; /* of an archive */
};

struct lock_directory {
    struct str path;
    bool editable;
    struct str subdirectory;
};

struct lock_vcs {
    struct str type, url, path, requested_revision, commit_id, subdirectory;
};

/* Another package of the lock. */
struct lock_dep {
    struct str name;
    struct str version; /* n == 0 when the name is enough */
};

struct lock_package {
    struct str name;                /* normalised */
    struct str version;             /* as written; n == 0 when it is not fixed (directories) */
    const struct marker *marker;    /* NULL: always */
    struct str requires_python;     /* n == 0 for none */
    struct str index;               /* n == 0 for none */
    const struct lock_dep *dep;
    size_t n_dep;
    const struct lock_file *sdist;  /* NULL for none */
    const struct lock_file *wheel;
    size_t n_wheel;
    const struct lock_file *archive;        /* these three: at most one, and then neither sdist nor wheels */
    const struct lock_directory *directory;
    const struct lock_vcs *vcs;
};

struct lock_option {
    struct str key, value;
};

/* [tool.blast]: what the lock was made from, so that "nothing to do" is known without a resolve. */
struct lock_origin {
    struct str inputs;            /* digest of all that was asked for; n == 0: Blast did not write the lock */
    const struct str *index;      /* URLs of the indexes in order; the writer removes credentials */
    size_t n_index;
    struct str exclude_newer;     /* RFC 3339; n == 0 for none */
    const struct lock_option *option; /* resolution, prerelease, ...: sorted by key when written */
    size_t n_option;
};

struct lock {
    struct str lock_version; /* "1.0" */
    struct str created_by;
    struct str requires_python; /* n == 0 for none */
    const struct marker *const *environment;
    size_t n_environment;
    const struct str *extra, *group, *default_group; /* extras, dependency-groups, default-groups */
    size_t n_extra, n_group, n_default_group;
    const struct lock_package *package;
    size_t n_package;
    struct lock_origin origin;
};

/* Fails with ERR_CONFIG, naming the package or key that is wrong. */
MUST_USE bool lock_parse(struct arena *a, struct str text, struct lock *out, struct err *e);
/* The whole text. False when the buffer's limit was reached. lock_version "" is written as "1.0". */
bool lock_format(const struct lock *l, struct buf *out);

/* The [tool.blast] table alone, from the head of a text that lock_format() wrote: reads a few lines and not the
 * packages. False when the text has another layout (parse it then). */
MUST_USE bool lock_peek(struct arena *a, struct str text, struct lock_origin *out);

struct lock_scope {
    const struct marker_env *env;
    const struct str *extras; /* normalised */
    size_t n_extras;
    const struct str *groups; /* normalised */
    size_t n_groups;
    bool default_groups;      /* the lock's default groups too */
};

struct lock_selection {
    const struct lock_package *const *package; /* in the lock's order */
    size_t n;
};

/* What this environment needs: at most one package a name. ERR_RESOLUTION when the lock is not for this interpreter or
 * environment, when a name is ambiguous, when a package does not take the interpreter; ERR_CONFIG for an extra or a
 * group the lock does not have. */
MUST_USE bool lock_select(struct arena *a, const struct lock *l, const struct lock_scope *scope,
                          struct lock_selection *out, struct err *e);

/* The file of a package with sdist or wheels that fits best: tag priority, then build tag, then the sdist. ERR_PACKAGE
 * when nothing fits, with what the nearest wheel lacks. */
MUST_USE bool lock_choose_file(const struct lock_package *p, const struct tag_set *tags, const struct lock_file **out,
                               struct err *e);

/* A lock that came from elsewhere may not name files of this machine. Fails with ERR_CONFIG. */
MUST_USE bool lock_check_remote(const struct lock *l, struct err *e);

/* pylock.toml or pylock.<name>.toml, no dot in <name>; the last component of a path counts. */
MUST_USE bool lock_path_is_valid(struct str path);

MUST_USE const struct lock_package *lock_find(const struct lock *l, struct str name); /* the first, NULL: none */
/* The digest of that algorithm, or an empty text. */
MUST_USE struct str lock_file_hash(const struct lock_file *f, struct str alg);
