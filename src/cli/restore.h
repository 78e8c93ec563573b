/* Undo, redo and rollback are one thing: another generation's content becomes current. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"
#include "env/generation.h"

struct cmd;
struct err;

/* `which` is used by GENERATION_ROLLBACK: a number, a tag, "@-2". */
MUST_USE bool restore_generation(struct cmd *c, enum generation_kind kind, struct str which, struct err *e);
