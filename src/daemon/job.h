/* What a job of the daemon is, in the words of the protocol and of the queue file. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

/* Verb, word: `blast background WORD` does it. */
#define JOB_VERB_WORDS(X)                                                                                              \
    X(SYNC, "sync")                                                                                                    \
    X(UPDATE, "update")                                                                                                \
    X(CHECK, "check")                                                                                                  \
    X(SNAPSHOT, "snapshot")

enum job_verb {
#define X(verb, word) JOB_##verb,
    JOB_VERB_WORDS(X)
#undef X
    JOB_VERBS
};

/* First comes first. */
enum job_priority {
    PRIORITY_FOREGROUND, /* somebody waits at a terminal; is never pre-empted */
    PRIORITY_USER,       /* handed in by a command that does not wait */
    PRIORITY_WATCH,      /* a file changed */
    PRIORITY_CHECK,      /* looking for updates, snapshots */
    PRIORITIES
};

enum job_state { JOB_WAITING, JOB_RUNNING, JOB_DONE, JOB_FAILED, JOB_CANCELLED };

/* How a job ended: what the child printed ("blast.background/1"), or what there is to say without it. */
struct job_result {
    uint64_t job;
    enum job_state state; /* DONE, FAILED or CANCELLED */
    struct str word;      /* "synced", "unchanged", "pending", "failed" ...; n == 0 when cancelled */
    struct str message;   /* for people; may be empty */
    struct str json;      /* the child's object as it was printed, on one line; n == 0 when there is none */
    uint64_t generation;  /* 0: none was said */
    bool read;            /* it said what it read and left: */
    uint64_t pyproject, lock; /* digests of the files' bytes, as closure.h makes them */
    bool passing;         /* it failed by what may pass: a full disk */
    int exit_code;        /* of the child, 128 + signal; -1 when it did not run */
};

const char *job_verb_word(enum job_verb verb);
const char *job_priority_word(enum job_priority priority); /* "foreground", "user", "watch", "check" */
const char *job_state_word(enum job_state state); /* "waiting", "running", "done", "failed", "cancelled" */
/* The words back; false when it is none. */
MUST_USE bool job_verb_find(struct str word, enum job_verb *out);
MUST_USE bool job_priority_find(struct str word, enum job_priority *out);

#define JOB_OUTPUT_MAX (256u << 10) /* bytes a child may print */

/* Reads a child's object into word, message, json (without line ends), generation, read, pyproject, lock and passing;
 * the rest of *out is left alone. The views live in the arena. ERR_DAEMON when it is no JSON or not of the schema
 * "blast.background/1". */
MUST_USE bool job_result_parse(struct str text, struct arena *a, struct job_result *out, struct err *e);

/* A line of progress: {"event":"progress","phase":"fetch","done":3,"total":12}. */
struct job_progress {
    struct str phase;
    uint64_t done, total;
};
/* False when the line is none. */
MUST_USE bool job_progress_parse(struct str line, struct arena *a, struct job_progress *out);
