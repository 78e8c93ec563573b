/* The one entry by which a set of packages becomes the content of an environment.
 *
 * An environment of Blast gets a new generation, built beside the current one and published by one rename; a
 * plain one (made by another tool) is changed in place under a journal. Either way a crash at any step leaves the
 * old or the new state, and the next env_open() repairs. The environment must be locked (env_lock) and the store
 * shared (guard_take) by the caller for the time of the call.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "env/generation.h"
#include "install/link.h"
#include "install/plan.h"

struct env;
struct err;
struct store;
struct store_entry;

struct apply_package {
    const struct store_entry *entry; /* its sha256, name and version are the package's */
    bool direct;                     /* asked for by the project or user: REQUESTED */
    struct str direct_url;           /* text of direct_url.json, n == 0: from an index */
    struct str source;               /* where the file came from, without credentials; may be empty */
    const struct str *extras;
    size_t n_extras;
};

struct apply_spec {
    const struct store *store;
    const struct apply_package *wanted; /* the whole content, not a change */
    size_t n;
    enum link_mode mode;
    struct generation_reason reason;
    const struct generation_input *inputs; /* files the set was made from, with their digests */
    size_t n_inputs;
    bool durable;     /* flush before publishing: survives a power cut, not only a crash */
    bool keep_others; /* plain layout: packages that are installed but not wanted stay (install, not sync) */
    const struct str *remove; /* plain layout, with keep_others: names of installed packages that go all the same */
    size_t n_remove;
    bool dry_run;     /* fill the result, change nothing */
    enum generation_kind kind; /* GENERATION_SCRATCH: stands beside the lock, until that changes */
    /* Called with the tree built and not yet current, by its path below the environment; NULL: none. When it fails
     * the tree stays under a number, never current (GENERATION_FAILED, `aside`), and its error is the result.
     * Generations only. */
    bool (*trial)(void *ctx, struct env *env, const char *tree, struct err *e);
    void *trial_ctx;
    uint32_t *aside; /* the number of the tree that failed; may be NULL */
};

struct apply_result {
    struct plan plan;        /* what was added, removed, replaced, kept */
    uint32_t seq;            /* the generation now current; 0 in the plain layout */
    bool changed;            /* false: everything was there already and nothing was done */
    struct link_result link;
};

/* Results live in the arena. */
MUST_USE bool apply_run(struct env *env, const struct apply_spec *spec, struct arena *a, struct apply_result *out,
                        struct err *e);

/* Builds the tree of a generation anew, from its manifest and the store, into an empty directory below the
 * environment ("tree": ".gen/.trial-1/tree"). Nothing is published. ERR_CACHE when wheels are gone. */
MUST_USE bool apply_tree(struct env *env, const struct store *store, const struct generation *g, const char *tree,
                         struct arena *a, struct err *e);

struct apply_return {
    const struct store *store;
    uint32_t seq;             /* the generation whose content comes back */
    enum generation_kind how; /* undo, redo or rollback: the history records it so */
    struct generation_reason reason;
    bool durable;             /* as in struct apply_spec */
    bool dry_run;             /* fill the plan, change nothing */
};

/* Makes the content of an older generation current again: by one rename when its tree is still there and untouched,
 * else from its manifest and the store (ERR_CACHE names the wheels that are gone; they must be fetched and
 * apply_run() used). */
MUST_USE bool apply_restore(struct env *env, const struct apply_return *back, struct arena *a,
                            struct apply_result *out, struct err *e);
