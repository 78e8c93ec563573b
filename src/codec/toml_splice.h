/* What codec/toml_edit.c and codec/toml_array.c share: places in a text and replacing spans of it. Not for others. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct toml_doc;
struct toml_edit;
struct toml_node;

#define TOML_PATH_MAX 16

struct toml_path {
    struct str part[TOML_PATH_MAX];
    size_t n;
};

/* Parses the text and the path. */
MUST_USE bool toml_edit_open(const struct toml_edit *ed, struct str path, struct toml_doc **d, struct toml_path *out,
                             struct err *e);
/* Follows at most `parts` parts as far as they exist; *done says how many did. */
MUST_USE const struct toml_node *toml_walk(const struct toml_doc *d, const struct toml_path *path, size_t parts,
                                           size_t *done);

/* The text with from..to replaced. */
MUST_USE struct str toml_splice(struct arena *a, struct str text, uint32_t from, uint32_t to, struct str with);
/* "\r\n" when the first line of the text ends so, else "\n". */
MUST_USE struct str toml_eol(struct str text);
/* Where the line that holds `at` begins. */
MUST_USE uint32_t toml_line_start(struct str text, uint32_t at);
/* Behind the line end of the line that holds `at`. */
MUST_USE uint32_t toml_line_end(struct str text, uint32_t at);
/* The blanks that begin the line that holds `at`. */
MUST_USE struct str toml_indent(struct str text, uint32_t at);
/* Only blanks stand before `at` in its line. */
MUST_USE bool toml_begins_line(struct str text, uint32_t at);
/* A string value in the given quotes when it can be, else as a basic string. */
MUST_USE struct str toml_quote_like(struct arena *a, struct str s, char quote);
/* Adds `key = value` where toml_set() says; the result is not checked. */
MUST_USE bool toml_insert(const struct toml_edit *ed, const struct toml_doc *d, const struct toml_path *path,
                          struct str value, struct str *out, struct err *e);
