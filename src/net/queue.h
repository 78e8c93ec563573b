/* Requests that wait: a binary heap, so that thousands of them cost a step nothing. Internal to net/. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"

struct http_request;

struct queue {
    struct http_request **p;
    size_t n, cap;
    bool by_time; /* the earliest due first; else by priority, then in order of arrival */
};

void queue_clear(struct queue *q);
void queue_add(struct queue *q, struct http_request *r);
/* The first, or NULL. */
MUST_USE struct http_request *queue_peek(const struct queue *q);
/* Takes one out, wherever it stands; it must be in this queue. */
void queue_remove(struct queue *q, struct http_request *r);
