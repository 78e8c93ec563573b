#include "base/clock.h"
#include "gate/state.h"

/* Bytes come in at `rate` and are kept up to `burst`; a rate of 0 is no limit. */

void bucket_init(struct bucket *b, uint64_t rate, uint64_t burst)
{
    *b = (struct bucket){ .rate = rate, .burst = burst, .level = burst, .at_us = clock_us() };
}

static void fill(struct bucket *b)
{
    uint64_t now = clock_us(), gone = MIN(now - b->at_us, 1000000u);
    uint64_t more = (uint64_t)((double)b->rate * (double)gone / 1e6);

    if (more == 0)
        return; /* the time is kept for the next look */
    b->level = MIN(b->level + more, b->burst);
    b->at_us = now;
}

size_t bucket_take(struct bucket *b, size_t want)
{
    if (b->rate == 0)
        return want;
    if (b->level < want)
        fill(b);
    size_t got = MIN(want, b->level);

    b->level -= got;
    return got;
}

bool bucket_has(struct bucket *b)
{
    if (b->rate && b->level == 0)
        fill(b);
    return b->rate == 0 || b->level > 0;
}

void bucket_return(struct bucket *b, size_t n)
{
    b->level = MIN(b->level + n, b->burst);
}
