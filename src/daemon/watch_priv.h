/* What watch.c (events, settling), watch_set.c (which folders) and watch_poll.c (without events) share. */
#pragma once

#include <sys/types.h>
#include "base/vec.h"
#include "daemon/watch.h"

enum watch_role {
    ROLE_ROOT = 1,     /* the project's folder */
    ROLE_FILES = 2,    /* holds input files */
    ROLE_TREE = 4,     /* a watch path, or below one */
    ROLE_ENV = 8,
    ROLE_SITE = 16,
    ROLE_VCS = 32,
    ROLE_ANCESTOR = 64 /* the nearest folder above a project that is gone */
};

#define NODE_NONE UINT32_MAX

/* A watched folder. Paths are put together from the names on the way up: a deep tree costs little. */
struct watch_node {
    uint32_t parent;    /* NODE_NONE: the name is an absolute path */
    uint32_t name;      /* where it begins in the set's names */
    int wd;             /* -1: none (any more) */
    uint8_t role;
    bool polled;
    uint64_t signature; /* of a polled folder */
};

struct watch_set {
    VEC(struct watch_node) nodes;
    VEC(char) names;
    VEC(uint64_t) wanted; /* hashes of the names that matter in folders of ROLE_ROOT and ROLE_FILES */
    size_t dirs, polled;
};

struct watch_root {
    struct watch *w;
    void *user;
    char *path, *env;
    dev_t device;               /* of the folder that was found there last */
    ino_t inode;
    char **file, **tree;
    size_t files, trees;
    struct watch_set set, next; /* next: being put together while `scanning` */
    bool generation;            /* tells `set` from `next` in the table */
    bool scanning, want_scan, first_scan;
    size_t scan_at;             /* node of `next` to look into */
    uint64_t scan_after;        /* not before; for the back-off */
    uint64_t lost_since;
    unsigned lost;              /* looks at everything since then */
    int64_t collect_since;      /* seconds: sources changed since then are collected by the scan; 0: none are */
    int64_t scanned;            /* seconds: when the last scan ended */
    bool gone, attended;
    const char *poll_fs;        /* name of a file system without events, or NULL */
    uint64_t poll_files_at, poll_sources_at, files_signature;
    char *vcs;                  /* its folder, or NULL */
    bool vcs_is_hg, vcs_watched;
    unsigned pending;           /* of enum watch_flag, and PENDING_SCAN */
    uint64_t first, last;       /* of the pending events */
    unsigned events;
    bool burst, held;
    uint64_t hold_check, hold_step, hold_since; /* hold_check: when to look again; WATCH_NEVER: an event will tell */
    VEC(char *) sources;
    bool too_many;
    unsigned said;              /* kinds of notices, SAID_* */
};

#define PENDING_SCAN 128u

enum watch_said { SAID_BUDGET = 1, SAID_NO_WATCHES = 2, SAID_UNREADABLE = 4 };

struct watch_place {
    struct watch_root *root; /* NULL: free */
    int wd;
    uint32_t node;
    bool generation;
};

struct watch {
    struct watch_options options;
    int fd;
    VEC(struct watch_root *) roots;
    struct watch_place *places; /* by wd, which several projects may share */
    size_t places_n, places_cap;
    struct watch_figures figures;
    VEC(char *) given;          /* the sources of the last change told */
};

/* ------------------------------------------------------------ watch_set.c */

/* The next place of this wd: start with *at = 0; NULL past the last. Adding and removing invalidates *at. */
MUST_USE struct watch_place *watch_place_next(const struct watch *w, int wd, size_t *at);
void watch_place_remove_all(struct watch *w, int wd); /* the kernel has dropped it */
void watch_set_release(struct watch_root *root, struct watch_set *set, bool generation);
/* False when it does not fit into PATH_MAX. */
MUST_USE bool watch_node_path(const struct watch_set *set, uint32_t node, char out[4096]);
void watch_scan_begin(struct watch_root *root);
void watch_scan_step(struct watch_root *root); /* a slice; root->scanning is false when it was the last */
void watch_add_source(struct watch_root *root, const char *path);
void watch_say(struct watch_root *root, enum watch_said kind, const char *fmt, ...) PRINTF(3, 4);
/* False: it is no folder (any more). */
MUST_USE bool watch_identify(const char *path, dev_t *device, ino_t *inode);
/* The folders site-packages of an environment, at most max; returns how many. */
size_t watch_find_sites(const char *env, char out[][4096], size_t max);

/* ------------------------------------------------------------ watch_poll.c */

/* The name of the path's file system when it is one without events; else NULL. */
MUST_USE const char *watch_poll_fs(const char *path);
/* Of the input files, the environment's link and site-packages. */
MUST_USE uint64_t watch_poll_files(const struct watch_root *root);
/* Of a folder and the Python files in it. */
MUST_USE uint64_t watch_poll_folder(const char *path);
