/* Files by descriptor: opened close-on-exec, reached from a directory descriptor, named in every error.
 *
 * All errors are ERR_IO with the call and the path.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

#define AUTO_FD AUTO(fd_auto) int

void fd_auto(int *fd);  /* closes when >= 0; errno is kept */
void fd_close(int *fd); /* closes when >= 0 and sets -1 */

/* `flags` as open(2); O_CLOEXEC is added. */
MUST_USE bool fd_open(int dir, const char *path, int flags, unsigned mode, int *out, struct err *e);
MUST_USE bool fd_open_dir(int dir, const char *path, int *out, struct err *e);
/* False without an error (e untouched) when the file does not exist or lies under a non-directory. */
MUST_USE bool fd_open_if_there(int dir, const char *path, int flags, int *out, bool *there, struct err *e);

MUST_USE bool fd_write_all(int fd, const void *p, size_t n, const char *name, struct err *e);
/* Reads to the end of the file into b; ERR_IO when b's limit is passed. */
MUST_USE bool fd_read_all(int fd, struct buf *b, const char *name, struct err *e);
/* A whole regular file as text in the arena, at most `limit` bytes; NUL behind it. */
MUST_USE bool fd_read_file(int dir, const char *path, size_t limit, struct arena *a, struct str *out, struct err *e);
/* The same, but a missing file gives out->p == NULL and true. */
MUST_USE bool fd_read_if_there(int dir, const char *path, size_t limit, struct arena *a, struct str *out,
                               struct err *e);

/* A read-only private mapping of a whole regular file; empty files give n == 0. Unmap with fd_unmap(). */
MUST_USE bool fd_map(int fd, const char *name, struct str *out, struct err *e);
void fd_unmap(struct str *map);

/* Exclusive or shared lock on an open file, held until the descriptor's last copy is closed (open file
 * description lock: it goes with the process). try_lock: *got says whether it was free. */
MUST_USE bool fd_lock(int fd, bool exclusive, const char *name, struct err *e);
MUST_USE bool fd_try_lock(int fd, bool exclusive, bool *got, const char *name, struct err *e);
