/* The content of one open file into another one, by the kernel where it can. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;

/* From where `in` stands to its end, to where `out` stands; `in` may be a pipe. ERR_IO, naming `name`. */
MUST_USE bool copy_content(int in, int out, const char *name, struct err *e);
