/* Opening the other side of a connection: the name's addresses, one after the other, each only if it may be. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct conn;
struct gate;
struct name;

/* Has the name looked up, once for all that wait for it. False when too many are under way. */
MUST_USE bool dial_ask(struct gate *g, struct name *n);
/* What it asks for may be: looks the name up, or dials at once. */
void dial_begin(struct gate *g, struct conn *c);
/* The name was looked up. */
void dial_resolved(struct gate *g, struct conn *c);
/* The socket says something: it is connected, or the next address is tried. */
void dial_go_on(struct gate *g, struct conn *c);
/* Gives the current address up. False when there is no other. */
MUST_USE bool dial_next(struct gate *g, struct conn *c);
/* Inbound: asks the transit namespace for a socket; then takes it, connected or about to be. */
void dial_inside(struct gate *g, struct conn *c);
void dial_take(struct gate *g, struct conn *c, int fd);
