#include "base/clock.h"
#include "gate/state.h"

/* Bytes come in at `rate` and are kept up to `burst`; a rate of 0 is no limit. */

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst)
{
    *b = (struct bucket){ .rate = rate, .burst = burst, .level = (int64_t)burst, .at_us = clock_us() };
}

static void fill(struct bucket *b)
{
    uint64_t now = clock_us(), gone = MIN(now - b->at_us, 1000000u);
    int64_t more = (int64_t)((double)b->rate * (double)gone / 1e6);

    if (more == 0)
        return; /* the time is kept for the next look */
    b->level = MIN(b->level + more, (int64_t)b->burst);
    b->at_us = now;
}

size_t bucket_take(struct bucket *b, size_t want)
{
    if (b->rate == 0)
        return want;
    if (b->level < (int64_t)want)
        fill(b);
    size_t got = b->level > 0 ? MIN(want, (size_t)b->level) : 0;

    b->level -= (int64_t)got;
    return got;
}

bool bucket_has(struct bucket *b)
{
    if (b->rate && b->level <= 0)
        fill(b);
    return b->rate == 0 || b->level > 0;
}

void bucket_return(struct bucket *b, size_t n)
{
    b->level = MIN(b->level + (int64_t)n, (int64_t)b->burst);
}

void bucket_owe(struct bucket *b, size_t n)
{
    if (b->rate)
        b->level -= (int64_t)n;
}
