/* Which projects changed, told once for each burst of changes. The EnvironmentMonitor's eyes.
 *
 * One inotify descriptor serves all projects. Folders are watched, never files: editors replace files by renaming. Of a
 * project these are the folders of its input files (not what is below them), its watch paths (with all below, without
 * links, other mounts, version control, environments, caches, build results), its environment with the current
 * site-packages, and its version control folder. While a checkout, rebase or merge is under way changes wait for its
 * end. Where events cannot be had (network and FUSE file systems, no watches left) folders are polled while somebody
 * works in the project.
 *
 * Promise: no wait, no timer of its own. watch_deadline() says when watch_next() has something to do; with nothing
 * pending it says never. A lost event leads to a look at everything, ever less often when that goes on. Time is an
 * argument: monotonic milliseconds (clock_ms()).
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct watch;
struct watch_root;

#define WATCH_BUDGET 8192   /* watches of one project */
#define WATCH_SOURCES_MAX 64 /* sources of one change that are named */
#define WATCH_NEVER UINT64_MAX
#define WATCH_TEXT 96

#define WATCH_QUIET_MS 50       /* after a single save */
#define WATCH_QUIET_BURST_MS 400 /* after many events, or when version control was at work */
#define WATCH_LONGEST_MS 3000   /* then a burst that goes on is told all the same */
#define WATCH_POLL_MS 2000
#define WATCH_POLL_SOURCES_MS 10000

struct watch_options {
    unsigned budget;  /* 0: WATCH_BUDGET */
    bool poll;        /* no inotify: everything is polled */
    /* One line for the user about the project; each kind comes once for a project. */
    void (*say)(void *user, const char *text);
};

/* What of a project is looked at. Absolute paths; copied. */
struct watch_want {
    const char *const *file; /* inputs; they may be missing */
    size_t files;
    const char *const *tree; /* watch paths; they may be missing */
    size_t trees;
    const char *env;         /* the environment's folder; it may be missing */
};

enum watch_flag {
    WATCH_FILES = 1,   /* an input file may have changed: digest before acting */
    WATCH_SOURCES = 2, /* the named sources were saved */
    WATCH_SITE = 4,    /* a distribution came to or went from site-packages */
    WATCH_ENV = 8,     /* another generation is current, or the environment came or went */
    WATCH_GONE = 16,   /* the project's folder is not there any more */
    WATCH_BACK = 32    /* it is there again */
};

struct watch_change {
    void *user;
    unsigned flags;               /* of enum watch_flag */
    const char *const *source;    /* absolute; valid until the next call */
    size_t sources;
    bool too_many;                /* more sources than can be named; none is */
};

/* Works also where the kernel gives no inotify: then everything is polled. */
NOT_NULL struct watch *watch_open(const struct watch_options *options);
void watch_close(struct watch *w); /* roots too */
/* Readable when there is something for watch_read(); -1: never. */
MUST_USE int watch_fd(const struct watch *w);
void watch_read(struct watch *w, uint64_t now);
/* The bytes of one read of an inotify descriptor; watch_read() uses it, and tests. */
void watch_feed(struct watch *w, const void *p, size_t n, uint64_t now);

/* A project, not watched before watch_set(). `path` is absolute and without links. */
NOT_NULL struct watch_root *watch_add(struct watch *w, const char *path, void *user);
/* Another set of things to look at. What happens while the change is made is not lost. */
void watch_set(struct watch_root *root, const struct watch_want *want, uint64_t now);
void watch_remove(struct watch_root *root);
/* Polling happens only while somebody works in the project. */
void watch_attend(struct watch_root *root, bool somebody, uint64_t now);
/* Looks at everything again: something happened that no event tells of. */
void watch_again(struct watch_root *root, uint64_t now);

/* Does what is due and gives one project that changed; false when no (further) one did. */
MUST_USE bool watch_next(struct watch *w, uint64_t now, struct watch_change *out);
MUST_USE uint64_t watch_deadline(const struct watch *w, uint64_t now);

/* "inotify, 61 dirs", "polling (9p)", "inotify, 200 dirs, 15 polled". */
void watch_describe(const struct watch_root *root, char out[WATCH_TEXT]);
/* What the project's changes wait for: "git", "hg"; NULL: for nothing. */
MUST_USE const char *watch_waits_for(const struct watch_root *root);
/* Changes are being gathered. */
MUST_USE bool watch_is_settling(const struct watch_root *root);

struct watch_figures {
    uint64_t events, overflows, scans;
    size_t watches;
};
void watch_figures(const struct watch *w, struct watch_figures *out);
