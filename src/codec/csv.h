/* Comma-separated values as Python's csv module writes and reads them by default: the dialect of RECORD.
 *
 *     struct csv c;
 *     struct str field[3];
 *     size_t n;
 *
 *     csv_init(&c, text, arena, e);
 *     while (csv_next(&c, field, COUNT(field), &n)) ...
 *     if (c.failed)
 *         return false;
 *
 * Rows end in \n, \r\n or \r; a field in double quotes may hold commas, line ends and doubled quotes; a quote inside
 * a field that did not begin with one is an ordinary character. Empty lines are no rows. Fields are views into the
 * text where nothing had to be taken out, else copies in the arena. Stricter than Python in one point: a text that
 * ends inside quotes was cut short and fails (ERR_PACKAGE, with the line).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

struct csv {
    struct str rest;
    struct arena *arena;
    struct err *e;
    size_t line; /* of the row last read, from 1 */
    size_t next_line;
    bool failed;
};

void csv_init(struct csv *c, struct str text, struct arena *arena, struct err *e);

/* The next row. *n is how many fields it has; the first `max` of them are written. False at the end or on failure. */
MUST_USE bool csv_next(struct csv *c, struct str *field, size_t max, size_t *n);

/* Appends a row that ends in '\n', quoting where needed. False when out is full. */
bool csv_write(struct buf *out, const struct str *field, size_t n);
