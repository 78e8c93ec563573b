/* Changing files so that a crash leaves the old or the new one: write beside, flush, rename.
 *
 * Also directories: made with their parents, walked, removed whole. Symbolic links are never followed by the
 * removing and walking functions. Errors are ERR_IO with the path.
 */
#pragma once

#include <dirent.h>
#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

enum file_sync {
    FILE_NO_SYNC, /* caches: atomic, but may be lost or old after a power cut */
    FILE_SYNC     /* the file and its directory are on disk when this returns */
};

/* Replaces or creates dir/name. A temporary name `.name.PID.N.tmp` beside it is removed on every failure. */
MUST_USE bool file_replace(int dir, const char *name, struct str data, unsigned mode, enum file_sync sync,
                           struct err *e);
/* Replaces or creates the symbolic link dir/name. */
MUST_USE bool file_replace_link(int dir, const char *name, const char *target, enum file_sync sync, struct err *e);

/* Makes the directory and missing parents, 0777 less umask (mode for the last one); an existing one is fine. */
MUST_USE bool file_make_dirs(int dir, const char *path, unsigned mode, struct err *e);
/* Removes a file or a whole tree; missing is fine. Read-only directories are made writable on the way. */
MUST_USE bool file_remove_tree(int dir, const char *path, struct err *e);
MUST_USE bool file_exists(int dir, const char *path); /* as lstat sees it */
MUST_USE bool file_sync_dir(int dir, const char *name, struct err *e);

/* One entry of a directory at a time, "." and ".." left out; order as the file system gives it. */
struct file_list {
    DIR *handle;
};
MUST_USE bool file_list_open(int dir, const char *path, struct file_list *out, struct err *e);
/* False at the end or on a failure; then e->kind != ERR_NONE tells the failure (clear e before the loop). */
MUST_USE bool file_list_next(struct file_list *l, const struct dirent **out, struct err *e);
void file_list_close(struct file_list *l);
#define AUTO_FILE_LIST AUTO(file_list_close) struct file_list
