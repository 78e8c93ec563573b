/* Errors: a kind, the frames of what was being done, and one thing the user can do.
 *
 * A function that can fail returns bool and takes `struct err *e` last. All setters return false, so the whole
 * error path is `return err_sys(e, "open %s", path);`. Nothing here allocates or prints: frames are kept in the
 * object, root cause first, 2 KiB in all; when that is full later frames are dropped and the root stays.
 * The innermost system call sets ERR_IO; the layer that knows the purpose names the kind once with err_as().
 */
#pragma once

#include <stdbool.h>
#include <stdlib.h>
#include "base/attr.h"

/* kind, word in JSON and messages, exit code of the program */
#define ERR_KINDS(X)                                                                                                   \
    X(IO, "io", 1)                                                                                                     \
    X(PYTHON, "python", 1)                                                                                             \
    X(PACKAGE, "package", 1)                                                                                           \
    X(ENVIRONMENT, "environment", 1)                                                                                   \
    X(CACHE, "cache", 1)                                                                                               \
    X(RESOLUTION, "resolution", 1)                                                                                     \
    X(CONFIG, "config", 2)                                                                                             \
    X(NETWORK, "network", 6)                                                                                           \
    X(DAEMON, "daemon", 1)

enum err_kind {
    ERR_NONE,
#define X(kind, word, code) ERR_##kind,
    ERR_KINDS(X)
#undef X
};

struct err {
    enum err_kind kind;
    int sys;       /* errno of the root cause, 0 when there is none */
    int exit_code; /* 0: the kind's own */
    unsigned n;    /* bytes of text used */
    char text[2048]; /* frames, root first, each ended by '\n' but the last */
    char hint[512];
};

bool err_set(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4); /* new root, no errno */
bool err_sys(struct err *e, const char *fmt, ...) PRINTF(2, 3);   /* new root, kind IO, ": strerror(errno)" behind it */
bool err_wrap(struct err *e, const char *fmt, ...) PRINTF(2, 3);  /* one more frame */
bool err_as(struct err *e, enum err_kind kind, const char *fmt, ...) PRINTF(3, 4); /* frame and new kind */
bool err_hint(struct err *e, const char *fmt, ...) PRINTF(2, 3);  /* replaces the hint: one thing to do */
bool err_exit(struct err *e, int exit_code);                      /* exit code other than the kind's own */
void err_clear(struct err *e);

const char *err_word(enum err_kind kind);  /* "network"; "none" for ERR_NONE */
int err_exit_code(const struct err *e);    /* what the program ends with */

/* Frames from the outermost (i = 0) inwards; false past the last. *frame points into e, *n is its length. */
bool err_frame(const struct err *e, unsigned i, const char **frame, unsigned *n);

/* The impossible: file and line on stderr, then abort(). Never for input. */
#define BUG(...) err_bug(__FILE__, __LINE__, __VA_ARGS__)
NORETURN void err_bug(const char *file, int line, const char *fmt, ...) PRINTF(3, 4);

/* The setters return false: said here as well, where the compiler sees it. Else it warns of results that are not set
 * after `return err_set(...)` in every function that it inlines. */
#define ERR_FALSE(call) __extension__({ (void)call; false; })
#define err_set(...) ERR_FALSE(err_set(__VA_ARGS__))
#define err_sys(...) ERR_FALSE(err_sys(__VA_ARGS__))
#define err_wrap(...) ERR_FALSE(err_wrap(__VA_ARGS__))
#define err_as(...) ERR_FALSE(err_as(__VA_ARGS__))
#define err_hint(...) ERR_FALSE(err_hint(__VA_ARGS__))
#define err_exit(...) ERR_FALSE(err_exit(__VA_ARGS__))
