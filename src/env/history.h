/* Where undo and redo lead, tags, and how much of the past is kept.
 *
 * History is linear and only grows: undoing 12 makes 13 with the content of 11. Nothing besides the manifests
 * says where one is: each holds the position (the change whose content it has) and the way forward for redo.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "env/generation.h"

struct arena;
struct env;
struct err;

/* The generation whose content `steps` undos (redos) lead to; ERR_ENVIRONMENT when there is nothing to undo
 * (redo). For a plain environment the error says that it keeps no history. */
MUST_USE bool history_undo_target(struct env *env, unsigned steps, uint32_t *out, struct err *e);
MUST_USE bool history_redo_target(struct env *env, unsigned steps, uint32_t *out, struct err *e);
/* Fills position, restores and redo of a manifest that makes `target` current again by `kind`. */
MUST_USE bool history_place(struct env *env, uint32_t target, enum generation_kind kind, struct arena *a,
                            struct generation *g, struct err *e);

/* The positions that led to a generation, oldest first, as far as they are known; the last is that of `seq`. */
MUST_USE bool history_line(struct env *env, uint32_t seq, struct arena *a, uint32_t **out, size_t *n, struct err *e);

/* "12"; a tag; "@" (the current one); "@-2" (two changes before it); "@2h" (what was current two hours ago; also s, m,
 * d, w); "before:NAME" (what was current before that package came, went or changed for the last time). */
MUST_USE bool history_find(struct env *env, struct str text, uint32_t *out, struct err *e);

/* Tags, which the user knows as snapshots, keep a generation from being forgotten. No tags are fine. */
struct history_tag {
    struct str name;
    uint32_t seq;
    struct str text; /* what it is for; may be empty */
    int64_t created;
};
/* Adds or replaces the tag of that name; seq 0 removes it. */
MUST_USE bool history_tag_set(struct env *env, const struct history_tag *tag, struct err *e);
MUST_USE bool history_tags(struct env *env, struct arena *a, struct history_tag **out, size_t *n, struct err *e);

/* Forgets manifests beyond the newest `max_snapshots` and those of as many changes that undo goes back to (tagged ones
 * stay), and removes trees beyond the `hot` newest. Always kept: the current one, the last failed trial, what a process
 * runs on, and trees whose content the store cannot make again while their manifest stays. 0: the default, 10 and 3. */
MUST_USE bool history_prune(struct env *env, unsigned max_snapshots, unsigned hot, struct err *e);
