#include "base/mem.h"

#include <stdint.h>
#include <unistd.h>

static NORETURN void out_of_memory(void)
{
    static const char text[] = "error: out of memory\n";

    (void)!write(STDERR_FILENO, text, sizeof text - 1); /* nothing is left to do if this fails too */
    abort();
}

void *mem_alloc(size_t n)
{
    void *p = malloc(n ? n : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *mem_zero(size_t count, size_t size)
{
    void *p = calloc(count ? count : 1, size ? size : 1);

    if (!p)
        out_of_memory();
    return p;
}

void *mem_grow(void *p, size_t count, size_t size)
{
    void *q = reallocarray(p, count ? count : 1, size);

    if (!q)
        out_of_memory();
    return q;
}

char *mem_dup(const void *p, size_t n)
{
    if (n == SIZE_MAX)
        out_of_memory();
    char *q = mem_alloc(n + 1);

    if (n)
        memcpy(q, p, n);
    q[n] = '\0';
    return q;
}

void mem_auto(void *pointer_to_pointer)
{
    void *p;

    memcpy(&p, pointer_to_pointer, sizeof p);
    free(p);
}
