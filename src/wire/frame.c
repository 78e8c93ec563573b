#include "wire/frame.h"

#include "base/err.h"
#include "wire/protocol.h"

void frame_init(struct frame *f)
{
    *f = (struct frame){ 0 };
    buf_init(&f->buf, WIRE_LINE_MAX + FRAME_READ);
}

void frame_clear(struct frame *f)
{
    buf_clear(&f->buf);
    f->used = f->scanned = 0;
}

/* Moves what is left to the front, or lets go of the memory when nothing is. */
static void compact(struct frame *f)
{
    size_t left = f->buf.n - f->used;

    if (f->used == 0)
        return;
    if (left == 0) {
        buf_clear(&f->buf);
    } else {
        memmove(f->buf.p, f->buf.p + f->used, left);
        f->buf.n = left;
    }
    f->used = 0;
}

char *frame_room(struct frame *f)
{
    compact(f);
    char *room = buf_reserve(&f->buf, FRAME_READ);

    if (!room)
        BUG("a frame of %zu bytes was filled further", f->buf.n);
    return room;
}

void frame_added(struct frame *f, size_t n)
{
    f->buf.n += n;
}

enum frame_next frame_next(struct frame *f, struct str *line)
{
    const char *from = f->buf.p + f->used;
    size_t left = f->buf.n - f->used;
    const char *end = left > f->scanned ? memchr(from + f->scanned, '\n', left - f->scanned) : NULL;

    if (end && (size_t)(end - from) < WIRE_LINE_MAX) {
        *line = (struct str){ from, (size_t)(end - from) };
        f->used += line->n + 1;
        f->scanned = 0;
        return FRAME_LINE;
    }
    if (end || left >= WIRE_LINE_MAX)
        return FRAME_TOO_LONG;
    f->scanned = left;
    return FRAME_MORE;
}

size_t frame_memory(const struct frame *f)
{
    return f->buf.cap;
}

bool frame_is_partial(const struct frame *f)
{
    return f->buf.n > f->used;
}
