/* Generations: the manifest that says what one is, and the protocol that makes one current.
 *
 * A manifest is the truth about a generation: from it and the store the tree can always be made again. It is
 * canonical JSON (sorted keys, no spaces, no floats): the same content is the same bytes.
 *
 * Publishing: 1 intent into the journal; 2 the tree is built as .gen/N.tmp; 3 the caller checks it;
 * 4 the file system is flushed once (durable); 5 rename to .gen/N; 6 .current is replaced by one rename;
 * 7 directories are flushed; 8 the journal is removed. A crash before 6 leaves the old one, after 6 the new one;
 * opening finishes or sweeps up.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "env/env.h"

struct err;

#define GENERATION_SCHEMA 1
#define GENERATION_TRIAL ".trial-" /* directories in .gen for a tree that is tried and never published */

enum generation_kind {
    GENERATION_CHANGE,   /* packages were installed, removed, synced */
    GENERATION_UNDO,
    GENERATION_REDO,
    GENERATION_ROLLBACK, /* to a chosen one; counts as a change for undo */
    GENERATION_SCRATCH,  /* what lay in the tree after changes by hand or by another tool */
    GENERATION_REPAIR,   /* the content it had already, made again: drift was dropped, damage repaired */
    GENERATION_FAILED    /* a tree whose trial failed: never current, nobody's parent, kept to be looked at */
};

struct generation_reason {
    struct str command; /* "install flask" */
    struct str actor;   /* cli | daemon | pip | import-hook | image */
    struct str why;     /* what made it happen; may be empty */
};

struct generation_input {
    struct str path;   /* relative to the project */
    struct str sha256; /* hexadecimal */
};

struct generation_package {
    struct str name, version;
    struct str sha256;     /* of the wheel, hexadecimal */
    struct str source;     /* where from; may be empty */
    struct str direct_url; /* text of direct_url.json; may be empty */
    struct str *extras;
    size_t n_extras;
    bool direct;
    bool editable;
};

struct generation {
    uint32_t seq;
    uint32_t parent;   /* 0: none */
    uint32_t position; /* the change whose content this is: itself, or an older one after undo and redo */
    uint32_t restores; /* 0, or the generation whose content was made current again */
    uint32_t tree;     /* number of the directory in .gen */
    uint32_t content;  /* of which stamp in that tree says what it must look like; 0: an older Blast made it */
    uint32_t *redo;    /* positions that redo goes to, next first */
    size_t n_redo;
    bool only_here;    /* the tree holds what cannot be made again from the store: it is kept as long as this */
    enum generation_kind kind;
    int64_t created;
    struct generation_reason reason;
    struct env_python python;
    struct str mode;   /* link mode's word */
    struct generation_package *packages; /* by name */
    size_t n_packages;
    struct generation_input *inputs;
    size_t n_inputs;
};

bool generation_format(const struct generation *g, struct buf *out);
/* ERR_ENVIRONMENT when it is no manifest or of a newer schema. Views point into text or the arena. */
MUST_USE bool generation_parse(struct str text, struct arena *a, struct generation *out, struct err *e);

/* From the environment's state directory. *there is false when that generation is unknown. */
MUST_USE bool generation_load(struct env *env, uint32_t seq, struct arena *a, struct generation *out, bool *there,
                              struct err *e);
/* All known ones, oldest first, in the arena. */
MUST_USE bool generation_list(struct env *env, struct arena *a, uint32_t **out, size_t *n, struct err *e);

/* A tree being built. */
struct generation_stage {
    uint32_t seq;
    int dir; /* of .gen/N.tmp: holds bin/ and lib/ */
};

/* Steps 1 and 2. The environment is locked by the caller. The new directory has what layout_fill() makes. */
MUST_USE bool generation_begin(struct env *env, struct generation_stage *out, struct err *e);
/* Steps 4 to 8: sets g->seq, parent, tree, position (unless set), created (unless set). On failure the old one
 * stays current and the stage is gone. */
MUST_USE bool generation_commit(struct env *env, struct generation_stage *stage, struct generation *g, bool durable,
                                struct err *e);
void generation_drop(struct env *env, struct generation_stage *stage);
/* Keeps the tree and its manifest under the stage's number without making it current: kind GENERATION_FAILED. On
 * failure the stage is gone. */
MUST_USE bool generation_set_aside(struct env *env, struct generation_stage *stage, struct generation *g,
                                   struct err *e);

/* Publishes the tree of an older generation under a new number, without building: one link, one rename. Fails
 * with ERR_ENVIRONMENT when that tree is gone. A GENERATION_SCRATCH takes the tree for what it is now. */
MUST_USE bool generation_reuse(struct env *env, uint32_t tree, struct generation *g, bool durable, struct err *e);
/* Whether the tree of a generation is there and nobody changed it since (env/stamp.h); else it must be made again. */
MUST_USE bool generation_is_hot(struct env *env, const struct generation *g);

/* The word of a kind, as in manifests: "change". */
MUST_USE const char *generation_kind_word(enum generation_kind kind);

/* Finishes or sweeps up an interrupted change. The lock is held. *did says whether there was one. */
MUST_USE bool generation_recover(struct env *env, bool *did, struct err *e);
