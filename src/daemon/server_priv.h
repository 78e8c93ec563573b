/* What the files of the server share: its state, and the requests that wait for their answer. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <uv.h>
#include "base/arena.h"
#include "base/attr.h"
#include "daemon/log.h"
#include "daemon/peer.h"
#include "daemon/roster.h"
#include "daemon/server.h"
#include "daemon/session.h"
#include "daemon/singleton.h"
#include "daemon/upgrade.h"
#include "wire/seat.h"

struct buf;
struct daemon_event;
struct scheduler;
struct server;

#define WAITERS_PER_PEER 64

/* A request whose answer comes later. */
struct waiter {
    struct server *server;
    struct waiter *next;
    struct peer *peer;
    uint64_t id, job;
    uint64_t told; /* the turn in which an event was last sent for it */
    enum wire_method method;
};

enum server_end { END_NONE, END_STOP, END_UPGRADE };

struct server {
    struct server_config config;
    struct arena a;
    struct seat seat;
    struct singleton single;
    struct log log;
    struct roster roster;
    uv_loop_t loop;
    uv_signal_t signals[3];
    uv_timer_t idle;     /* armed only when nobody would miss the daemon */
    uv_timer_t consider; /* armed for the next turn of the loop after something changed */
    uv_timer_t drain;    /* armed while draining */
    struct upgrade upgrade;
    struct scheduler *scheduler;
    struct sessions *sessions;
    struct peers *peers;
    struct waiter *waiters;
    uint64_t turn;
    enum server_end end;
    bool upgrade_found;
    int64_t started, since; /* seconds since 1970; since: when draining began */
    uint64_t requests[WIRE_METHODS], faults[WIRE_FAULTS];
};

/* server.c */
void server_end(struct server *s, enum server_end how, const char *why);
void server_consider(struct server *s); /* something changed that idleness or an upgrade may depend on */
/* The answer that came late; the waiter is gone after this. */
void server_remove_waiter(struct server *s, struct waiter *w);

/* answer.c */
void answer_line(void *server, struct peer *p, struct str line);
void answer_gone(void *server, struct peer *p);
void answer_ended(struct server *s, bool done); /* to those who asked for the end, and those whose jobs did not end */

/* tell.c */
void tell_event(void *server, const struct daemon_event *event);
void tell_session_event(struct server *s, struct str path, uint64_t pid, bool begun);
void tell_goodbye(struct server *s); /* to subscribers */

/* figures.c */
void figures_text(const struct server *s, struct buf *out); /* OpenMetrics */
