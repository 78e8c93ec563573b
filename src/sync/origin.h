/* Where a package comes from that no index lists and that is no wheel: a directory, an archive of its source, a
 * repository. All of them are built (sync/build.h).
 *
 *     name @ file:///home/me/lib                       a directory
 *     name @ https://host/lib-1.0.tar.gz#sha256=...    a source distribution; #subdirectory=DIR for one inside
 *     name @ git+https://host/lib.git@v1#subdirectory=DIR
 *
 * What is found out about one stays in the workspace, so that a run that resolves twice looks once. Texts live in the
 * workspace's arena.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "lock/lock.h"

struct direct_url;
struct err;
struct pkg_job;
struct pkg_wheel;
struct workspace;

enum origin_kind { ORIGIN_TREE, ORIGIN_ARCHIVE, ORIGIN_GIT };

struct origin {
    enum origin_kind kind;
    struct str url;           /* of the requirement, with the subdirectory and nothing else behind '#' */
    struct str asked;         /* the requirement's URL as it was given */
    struct str subdirectory;  /* n == 0: the top */
    bool editable;            /* of a tree: installed by reference to it (PEP 660) */
    bool own;                 /* the project itself */
    const char *tree;         /* the directory, or the checkout of a repository; NULL for an archive */
    struct lock_file archive; /* with its sha256 */
    struct lock_vcs git;      /* with the commit */
    struct str key;           /* for struct build_source */
    struct str name, version; /* as the metadata says; of the lock's when it was made by origin_of_package() */
    struct str metadata;      /* text; n == 0 from origin_of_package() */
};

/* Must a requirement with this URL be built? Others are wheels. */
MUST_USE bool origin_is(struct str url);

/* Finds out name, version and metadata: from pyproject.toml where it says them, else from PKG-INFO, else by a build.
 * ERR_PACKAGE, ERR_NETWORK. */
MUST_USE bool origin_look(const struct pkg_job *job, struct str url, bool editable, const struct origin **out,
                          struct err *e);
/* One that origin_look() gave, by its URL; NULL: none. */
MUST_USE const struct origin *origin_find(const struct workspace *w, struct str url);

/* A path or URL of the command line or a requirements file as a requirement with a name. ERR_PACKAGE when the name can
 * only be told by a build and the build fails. */
MUST_USE bool origin_requirement(struct workspace *w, struct str text, bool editable, struct str *out, struct err *e);
/* "path[extra,extra]" in its parts; *extras with its brackets, n == 0 for none. */
void origin_split_extras(struct str text, struct str *path, struct str *extras);

/* The lock's entry of what was looked at. */
void origin_to_lock(struct workspace *w, const struct origin *o, struct lock_package *out);
/* Is the package of a lock built from a directory, an archive or a repository? */
MUST_USE bool origin_has_package(const struct lock_package *p);
/* What a lock says of it; a repository is fetched when its commit is not here. An archive has no tree: its bytes are
 * fetched like any file. */
MUST_USE bool origin_of_package(const struct pkg_job *job, const struct lock_package *p, struct origin *out,
                                struct err *e);
/* Relative to the project when the directory lies in or beside it, else absolute. */
MUST_USE struct str origin_path_in_lock(struct workspace *w, const char *tree);
/* How it is recorded in the environment (PEP 610). */
void origin_direct_url(struct workspace *w, const struct lock_package *p, struct direct_url *out);

/* A value that changes with what a lock must be made anew for, when the requirement is a directory; of no file that is
 * not there. */
MUST_USE struct str origin_inputs(struct workspace *w, const char *tree, bool own);
/* A value that changes when what is installed of the lock's directories must be built again. */
MUST_USE uint64_t origin_state(struct workspace *w, const struct lock *l);
