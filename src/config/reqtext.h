/* The text side of requirements files, shared with config/reqfile.c only: codings, logical lines, variables, words. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct arena;
struct err;

/* Makes *text UTF-8 without a mark: by a byte order mark (UTF-8, UTF-16), else by a coding declaration, else it must be
 * UTF-8 already. ERR_CONFIG with file and line. */
MUST_USE bool reqtext_decode(const char *file, struct str *text, struct arena *a, struct err *e);

struct reqtext {
    struct str rest;
    unsigned number; /* of the last line taken */
    unsigned first;  /* of the first line of the logical one */
};
/* The next logical line: joined where a line ends with a backslash; a comment line ends the joining. */
MUST_USE bool reqtext_next(struct reqtext *t, struct arena *a, struct str *out);
/* Trimmed, and cut at a '#' that begins it or follows white space. */
MUST_USE struct str reqtext_without_comment(struct str line);
/* ${NAME} by its value; one that is not set or empty stays as it is, as pip has it. */
MUST_USE struct str reqtext_expand(struct str line, const char *const *env, struct arena *a);

struct reqtext_words {
    VEC(struct str) list;
    VEC(struct str) raw; /* the same words with their quotes */
    size_t at;           /* the next one, for the reader */
};
/* Words as a shell cuts them: quotes and backslashes, nothing else. ERR_CONFIG without a place. */
MUST_USE bool reqtext_words(struct str line, struct arena *a, struct reqtext_words *out, struct err *e);
