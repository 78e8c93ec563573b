/* What was asked for in a sandbox: kept for `blast sandbox accesses` and `learned`, and put into the audit log where it
 * was refused. Only where the policy has tracking, which --learn gives it.
 *
 *     <state>/accesses/MARK.jsonl     in the project's sandbox that was made last: all of it
 *     <state>/learned/MARK.jsonl      what was refused since the last `learned --apply` or `forget`
 *     <state>/track/MARK/PID.jsonl    what the environment's Python notes, while the client PID runs a command
 *
 * Lines as in jail/asked.h. The sandbox's keeper writes what blast-gate and the trackers tell, when a command is over;
 * the command's client what Python noted. None of it is trusted: what runs inside decides what is in it. The first two
 * lie where no sandbox sees them, so a run can only ask; a person looks at the change and makes it.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/asked.h"

struct arena;
struct cmd;
struct err;
struct jail_policy;
struct workspace;

/* What tracking wants of a policy: with --learn some tracking, and a directory where Python can note. */
MUST_USE bool observe_policy(struct cmd *c, const struct workspace *w, struct jail_policy *p, struct err *e);

/* Of one sandbox or one command. */
struct observe {
    struct workspace *w;
    struct arena *a;
    const struct jail_policy *p;
    struct str notes;     /* the directory of Python's notes */
    struct asked asked;
    size_t kept;          /* of them, how many are in the files */
    struct asked unread;  /* what could not be told, since the files were written */
    bool records;         /* refusals go into the audit log */
    size_t recorded;
    uint64_t unrecorded;
};
#define AUTO_OBSERVE AUTO(observe_clear) struct observe
void observe_init(struct observe *o, struct workspace *w, struct arena *a, const struct jail_policy *p);
void observe_clear(struct observe *o);

/* The keeper's: `key` and `value` as jail_keep() gives them. */
void observe_hear(struct observe *o, struct str key, struct str value);

/* The client's. What the command needs in its environment, "BLAST_TRACK=...", or NULL. */
MUST_USE bool observe_begin(struct observe *o, const char **variable, struct err *e);
/* Takes in what Python noted, and with --learn shows the change of blast.toml on standard error. */
MUST_USE bool observe_end(struct observe *o, struct cmd *c, struct err *e);

/* blast sandbox accesses, learned [--apply], forget */
MUST_USE bool observe_accesses(struct cmd *c, struct workspace *w, struct err *e);
MUST_USE bool observe_learned(struct cmd *c, struct workspace *w, const struct jail_policy *p, struct err *e);
MUST_USE bool observe_forget(const struct workspace *w, struct err *e);
