#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

#define REASON_MAX 128 /* room kept behind the root for what the system says */

/* A frame is one line, whatever the data in it; only a resolution's lines belong together. */
static void append(struct err *e, const char *frame)
{
    size_t len = strlen(frame), need = len + (e->n ? 1 : 0);

    if (e->n + need >= sizeof e->text)
        return;
    if (e->n)
        e->text[e->n++] = '\n';
    for (size_t i = 0; i < len; i++)
        e->text[e->n + i] = frame[i] == '\n' && e->kind != ERR_RESOLUTION ? ' ' : frame[i];
    e->n += (unsigned)len;
    e->text[e->n] = '\0';
}

static void __attribute__((format(printf, 2, 0))) add_frame(struct err *e, const char *fmt, va_list ap)
{
    char frame[sizeof e->text];

    if (vsnprintf(frame, sizeof frame, fmt, ap) >= 0)
        append(e, frame);
}

/* The arguments may point into the error that is replaced: they are read first. */
static void __attribute__((format(printf, 4, 0))) set_root(struct err *e, enum err_kind kind, int sys, const char *fmt,
                                                           va_list ap)
{
    char frame[sizeof e->text];
    int n = vsnprintf(frame, sizeof frame - (sys ? REASON_MAX : 0), fmt, ap);

    *e = (struct err){ .kind = kind, .sys = sys };
    if (n >= 0)
        append(e, frame);
}

/* Parentheses: these are macros too (err.h). */
bool (err_set)(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    set_root(e, kind, 0, fmt, ap);
    va_end(ap);
    return false;
}

bool (err_sys)(struct err *e, const char *fmt, ...)
{
    int sys = errno;
    const char *why = strerrordesc_np(sys);
    va_list ap;

    va_start(ap, fmt);
    set_root(e, ERR_IO, sys, fmt, ap);
    va_end(ap);
    size_t room = sizeof e->text - e->n;
    int n = snprintf(e->text + e->n, room, ": %s", why ? why : "unknown error");

    if (n > 0)
        e->n += (unsigned)MIN((size_t)n, room - 1);
    return false;
}

bool (err_wrap)(struct err *e, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    add_frame(e, fmt, ap);
    va_end(ap);
    return false;
}

bool (err_as)(struct err *e, enum err_kind kind, const char *fmt, ...)
{
    va_list ap;

    e->kind = kind;
    va_start(ap, fmt);
    add_frame(e, fmt, ap);
    va_end(ap);
    return false;
}

bool (err_hint)(struct err *e, const char *fmt, ...)
{
    char hint[sizeof e->hint]; /* the arguments may point into the old one */
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(hint, sizeof hint, fmt, ap);
    va_end(ap);
    memcpy(e->hint, hint, sizeof hint);
    return false;
}

bool (err_exit)(struct err *e, int exit_code)
{
    e->exit_code = exit_code;
    return false;
}

void err_clear(struct err *e)
{
    *e = (struct err){ 0 };
}

const char *err_word(enum err_kind kind)
{
    switch (kind) {
#define X(kind, word, code)                                                                                            \
    case ERR_##kind:                                                                                                   \
        return word;
        ERR_KINDS(X)
#undef X
    case ERR_NONE:
        break;
    }
    return "none";
}

int err_exit_code(const struct err *e)
{
    if (e->exit_code)
        return e->exit_code;
    switch (e->kind) {
#define X(kind, word, code)                                                                                            \
    case ERR_##kind:                                                                                                   \
        return code;
        ERR_KINDS(X)
#undef X
    case ERR_NONE:
        break;
    }
    return 1;
}

bool err_frame(const struct err *e, unsigned i, const char **frame, unsigned *n)
{
    unsigned end = e->n;

    if (e->kind == ERR_RESOLUTION) { /* its lines belong together: one frame */
        *frame = e->text;
        *n = e->n;
        return i == 0 && e->n > 0;
    }
    for (;; i--) {
        unsigned from = end;

        while (from > 0 && e->text[from - 1] != '\n')
            from--;
        if (i == 0) {
            *frame = e->text + from;
            *n = end - from;
            return *n > 0;
        }
        if (from == 0)
            return false;
        end = from - 1;
    }
}

void err_bug(const char *file, int line, const char *fmt, ...)
{
    va_list ap;

    (void)fprintf(stderr, "bug at %s:%d: ", file, line);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    abort();
}
