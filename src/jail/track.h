/* Access tracking by system call: seccomp's user notification on the calls that name a file or an address.
 *
 * The command loads the filter in itself, last but one before its exec, and hands the listener to a process outside,
 * which looks at each call (the path is read from the caller's memory), lets it go on, and tells each thing once. It
 * never decides anything: another thread may change the path after the look, so what is told is what was asked, not
 * proof of what was done; nor is the kernel's answer known. Whether the policy lets it through is judged by whoever
 * listens (sync/learn.h). Complete for the calls listed in track.c, whatever language makes them: io_uring, the one way
 * around, is refused by jail/seccomp.h. A question without an open (stat, access) is not told.
 *
 * Costs about 8 us for each of these calls and nothing for others. Paths are absolute, as inside the sandbox; `..` is
 * taken off by the text alone.
 *
 * When the process outside ends, the kernel answers these calls with ENOSYS: nothing hangs, nothing gets through
 * unseen, and the command fails. A program inside that wants a listener of its own gets EBUSY. Threads and vfork()
 * are no different: each caller waits for its own answer.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/asked.h"

struct err;
struct sock_filter;

#define TRACK_PROGRAM_MAX 64

/* Does the kernel have it, for this architecture? Changes nothing. */
MUST_USE bool track_is_there(void);

/* In the command: loads the filter for good; no_new_privs must be set. The listener is close-on-exec. From here on the
 * calls wait for whoever gets it, so hand it over (sendmsg() is no such call) and close it. ERR_IO. */
MUST_USE bool track_filter(int *listener, struct err *e);
/* The program of that filter, for tests; returns its length. */
size_t track_program(struct sock_filter *out);

/* Outside. */
struct track {
    int listener; /* owned */
    struct asked asked;
    uint64_t unread; /* calls whose caller could not be looked at: gone, or not ours to read */
    uint32_t starter; /* who called first, until the command runs: Blast's own exec of it, which only root may read */
    bool runs;
    void *call, *answer; /* buffers of the kernel's size */
    size_t call_size, answer_size;
};

/* Takes the listener over, also when it fails. */
MUST_USE bool track_open(struct track *t, int listener, struct err *e);
void track_close(struct track *t);
#define AUTO_TRACK AUTO(track_close) struct track
#define TRACK_NONE { .listener = -1 }

/* Serves one call, if one waits: it goes on before `tell` is called with what it was the first to ask for. False when
 * nobody is left who could make one. */
MUST_USE bool track_step(struct track *t, void (*tell)(void *ctx, const struct asked_item *item), void *ctx);
/* Serves all of them until nobody is left. For a process of its own: a caller's memory may be slow to read. */
void track_serve(struct track *t, void (*tell)(void *ctx, const struct asked_item *item), void *ctx);

/* The absolute path of `path` as seen from the directory `dir`, without `.`, `..` and doubled slashes, in out. False
 * when it does not fit or dir is not absolute. Pure. */
MUST_USE bool track_path(struct str dir, struct str path, char out[ASKED_WHAT_MAX], size_t *n);
