/* `blast debug toml`: a TOML text as the tagged JSON of the toml-test suite. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct buf;
struct err;

/* Writes {"key":{"type":"integer","value":"1"},...} into out, no newline behind it. ERR_CONFIG with line and column
 * for what is not TOML 1.0; ERR_IO when out is full. */
MUST_USE bool debug_toml(struct str text, struct buf *out, struct err *e);
