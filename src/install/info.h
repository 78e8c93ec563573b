/* The .dist-info directory of one installed wheel: its files linked, and RECORD, INSTALLER, REQUESTED,
 * direct_url.json written. Private to install/link.c. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"
#include "install/link.h"

struct err;
struct place;
struct store_file;

struct info {
    struct place *place;
    uint32_t package;
    enum link_mode mode; /* of single files */
    bool by_folder;
    struct buf rows; /* of RECORD, beyond those of the wheel */
};

void info_init(struct info *i, struct place *p, uint32_t package, enum link_mode mode);
void info_clear(struct info *i);
/* A row for a file made here, and for one that lies aside in the store. `path` is relative to the prefix. */
MUST_USE bool info_add(struct info *i, struct str path, struct str content, struct err *e);
MUST_USE bool info_add_stored(struct info *i, struct str path, const struct store_file *f, struct err *e);
MUST_USE bool info_finish(struct info *i, struct err *e);
