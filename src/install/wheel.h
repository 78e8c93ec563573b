/* A wheel archive read and checked, before anything of it is written: what it is, where each member goes, what each
 * must hash to. That a member's own header agrees is seen when it is unpacked. Used by unpack.c.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/hash.h"
#include "base/str.h"
#include "codec/zip.h"
#include "pep/entry_points.h"
#include "store/store.h"

struct buf;
struct err;
struct record_row;

struct wheel_member {
    const struct zip_entry *entry;
    const struct record_row *row; /* NULL: RECORD and its signatures */
    struct str path;              /* in the store tree */
    enum store_place place;
    unsigned flags;               /* of enum store_flag, found in its content */
    unsigned char sha256[HASH_SHA256];
    uint64_t fast;
};

struct wheel {
    struct zip zip;
    struct str name, version; /* as METADATA has them */
    struct str dist_info;     /* "demo-1.0.dist-info" */
    bool purelib;
    struct wheel_member *members; /* files only */
    size_t n;
    struct entry_points points;
};

/* `file`: its name. `bytes` must outlive *out. ERR_PACKAGE with exit code 5. */
MUST_USE bool wheel_read(struct str file, struct str bytes, struct arena *a, struct wheel *out, struct err *e);
/* Compares the content of a member with its row and fills sha256, fast and flags. */
MUST_USE bool wheel_check(const struct wheel *w, struct wheel_member *m, struct str content, struct err *e);

/* The same for content that comes in pieces. */
struct wheel_sum {
    struct digest *sha256, *other; /* other: where RECORD has another kind */
    struct hash_fast *fast;
};

/* ERR_PACKAGE, exit code 5, when RECORD has a kind of hash that is not taken. To be closed in every case. */
MUST_USE bool wheel_sum_open(const struct wheel_member *m, struct wheel_sum *out, struct err *e);
void wheel_sum_add(struct wheel_sum *s, struct str piece);
/* content: all of it once more, of which only what says something of the wheel is looked at. */
MUST_USE bool wheel_sum_check(const struct wheel *w, struct wheel_member *m, struct wheel_sum *s, struct str content,
                              struct err *e);
void wheel_sum_close(struct wheel_sum *s);
#define AUTO_WHEEL_SUM AUTO(wheel_sum_close) struct wheel_sum
/* RECORD as it must read once the members lie where they go: without rows for files that are made at installation,
 * with one for INSTALLER. All members have been checked. False when out is full. */
bool wheel_record(const struct wheel *w, struct arena *a, struct buf *out);
/* RECORD, INSTALLER, REQUESTED, direct_url.json: made at installation. */
MUST_USE bool wheel_is_own(struct str leaf);

#define WHEEL_INSTALLER "blast\n" /* content of INSTALLER */
