/* The files that Blast itself puts into each generation of a project's environment.
 *
 *     site-packages/_blast_boot.pth, .py   at interpreter start: fixes sys.path to the generation, holds .inuse,
 *     site-packages/_blast_boot.start      appends a finder for what is missing (.start: Python 3.15 on, PEP 829)
 *     site-packages/_blast_report.py       loaded when an import has failed: says which package has the module
 *     site-packages/_blast_track.py        loaded where BLAST_TRACK is set: tells who asks for which file (3.8 on)
 *     site-packages/pip.py  bin/pip...     where no package brings pip: `pip` and `python -m pip` run `blast pip`
 *     .inuse                               of the tree: locked by processes that run in it; holds the settings
 *
 * Their texts are the files of src/install/boot/. They are in no RECORD and no distribution. An environment gets them
 * when `env->boot` holds settings; --env ones and those of other tools do not. They are hard links to one copy in the
 * store (boot-v1/), compared before each use, or written where links do not work.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct env;
struct err;
struct store;

/* What `env->boot` is set to. `hook` and `pip` are the words of [hooks]. The program's own path goes with them. */
MUST_USE struct str boot_settings(struct arena *a, const char *hook, const char *pip);
/* Those that the current tree was made with, in env->arena; n == 0: none. */
MUST_USE struct str boot_settings_of(struct env *env);

/* Folder of the copies, below the store's: "boot-v1/<hash of the texts>". */
#define BOOT_SHELF 32
void boot_shelf(char out[BOOT_SHELF]);

/* Puts the files into a tree whose packages are there already. Nothing when env->boot is empty. */
MUST_USE bool boot_add(struct env *env, const struct store *store, int tree, struct err *e);
/* Was the current tree made with the settings of env->boot? (The program's path may differ.) */
MUST_USE bool boot_fits(struct env *env);

/* Is this program the pip that Blast put there? */
MUST_USE bool boot_is_pip(const char *program);

/* Takes the files out of a prefix that is no generation any more; `site` as in struct env. */
MUST_USE bool boot_remove(int prefix, struct str site, struct err *e);
