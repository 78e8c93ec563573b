/* Host names: what may stand in one, and the one spelling in which two are compared. Pure. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

#define HOST_MAX 254 /* bytes, with the NUL */

/* Letter, digit, hyphen, underscore. */
MUST_USE bool host_has_char(char c);

/* Lower case, one dot at the end removed. False when it is empty, too long, has an empty label or any other byte. */
MUST_USE bool host_normalise(struct str name, char out[HOST_MAX]);
