/* METADATA out of a wheel: from a file here, from bytes in memory, or from single parts of a remote archive. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct zip;
struct zip_entry;

/* The text lives in the arena. ERR_PACKAGE when it is no wheel, ERR_IO. */
MUST_USE bool wheel_meta_read(const char *path, struct arena *a, struct str *out, struct err *e);
MUST_USE bool wheel_meta_of(struct str archive, struct arena *a, struct str *out, struct err *e);

/* The entry of METADATA: the one in the only top-level .dist-info. NULL with ERR_PACKAGE. */
MUST_USE const struct zip_entry *wheel_meta_entry(const struct zip *z, struct err *e);
MUST_USE bool wheel_meta_member(struct str member, const struct zip_entry *en, struct arena *a, struct str *out,
                                struct err *e);
