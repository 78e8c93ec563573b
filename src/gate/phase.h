/* Which phase a connection is in: lists in the order of coming, so that the first is the oldest. */
#pragma once

#include "gate/state.h"

static inline void phase_leave(struct gate *g, struct conn *c)
{
    if (c->phase == CONN_DEAD)
        return;
    struct conn_list *list = &g->phase[c->phase];

    *(c->prev ? &c->prev->next : &list->first) = c->next;
    *(c->next ? &c->next->prev : &list->last) = c->prev;
    list->n--;
}

static inline void phase_enter(struct gate *g, struct conn *c, enum conn_phase phase)
{
    struct conn_list *list = &g->phase[phase];

    phase_leave(g, c);
    c->phase = phase;
    c->phase_ms = g->now_ms;
    c->next = NULL;
    c->prev = list->last;
    *(list->last ? &list->last->next : &list->first) = c;
    list->last = c;
    list->n++;
}
