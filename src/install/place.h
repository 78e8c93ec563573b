/* One file or folder of a store tree put into a prefix by the mode in force. Private to install/link.c.
 *
 * Folders are made when first needed and remembered. Each path has one owner; a second wheel that brings the same path
 * replaces the first and is reported, unless both bring the same content.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/buf.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "install/link.h"

struct err;
struct many;

struct place_owner {
    uint32_t package; /* index in the spec */
    const unsigned char *sha256; /* NULL: made here */
};

struct place {
    const struct link_spec *spec;
    struct arena *arena;
    struct link_result *result;
    enum link_mode mode;
    enum link_mode file_mode; /* of single files where folders are linked */
    struct map dirs;   /* made already */
    struct map owners; /* path in the prefix -> index of owner */
    VEC(struct place_owner) owner;
    struct str installer; /* path of the first INSTALLER written; n == 0: none yet */
    struct buf text;   /* scratch */
    uint32_t hard_links;
    struct many *many; /* makes them once they are many */
};

void place_init(struct place *p, const struct link_spec *spec, enum link_mode mode, struct arena *a,
                struct link_result *out);
void place_clear(struct place *p);
/* Waits for what the workers still do; call it when all is put. */
MUST_USE bool place_finish(struct place *p, struct err *e);

/* Makes the folder and what is above it. `path` is relative to the prefix and lives as long as *p. */
MUST_USE bool place_dir(struct place *p, struct str path, struct err *e);

/* What is put where: `from` relative to the store, `to` relative to the prefix. */
struct place_item {
    struct str from, to;
    uint32_t package;
    const unsigned char *sha256; /* of a file; NULL for a folder */
    enum link_mode mode;
    bool executable;
};
MUST_USE bool place_put(struct place *p, const struct place_item *item, struct err *e);
/* A file of our own. */
MUST_USE bool place_write(struct place *p, struct str to, uint32_t package, struct str content, unsigned mode,
                          struct err *e);
/* A second name for a file of our own. */
MUST_USE bool place_link_own(struct place *p, struct str from, struct str to, uint32_t package, struct err *e);
void place_warn(struct place *p, struct str text);
