/* The store: one read-only unpacked tree for each wheel, found by the sha256 of the wheel file.
 *
 *     <store>/trees-v1/<aa>/<sha256>/            the wheel as it lies in site-packages: the root and
 *                                                .data/{purelib,platlib} merged
 *     <store>/trees-v1/<aa>/<sha256>/.blast/     what does not go there: scripts/, headers/, data/, and two files of
 *                                                ours, `meta` and `record`
 *     <store>/tmp/                               trees being made; renamed when they are whole
 *
 * An entry is published by one rename and never changed after; only __pycache__ directories are added (see
 * install/compile.h). Two makers of the same entry both succeed. `meta` is a binary record in the machine's byte
 * order that is mapped, not read: names, sizes and digests of all files, kinds of the top-level names, entry
 * points, flags. A damaged or foreign record counts as absent.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/hash.h"
#include "base/str.h"

struct err;
struct arena;

#define STORE_RESERVED ".blast" /* no wheel may own this top-level name */
#define STORE_RECORD ".blast/record" /* RECORD as an installation by link needs it, but for its programs */

struct store {
    int dir;     /* of the store */
    int trees;   /* of trees-v1 */
    char *path;  /* absolute */
};

enum store_flag {
    STORE_PURELIB = 1,       /* Root-Is-Purelib: true */
    STORE_RPATH_LEAVES = 2,  /* an ELF file looks for libraries outside the wheel: not to be linked by folder */
    STORE_WRITES_SELF = 4,   /* known to write into its own folder */
    STORE_HAS_PTH = 8,       /* a .pth file at the top */
    STORE_START_UP_CODE = 16, /* runs at interpreter start: .pth with an import line, sitecustomize, *.start */
    STORE_MOVED = 32         /* files of .data/ lie elsewhere than RECORD says */
};

enum store_place { STORE_SITE, STORE_SCRIPT, STORE_HEADER, STORE_DATA };

enum store_top_kind {
    STORE_TOP_PACKAGE,   /* folder that can be linked whole: has __init__.py or cannot be imported */
    STORE_TOP_NAMESPACE, /* importable folder without __init__.py */
    STORE_TOP_MODULE,    /* single file */
    STORE_TOP_DIST_INFO
};

/* Paths are relative to the entry; those of places other than STORE_SITE begin with ".blast/scripts/" etc. */
struct store_file {
    struct str path;
    uint64_t size;
    const unsigned char *sha256;
    uint64_t fast; /* hash_fast() of the content, for sampling */
    enum store_place place;
    bool executable;
};

struct store_top {
    struct str name;
    enum store_top_kind kind;
    uint32_t first, n; /* its files, consecutive */
};

struct store_point {
    struct str name, object; /* "mod:attr", extras stripped */
    bool gui;
};

/* An entry as found. All views point into the mapping and live until store_release(). */
struct store_entry {
    char hex[HASH_HEX256 + 1];
    struct str map;
    struct str name, version, dist_info; /* as METADATA and the directory spell them */
    unsigned flags;
    uint32_t files, tops, points;
    uint64_t bytes; /* of all files */
};

/* Makes the directory (0755) and what is in it when missing. */
MUST_USE bool store_open(const char *path, struct store *out, struct err *e);
void store_close(struct store *s);

/* One open and one mapping. *there is false for an absent or damaged entry. */
MUST_USE bool store_find(const struct store *s, const char *hex, struct store_entry *out, bool *there, struct err *e);
void store_release(struct store_entry *entry);

/* i < files, tops, points. Files are in byte order of their paths. */
MUST_USE struct store_file store_file_get(const struct store_entry *entry, uint32_t i);
MUST_USE struct store_top store_top_get(const struct store_entry *entry, uint32_t i);
MUST_USE struct store_point store_point_get(const struct store_entry *entry, uint32_t i);
/* Index of a file by path, or UINT32_MAX. */
MUST_USE uint32_t store_file_find(const struct store_entry *entry, struct str path);
/* Index of the first file whose path is not before `path` in byte order; entry->files when there is none. */
MUST_USE uint32_t store_file_from(const struct store_entry *entry, struct str path);

/* "trees-v1/aa/<hex>": relative to the store; out has STORE_TREE_PATH bytes. */
#define STORE_TREE_PATH (9 + 3 + HASH_HEX256 + 1)
void store_tree_path(const char *hex, char out[STORE_TREE_PATH]);

/* Cheap check before reuse: sizes of up to 3 files and the content of one small one, other files each time. False
 * with ERR_CACHE, naming the file, when the tree is not what was stored. */
MUST_USE bool store_sample(const struct store *s, const struct store_entry *entry, struct err *e);
/* Every file: present, size, digest, and nothing besides but __pycache__. ERR_CACHE names the first wrong one. */
MUST_USE bool store_verify(const struct store *s, const struct store_entry *entry, struct err *e);
/* Takes the entry out of the store, so that it can be made again. Missing is fine. */
MUST_USE bool store_drop(const struct store *s, const char *hex, struct err *e);

/* Making an entry: fill the directory, then commit; or drop. */
struct store_stage {
    int dir; /* of the tree being made */
    char name[96]; /* below the store */
    char hex[HASH_HEX256 + 1];
};

struct store_draft_file {
    struct str path;
    uint64_t size;
    unsigned char sha256[HASH_SHA256];
    uint64_t fast;
    enum store_place place;
    bool executable;
};

struct store_draft {
    struct str name, version, dist_info;
    unsigned flags;
    struct store_draft_file *files; /* any order; sorted by commit */
    size_t n_files;
    const struct store_point *points;
    size_t n_points;
    struct str record; /* content of STORE_RECORD */
};

MUST_USE bool store_stage_open(const struct store *s, const char *hex, struct store_stage *out, struct err *e);
/* Writes the record and publishes. When another process was first its entry is kept and ours removed. ERR_PACKAGE
 * when two files of the draft have one path. The stage is closed in every case. */
MUST_USE bool store_stage_commit(const struct store *s, struct store_stage *stage, struct store_draft *draft,
                                 struct err *e);
void store_stage_drop(const struct store *s, struct store_stage *stage);
