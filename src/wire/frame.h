/* Lines out of a stream of bytes: what a socket gives goes in, whole lines come out.
 *
 * A line has at most WIRE_LINE_MAX bytes with its line end. Memory grows with what is actually waiting, never past
 * that limit and one read, and is given back when all lines were taken.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/buf.h"
#include "base/str.h"

#define FRAME_READ 16384 /* bytes of room that frame_room() gives */

struct frame {
    struct buf buf;
    size_t used;    /* bytes at the front that were given out */
    size_t scanned; /* bytes behind these in which there is no line end */
};

enum frame_next {
    FRAME_LINE,
    FRAME_MORE,    /* no whole line is there yet */
    FRAME_TOO_LONG /* the line has passed the limit; there is no way on from here */
};

void frame_init(struct frame *f);
void frame_clear(struct frame *f);
/* Room for FRAME_READ bytes; lines given out before are gone after this. */
MUST_USE NOT_NULL char *frame_room(struct frame *f);
void frame_added(struct frame *f, size_t n); /* so many bytes were written there */
/* *line is without its line end and valid until the next frame_room(). */
MUST_USE enum frame_next frame_next(struct frame *f, struct str *line);
/* Bytes of memory held. */
MUST_USE size_t frame_memory(const struct frame *f);
/* Some bytes of a line are here, the rest is not. */
MUST_USE bool frame_is_partial(const struct frame *f);
