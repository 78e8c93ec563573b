/* Undo, redo and rollback are one thing: another generation's content becomes current. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "env/generation.h"

struct cmd;
struct env;
struct err;

/* Which generation, and how the history is to record it. */
struct restore {
    enum generation_kind kind;
    unsigned steps;   /* of undo and redo */
    struct str which; /* of a rollback: a number, a tag, "@-2", "@2h", "before:flask" */
};

MUST_USE bool restore_generation(struct cmd *c, const struct restore *what, struct err *e);
/* The number in the only word of undo or redo; 1 without a word. ERR_CONFIG for another word. */
MUST_USE bool restore_steps(struct cmd *c, unsigned *out, struct err *e);
/* history_find() with the nearest tag as a hint. */
MUST_USE bool restore_find(struct cmd *c, struct env *env, struct str which, uint32_t *out, struct err *e);
