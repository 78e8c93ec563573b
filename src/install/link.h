/* Store entries become the site-packages of a new prefix.
 *
 * Modes: `tree` links each top-level folder of a wheel whole into the store; folders without __init__.py and
 * folders that several wheels fill become real directories with links inside; `.dist-info` is always a real
 * directory, for tools ignore linked ones. `hardlink`, `reflink`, `copy` make real directories and files. The
 * prefix must be new: nothing in it is replaced but by a later wheel of the same call, which is warned about.
 * In every mode INSTALLER, REQUESTED, direct_url.json and RECORD are files of their own, because they say what is
 * true of this installation and not of the wheel.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct err;
struct store;
struct store_entry;
struct work;

enum link_mode { LINK_AUTO, LINK_TREE, LINK_HARDLINK, LINK_REFLINK, LINK_COPY };

struct link_package {
    const struct store_entry *entry;
    bool requested;         /* REQUESTED is written */
    struct str direct_url;  /* text of direct_url.json; n == 0: none */
};

struct link_spec {
    const struct store *store;
    int prefix;             /* new or empty directory: gets lib/, bin/, share/ ... */
    struct str site;        /* "lib/python3.12/site-packages" */
    struct str python;      /* "python3.12", for include/site/python3.12/ */
    struct str interpreter; /* absolute path for scripts: <env>/bin/python */
    enum link_mode mode;    /* LINK_AUTO: the default; only then is fallen back silently to what works */
    const struct link_package *packages;
    size_t n;
};

struct link_result {
    enum link_mode mode;    /* used for most */
    struct str note;        /* why another mode than asked, n == 0: none; in the arena */
    uint32_t links, files, dirs;
    VEC(struct str) warnings; /* paths owned twice, refused script names; in the arena */
};

/* tree; for uid 0 hardlink, because root ignores the modes that protect the store. */
MUST_USE enum link_mode link_default_mode(void);
MUST_USE bool link_mode_parse(struct str word, enum link_mode *out, struct err *e); /* ERR_CONFIG */
MUST_USE const char *link_mode_word(enum link_mode mode);

/* Texts of the result live in the arena. */
MUST_USE bool link_packages(const struct link_spec *spec, struct arena *a, struct link_result *out, struct err *e);
