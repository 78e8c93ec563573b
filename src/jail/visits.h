/* The commands of one sandbox as blast-jail sees them: takes connections, hands each command to pid 1, and tells its
 * client the end. See jail/visit.h for what is said.
 *
 * A command is over for its client when whoever keeps the sandbox has taken note of it: what a log says of a command
 * is there when the command has returned. Nothing here waits.
 */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "jail/init.h"
#include "jail/visit.h"

struct buf;

#define VISITS_SESSIONS 64
#define VISITS_POLL_MAX (1 + INIT_VISITS_MAX + VISITS_SESSIONS)

enum visits_state { VISITS_ASKING, VISITS_RUNNING, VISITS_DONE, VISITS_TOLD };

struct visits_one {
    enum visits_state state;
    uint32_t id;        /* in the order of coming; of those that are told, that is the order of the answers */
    uint32_t told;
    int client;
    int status;         /* DONE: the command's wait status */
    const char *limit;  /* ... what ended it, or NULL; static */
    uint64_t begun_us;
    char name[VISIT_NAME];
};

struct visits {
    int listener;       /* -1: none (any more) */
    struct visits_one one[INIT_VISITS_MAX];
    size_t n;
    uint32_t next, tells;
    int session[VISITS_SESSIONS]; /* pidfds */
    int32_t session_pid[VISITS_SESSIONS];
    size_t sessions;
    bool served;        /* somebody came */
    bool stop;          /* somebody asked for the end of it all */
    int link;           /* to pid 1 */
    struct str report;  /* JSON, for each client */
    void (*look)(void *ctx, struct buf *json); /* answers VISIT_LOOK */
    void *ctx;
};

/* `serve`: a listening socket, or one connection that is the only one. Taken. */
void visits_open(struct visits *v, int serve);
/* Fills at most VISITS_POLL_MAX entries; visits_take() takes the same ones after poll(2). */
MUST_USE size_t visits_poll(const struct visits *v, struct pollfd *p);
void visits_take(struct visits *v, const struct pollfd *p, size_t n);

/* Pid 1 says that it is over. NULL: there is none of this number. */
struct visits_one *visits_over(struct visits *v, uint32_t id, int status, const char *limit);
/* Those that run are over, by a kill. */
void visits_over_all(struct visits *v, const char *limit);
/* What is done and was not told yet: has `tell` say so and waits for visits_noted(). */
void visits_tell(struct visits *v, void (*tell)(void *ctx, const struct visits_one *one), void *ctx);
/* The keeper has taken note of the one that was told first. */
void visits_noted(struct visits *v);
/* Is there nobody whom it has to stay for, but those that are done? */
MUST_USE bool visits_are_over(const struct visits *v);
MUST_USE bool visits_wait_for_note(const struct visits *v);

/* Whoever waits gets this answer after the report (n == 0: none), then all is closed. */
void visits_refuse(struct visits *v, struct str report, const struct visit_message *why);
/* Closes what is left; those that were told are told the end all the same. */
void visits_close(struct visits *v);
