/* The binary record of a store entry: `.blast/meta`. Private to the store. */
#pragma once

#include <stdint.h>
#include "base/hash.h"

/* Changes with the format, and with what the flags promise (install/unpack.c looks for code that runs at start): a
 * record of before then counts as absent, and the wheel is unpacked again. */
#define META_MAGIC "blstree2"
#define META_PATH ".blast/meta"

struct meta_text {
    uint32_t at, n; /* from the start of the record */
};

struct meta_head {
    char magic[8];
    uint64_t check; /* hash_fast() of everything behind this field */
    uint64_t total; /* bytes of the record */
    uint64_t bytes; /* of all files */
    char hex[HASH_HEX256];
    struct meta_text name, version, dist_info;
    uint32_t flags;
    uint32_t files, tops, points; /* how many */
    uint32_t files_at, tops_at, points_at;
    uint32_t zero;
};

struct meta_file {
    uint64_t size, fast;
    struct meta_text path;
    uint8_t place, executable, zero[6];
    uint8_t sha256[HASH_SHA256];
};

struct meta_top {
    struct meta_text name;
    uint32_t kind, first, n;
};

struct meta_point {
    struct meta_text name, object;
    uint32_t gui;
};
