/* Changing a TOML text and keeping every byte that the change is not about.
 *
 * An edit takes the text in `ed->text`, and on success puts the new one (in the arena) in its place. Comments, order,
 * white space, line ends (\n or \r\n, whichever the file uses) and quoting of everything else stay. After each edit
 * the result is parsed again and the value read back; a result that does not hold what was asked is an error and
 * the text stays as it was. Adding an element to an array that has some and removing it again gives the first text
 * back, byte for byte; so does adding a key or a table to a text that ends with a line end and removing it.
 *
 * Paths are dotted keys in TOML's spelling: `project.optional-dependencies."my extra"`. Values are TOML source:
 * `3`, `"text"`; toml_quote() makes one of any text. Errors are ERR_CONFIG.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

struct toml_edit {
    struct arena *a;
    struct str text;
    const char *name; /* for messages; may be NULL */
};

/* Replaces the value at the path, or adds the key: to its table when there is one (behind its last key), else to a
 * new [table] at the end of the text, or right behind the last table of the same parent. */
MUST_USE bool toml_set(struct toml_edit *ed, struct str path, struct str value, struct err *e);
/* Removes a key with its value and the rest of its line, or a table with its header and all under it. Comments on lines
 * of their own above a key stay. Missing: nothing happens, *removed says so (may be NULL). */
MUST_USE bool toml_remove(struct toml_edit *ed, struct str path, bool *removed, struct err *e);

/* Adds a string to the array of strings at the path: where it belongs when the array is sorted (ASCII case ignored),
 * else at the end. The array's shape is imitated: one line or many, indentation, trailing comma. A missing array
 * is made, its table too. */
MUST_USE bool toml_array_add(struct toml_edit *ed, struct str path, struct str value, struct err *e);
/* The same for a number in an array of numbers: at its end. */
MUST_USE bool toml_array_add_number(struct toml_edit *ed, struct str path, uint64_t value, struct err *e);
/* Replaces element `index` of the array (from 0). */
MUST_USE bool toml_array_replace(struct toml_edit *ed, struct str path, size_t index, struct str value,
                                 struct err *e);
/* Removes element `index` with its comma and a comment behind it on its line; in a multi-line array the line goes too
 * when nothing else stands there. */
MUST_USE bool toml_array_remove(struct toml_edit *ed, struct str path, size_t index, struct err *e);

/* A TOML basic string with its quotes; control characters escaped. s must be valid UTF-8 (others: U+FFFD). */
MUST_USE struct str toml_quote(struct arena *a, struct str s);
/* A key part: bare when it can be, else quoted. */
MUST_USE struct str toml_quote_key(struct arena *a, struct str s);
