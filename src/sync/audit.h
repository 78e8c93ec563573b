/* The audit log: what changed environments, policy and trust, by whom, in an order that cannot be altered unseen.
 *
 *     <state>/audit/log.jsonl      one JSON object a line, the newest last
 *     <state>/audit/log.1.jsonl    the one before, and so on up to AUDIT_FILES; the oldest is dropped
 *     <state>/audit/head           the newest checkpoint, apart from the log: "seq hash time"
 *     <state>/audit/lock           held exclusively while a line is added
 *
 * A line is {"seq","ts","mono","actor","uid","event","env","gen","data","prev","hash"}: hash is the sha256 of prev,
 * as its 64 characters, and of the line up to `,"hash"`. So whoever changes, drops or inserts a line must change all
 * behind it. What a chain cannot prove: the same user can write the whole of it anew, or cut its end off; the second is
 * seen when a checkpoint of a later line is known (head, or the copy an administrator keeps elsewhere).
 *
 * A last line that a crash cut short is removed by the next writer, which says so in an event of its own. Nothing is
 * read but the tail, no cryptographic library is loaded: one line costs less than 0.2 ms. No secrets: user names and
 * passwords in URLs, and what stands behind `?`, are left out; control characters are escaped as JSON wants it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct dirs;
struct err;
struct plan;
struct workspace;

#define AUDIT_FILES 4                     /* kept, the current one included */
#define AUDIT_FILE_MAX ((size_t)4 << 20)  /* bytes after which the next line begins a new file */
#define AUDIT_LINE_MAX ((size_t)64 << 10) /* bytes of one line; `data` that is longer is replaced by its size */
#define AUDIT_CHECKPOINT_LINES 256        /* lines between two checkpoints */

/* What is recorded: name in C, word in the log. One line here adds an event. */
#define AUDIT_EVENTS(X)                                                                                                \
    X(GENERATION, "generation")       /* packages changed: command, why, what came and went */                         \
    X(RESTORE, "restore")             /* undo, redo, rollback */                                                       \
    X(CREATED, "environment-created")                                                                                  \
    X(PURGED, "environment-purged")                                                                                    \
    X(EJECTED, "environment-ejected")                                                                                  \
    X(DRIFT, "drift")                 /* changed by hand or by another tool */                                         \
    X(TRUSTED, "trusted")                                                                                              \
    X(REVOKED, "trust-revoked")                                                                                        \
    X(POLICY, "policy-changed")       /* the settings of blast.toml that are in force */                               \
    X(STARTUP, "startup-allowed")     /* code that runs at interpreter start, allowed by name or answer */             \
    X(DENIED, "denied")                                                                                                \
    X(BUILD, "build")                                                                                                  \
    X(SANDBOX, "sandbox")             /* a sandbox was entered */                                                      \
    X(CONNECTION, "connection")                                                                                        \
    X(DAEMON_START, "daemon-started")                                                                                  \
    X(DAEMON_STOP, "daemon-stopped")                                                                                   \
    X(LOGGING, "audit-logging")       /* switched off or on for a project */                                           \
    X(HEALED, "healed")               /* a torn last line was removed */                                               \
    X(ROTATED, "rotated")                                                                                              \
    X(CHECKPOINT, "checkpoint")

enum audit_event {
#define X(id, word) AUDIT_##id,
    AUDIT_EVENTS(X)
#undef X
    AUDIT_EVENT_COUNT
};

const char *audit_word(enum audit_event event);

struct audit_entry {
    enum audit_event event;
    struct str actor; /* cli | daemon | pip | import-hook; n == 0: cli */
    struct str env;   /* path of the environment or project; n == 0: none */
    uint32_t gen;     /* 0: none */
    struct str data;  /* a JSON object, no secrets in it; n == 0: {} */
};

/* Adds one line. ERR_IO when it cannot be written: the caller decides whether that matters. */
MUST_USE bool audit_append(const struct dirs *d, const struct audit_entry *entry, struct err *e);

/* The same for what happens in a workspace: [security] audit_logging is obeyed, actor and environment are filled in.
 * Never fails: what cannot be recorded is a warning of the workspace. */
void audit_record(struct workspace *w, enum audit_event event, uint32_t gen, struct str data);

/* {"command","why","changes":["+rich 14.1","-x 1","~y 1 -> 2"]}: data of a change. `plan` may be NULL. */
MUST_USE struct str audit_change_data(struct arena *a, struct str command, struct str why, const struct plan *plan);
/* {"NAME":"value"} pairs, NULL-terminated list of C strings; values with URLs in them lose their credentials. */
MUST_USE struct str audit_data(struct arena *a, const char *name, ...);

/* ------------------------------------------------------------ reading */

struct audit_line {
    uint64_t seq, mono, uid; /* mono: milliseconds since boot */
    uint32_t gen;
    int64_t ts;              /* seconds since 1970 */
    struct str actor, event, env, data, prev, hash;
    struct str text;         /* the line as it stands, without its end */
};

/* One line without its '\n'. ERR_PACKAGE when it is none of ours; the chain is not looked at. Views into line or
 * arena. */
MUST_USE bool audit_parse(struct str line, struct arena *a, struct audit_line *out, struct err *e);
/* Whether the line's own hash is right for its content. */
MUST_USE bool audit_line_is_whole(const struct audit_line *line);

/* Every line that is there, oldest first; `each` returns false to stop. Lines that cannot be read are given with
 * event.n == 0 and their text. */
MUST_USE bool audit_each(const struct dirs *d, bool (*each)(void *ctx, const struct audit_line *line), void *ctx,
                         struct err *e);

struct audit_verdict {
    bool whole;          /* nothing wrong was found */
    uint64_t lines;
    uint64_t first, last; /* sequence numbers that are there; 0: none */
    uint64_t bad;        /* the first wrong one (where it should be, when its number cannot be read); 0: none */
    uint64_t checkpoint; /* the newest line that a checkpoint outside the log vouches for; 0: none */
    bool truncated;      /* the end is missing: the checkpoint is of a later line */
    bool torn;           /* the last line is incomplete, as a crash leaves it */
    struct str why;      /* in the arena */
    struct str head;     /* hash of the last good line; n == 0: none */
};

/* A checkpoint that was kept where the owner of the log cannot change it. */
struct audit_checkpoint {
    uint64_t seq;
    char hash[65]; /* hexadecimal, with NUL */
};

/* Follows the chain from the first line that is there to the last. `outside` (may be NULL: the one beside the log)
 * is what the end is compared with. */
MUST_USE bool audit_verify(const struct dirs *d, const struct audit_checkpoint *outside, struct arena *a,
                           struct audit_verdict *out, struct err *e);
