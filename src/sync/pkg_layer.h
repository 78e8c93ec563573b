/* PackageLayer: from inputs to a lock, and from a lock to wheels in the store. Changes no environment.
 *
 * DependencyResolver is resolve/ over index/; PackageInstaller is install/; the version manager (which pins are kept)
 * is `preferred` below.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"
#include "lock/lock.h"
#include "store/store.h"
#include "sync/inputs.h"
#include "sync/request.h"

struct auth;
struct err;
struct http;
struct origin;
struct workspace;

/* A version to keep if it still fits. */
struct pkg_pin {
    struct str name, version;
};

/* The connection to the outside, opened when the first request must be made. */
struct pkg_net {
    struct workspace *w;
    struct auth *auth;
    struct http *http;
};
void pkg_net_init(struct pkg_net *n, struct workspace *w);
MUST_USE bool pkg_net_open(struct pkg_net *n, const struct inputs *in, struct err *e);
void pkg_net_close(struct pkg_net *n);
#define AUTO_PKG_NET AUTO(pkg_net_close) struct pkg_net

/* What the steps of one operation share. */
struct pkg_job {
    struct workspace *w;
    const struct inputs *in;
    struct pkg_net *net;
    const struct watch *watch; /* may be NULL */
    struct timings *timings;
    bool trial;                /* looks for a way out (sync/repair.h): a failure needs no advice */
    struct str offered;        /* text of a lock made before (struct sync_job, lock_new) */
    uint64_t until;            /* clock_ms() after which a trial that must wait for the index is given up; 0: never */
};

/* The lock that the inputs give for the workspace's interpreter. ERR_RESOLUTION with the explanation when there is no
 * solution. Texts live in the workspace's arena. */
MUST_USE bool pkg_resolve(const struct pkg_job *job, const struct pkg_pin *pin, size_t n_pin, struct lock *out,
                          struct err *e);

/* Gives the chosen files of a lock that came without a digest theirs, by fetching them; others without one leave it. */
MUST_USE bool pkg_hash_missing(const struct pkg_job *job, struct lock *l, struct err *e);

struct tag_set;
/* The file of a package to install here: the archive, the best wheel whose hash is allowed, or, when builds are, the
 * source distribution. ERR_PACKAGE. */
MUST_USE bool pkg_choose_file(const struct inputs *in, const struct tag_set *tags, const struct lock_package *p,
                              const struct lock_file **out, struct err *e);
/* The folder for files on their way, in the cache. */
MUST_USE bool pkg_downloads(struct workspace *w, int *dir, struct err *e);

/* One package to install. */
struct pkg_wheel {
    const struct lock_package *package;
    const struct lock_file *file; /* the best wheel for this interpreter */
    struct str sha256;            /* hexadecimal */
    struct store_entry entry;     /* released by pkg_wheels_release() */
    bool have;                    /* entry is open */
    const struct origin *origin;  /* what it is built of when no index lists it; NULL: a file of an index */
    bool build;                   /* the file is a source distribution: sha256 is known once it is built */
};

struct pkg_wheels {
    struct pkg_wheel *p;
    size_t n;
    VEC(struct str) fresh; /* sha256 of the entries that were made now: their bytecode is due */
};

/* The wheels of these packages, fetched and unpacked as far as the store lacks them. The store is shared by the caller
 * (store/guard.h). */
MUST_USE bool pkg_fetch(const struct pkg_job *job, const struct lock_selection *sel, const struct store *store,
                        struct pkg_wheels *out, struct err *e);
void pkg_wheels_release(struct pkg_wheels *p);
