/* What lay in a tree's site-packages when its generation was made, and what differs now.
 *
 * A stamp is a small file in the tree: every top-level name, and for each .dist-info the time and the size of its
 * RECORD (of the link, where that is one). Looking costs one listing and one stat for each package. A tree may hold
 * stamps of several generations, when hand-made changes in it became one: each says what the tree must look like to be
 * that generation's. __pycache__ and names that begin with '.' or '~' do not count.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct env;
struct err;
struct generation;

/* Writes the stamp of a generation's content into a tree. `site` is relative to the tree. */
MUST_USE bool stamp_write(int tree, struct str site, uint32_t content, struct err *e);
/* Does the tree of a generation hold what it held when the generation was made? False also when the tree or the
 * stamp is gone; a tree of an older Blast, without stamps, is judged by the names of its .dist-info directories. */
MUST_USE bool stamp_is_kept(struct env *env, const struct generation *g);

enum stamp_kind { STAMP_ADDED, STAMP_REMOVED, STAMP_CHANGED, STAMP_FILE_ADDED, STAMP_FILE_REMOVED };

struct stamp_change {
    enum stamp_kind kind;
    struct str name;      /* of the package, as its metadata spells it; of a file: its name in site-packages */
    struct str from, to;  /* versions; equal when files of the same version were replaced */
    struct str dist_info; /* directory below site-packages, n == 0 for what is gone and for files */
    struct str installer; /* "pip"; n == 0: not said */
    struct str direct_url; /* text of direct_url.json; n == 0: none */
    bool requested;       /* its installer was asked for it by name */
    bool editable;
};

struct stamp_changes {
    struct stamp_change *p;
    size_t n;
};

/* What differs between the current tree and the manifest of a generation, mostly the current one. In the arena. */
MUST_USE bool stamp_compare(struct env *env, const struct generation *g, struct arena *a, struct stamp_changes *out,
                            struct err *e);
