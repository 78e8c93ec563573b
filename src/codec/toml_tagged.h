/* A TOML document as the tagged JSON of the toml-test suite: {"type":"integer","value":"1"} for each value, tables as
 * objects, arrays as arrays. For tests and `blast debug toml`.
 *
 * Normalised as the suite wants: integers in decimal, floats in the shortest form that reads back the same (inf, -inf,
 * nan), dates and times with 'T' and 'Z' in upper case. Members come in the order of the file.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct buf;
struct toml_doc;

/* Appends to out; false when it is full. */
MUST_USE bool toml_tagged(const struct toml_doc *d, struct buf *out);
