/* requirements.txt, the dialect of pip: "Requirements File Format" of pip's manual.
 *
 * Lines are joined at a backslash, comments start at a '#' that begins the line or follows white space, ${NAME} is
 * replaced when NAME is upper case, set and not empty (as pip does), -r and -c take files relative to the file they
 * stand in, cycles are refused. A UTF-8 or UTF-16 byte order mark and a coding declaration (utf-8, ascii, latin-1)
 * in the first two lines are obeyed. Values stay text: pep/req.h reads the requirements themselves.
 *
 * Errors are ERR_CONFIG "FILE:LINE: ..." with a near match for an unknown option. Limits: 8 MiB a file,
 * REQFILE_DEPTH_MAX files deep, REQFILE_FILES_MAX files and 100,000 entries in all.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct arena;
struct err;

#define REQFILE_DEPTH_MAX 32
#define REQFILE_FILES_MAX 1000

enum reqfile_kind {
    REQFILE_NAMED, /* `name >= 1; marker` or `name @ url` */
    REQFILE_URL,   /* an unnamed URL, maybe with [extras] */
    REQFILE_PATH,  /* an unnamed path, maybe with [extras]; relative to the working directory, as for pip */
    REQFILE_EDITABLE /* -e PATH or URL, maybe with [extras]; paths as above */
};

struct reqfile_entry {
    enum reqfile_kind kind;
    bool constraint;  /* stands in a -c file */
    struct str text;  /* without options and comment */
    struct str *hash; /* "sha256:..." each */
    size_t hashes;
    const char *file; /* as it was reached, for messages */
    unsigned line;    /* where the requirement starts */
};

struct reqfile {
    VEC(struct reqfile_entry) entries; /* in order, nested files in place */
    VEC(struct str) extra_index_urls, find_links, no_binary, only_binary, trusted_hosts, files;
    struct str index_url; /* n == 0: not given; the last one wins */
    bool no_index, pre, require_hashes, prefer_binary;
};

/* How a nested file is read: its text in the arena. */
struct reqfile_reader {
    bool (*read)(void *ctx, const char *path, struct arena *a, struct str *out, struct err *e);
    void *ctx;
    const char *const *env; /* for ${X}; NULL means environ */
};

/* Reads `path` ("-" is not special here) and everything it includes. `constraint`: as if reached by -c. Adds to
 * *out, which the caller zero-initialised, so several files can be read into one. A NULL reader means the file
 * system and environ. */
MUST_USE bool reqfile_read(const char *path, bool constraint, const struct reqfile_reader *reader, struct arena *a,
                           struct reqfile *out, struct err *e);
