/* The way out of a sandbox, from blast-jail's side: the program blast-gate, the transit process, and what both say. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct init_task;
struct jail_policy;
struct userns_map;

struct outlet {
    pid_t gate, transit; /* 0: none */
    int events;          /* from blast-gate, or -1 */
    int transit_link;    /* its end ends the transit process; -1: none */
};

#define OUTLET_NONE { .events = -1, .transit_link = -1 }
#define OUTLET_EVENT_MAX 4096

/* Does the policy ask for one, and can a sandbox of its level have it? */
MUST_USE bool outlet_is_wanted(const struct jail_policy *p);

struct outlet_start {
    const struct jail_policy *p;
    struct init_task *init;   /* pid 1, which the transit process starts */
    const struct userns_map *map;
    bool root;
    uint64_t namespaces;      /* of pid 1 */
    int control;              /* listening socket for the table of connections, or -1 */
    const int *close;         /* our descriptors that no other process may keep, -1 at the end */
};

/* Starts both and, through them, pid 1 of the sandbox, whose number is in *init; it waits for LINK_GO as it does
 * otherwise. False: nothing of it is left. */
MUST_USE bool outlet_open(struct outlet *o, const struct outlet_start *s, pid_t *init, struct err *e);
/* Waits until blast-gate is ready to judge. */
MUST_USE bool outlet_await(struct outlet *o, struct err *e);
/* One event, in `room`. False at the end, when blast-gate is gone: nothing gets out from then on. */
MUST_USE bool outlet_hear(struct outlet *o, char room[OUTLET_EVENT_MAX], struct str *event);
/* Ends both. */
void outlet_close(struct outlet *o);
