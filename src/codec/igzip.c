#include "codec/igzip.h"

#include <dlfcn.h>
#include <isa-l/igzip_lib.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/mem.h"

#define ISAL_LIBRARY "libisal.so.2"
#define FEED (1u << 20) /* bytes given at a time: the library counts in 32 bits, a member may have more */

struct igzip {
    struct inflate_state state;
    struct str packed;
    size_t given, taken; /* bytes of packed: to the library; of these read by it */
    uint8_t piece[IGZIP_PIECE];
};

static struct {
    bool ready;
    __typeof__(isal_inflate_init) *init;
    __typeof__(isal_inflate) *inflate;
} isal;

static pthread_once_t isal_once = PTHREAD_ONCE_INIT;

static void open_isal(void)
{
    void *lib = dlopen(ISAL_LIBRARY, RTLD_LAZY | RTLD_LOCAL);

    if (!lib)
        return;
    void *init = dlsym(lib, "isal_inflate_init"), *inflate = dlsym(lib, "isal_inflate");

    memcpy(&isal.init, &init, sizeof init);
    memcpy(&isal.inflate, &inflate, sizeof inflate);
    isal.ready = init && inflate;
}

struct igzip *igzip_new(void)
{
    (void)pthread_once(&isal_once, open_isal); /* its only error is a bad argument */
    return isal.ready ? mem_alloc(sizeof(struct igzip)) : NULL;
}

void igzip_free(struct igzip *g)
{
    free(g);
}

void igzip_begin(struct igzip *g, struct str packed)
{
    isal.init(&g->state);
    g->packed = packed;
    g->given = g->taken = 0;
}

static void feed(struct igzip *g)
{
    size_t n = MIN(g->packed.n - g->given, (size_t)FEED);

    g->state.next_in = (uint8_t *)(uintptr_t)(g->packed.p + g->given); /* it only reads there */
    g->state.avail_in = (uint32_t)n;
    g->given += n;
}

/* Not after an error: the library leaves its counts as they happen to be. */
static size_t count_taken(const struct igzip *g)
{
    int32_t held = g->state.read_in_length; /* bits; negative where the packed bytes end too early */

    return g->given - g->state.avail_in - (held > 0 ? (size_t)held / 8 : 0);
}

enum igzip_step igzip_next(struct igzip *g, struct str *piece)
{
    struct inflate_state *s = &g->state;
    bool all = false;

    *piece = (struct str){ (const char *)g->piece, 0 };
    s->next_out = g->piece;
    s->avail_out = sizeof g->piece;
    while (s->avail_out && s->block_state != ISAL_BLOCK_FINISH && !all) {
        if (!s->avail_in)
            feed(g);
        all = g->given == g->packed.n;
        if (isal.inflate(s) != ISAL_DECOMP_OK)
            return IGZIP_DAMAGED;
        g->taken = count_taken(g);
    }
    piece->n = sizeof g->piece - s->avail_out;
    if (piece->n)
        return IGZIP_MORE;
    return s->block_state == ISAL_BLOCK_FINISH ? IGZIP_END : IGZIP_DAMAGED;
}

size_t igzip_taken(const struct igzip *g)
{
    return g->taken;
}
