/* `<env>/.status`: what a shell's prompt says about an environment, one line, so that the shell reads it with its own
 * `read` and starts no process: `<generation> <word>[ <notice>]`.
 *
 * It is a hint for people, never the truth: nobody decides by it. Replaced by rename, so a reader sees the old or the
 * new line. A notice is printed to a terminal by shells: control characters in it are written as spaces.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define STATUS_FILE ".status"
#define STATUS_NOTICE_MAX 300 /* bytes; a longer notice is cut before a whole character */

enum status_word {
    STATUS_OK,     /* "ok":     (name) */
    STATUS_SYNC,   /* "sync":   (name ~), a background job is at work */
    STATUS_DECIDE, /* "decide": (name !), a decision waits for the user */
    STATUS_FAILED, /* "failed": (name x), the last background sync went wrong */
    STATUS_PINNED  /* "pinned": (name @12), an undo or a rollback chose this generation */
};

struct status_file {
    uint32_t seq;           /* the current generation; 0: none yet */
    enum status_word word;
    struct str notice;      /* one pending line for the next prompt; n == 0: none */
};

/* Only environments made by Blast have one: for an environment of another tool do not call it. */
MUST_USE bool status_file_write(int env_dir, const struct status_file *s, struct err *e);
/* *there is false, and *out "generation 0, ok", when there is no such file or it cannot be understood. The notice lies
 * in the arena. */
MUST_USE bool status_file_read(int env_dir, struct arena *a, struct status_file *out, bool *there, struct err *e);
/* "ok", "sync" ... */
MUST_USE const char *status_word(enum status_word word);
