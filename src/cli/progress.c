#include "cli/progress.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include "base/attr.h"
#include "base/clock.h"
#include "cli/ui.h"

#define QUIET_MS 150u  /* a command that ends sooner shows nothing */
#define REDRAW_MS 100u

static struct {
    uint64_t started, drawn;
    bool shown;
    uint64_t rate_at, rate_bytes; /* start of the bytes now counted */
} state;

static void human(uint64_t bytes, char out[16])
{
    if (bytes < 1000000)
        (void)snprintf(out, 16, "%.0f kB", (double)bytes / 1e3);
    else if (bytes < 1000000000)
        (void)snprintf(out, 16, "%.1f MB", (double)bytes / 1e6);
    else
        (void)snprintf(out, 16, "%.2f GB", (double)bytes / 1e9);
}

static size_t format(const struct progress *p, uint64_t now, char *out, size_t room)
{
    char part[64] = "", size[16], of[24] = "", rate[16];
    int n;

    if (p->total)
        (void)snprintf(part, sizeof part, " %zu/%zu", p->done, p->total);
    else if (p->done)
        (void)snprintf(part, sizeof part, " %zu", p->done);
    n = snprintf(out, room, "%s%s", p->phase, part);
    if (p->of_bytes && n > 0 && (size_t)n < room) {
        uint64_t ms = now - state.rate_at;

        human(p->bytes, size);
        human(ms ? (p->bytes - state.rate_bytes) * 1000 / ms : 0, rate);
        if (p->of_bytes > p->bytes) {
            of[0] = '/';
            human(p->of_bytes, of + 1);
        }
        n += snprintf(out + n, room - (size_t)n, "  %s%s  %s/s", size, of, rate);
    }
    if (p->item && n > 0 && (size_t)n < room)
        n += snprintf(out + n, room - (size_t)n, "  %s", p->item);
    return n > 0 ? MIN((size_t)n, room - 1) : 0;
}

void progress_show(const struct progress *p)
{
    uint64_t now = clock_ms();
    char text[256];

    if (!ui.progress)
        return;
    if (!state.started)
        state.started = now;
    if (!p->of_bytes || p->bytes < state.rate_bytes || !state.rate_at) {
        state.rate_at = now;
        state.rate_bytes = p->bytes;
    }
    if (now - state.started < QUIET_MS || now - state.drawn < REDRAW_MS)
        return;
    size_t n = format(p, now, text, MIN(sizeof text, (size_t)ui.width));

    (void)fprintf(stderr, "\r%s%.*s%s\033[K", ui_on(stderr, UI_DIM), (int)n, text, ui_on(stderr, UI_PLAIN));
    (void)fflush(stderr);
    state.drawn = now;
    state.shown = true;
}

void progress_hide(void)
{
    if (!state.shown)
        return;
    (void)fputs("\r\033[K", stderr);
    (void)fflush(stderr);
    state.shown = false;
}
