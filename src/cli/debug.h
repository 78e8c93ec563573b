/* `blast debug VERB WORD...`: plumbing that tests ask. One JSON object a call; `--batch` reads JSON arrays of words.
 *
 * A verb is a function here and a line in debug.def. It writes one JSON object (no newline) into c->out. What is
 * wrong with the *input* is an answer ({"valid":false}); an error is for words that are not of the verb's form.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

struct debug_call {
    const struct str *word; /* the words after VERB */
    size_t n;
    struct arena *a; /* dies with the call */
    struct buf *out;
};

#define DEBUG_VERB(word, function) MUST_USE bool function(struct debug_call *c, struct err *e);
#include "cli/debug.def"
#undef DEBUG_VERB
