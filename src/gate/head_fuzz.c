/* Requests one behind the other, as judge.c follows them: what is accepted lies inside what came, and a whole head is
 * the same when more follows it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "gate/head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool pass_body(struct body *b, struct str *rest)
{
    while (!body_is_over(b)) {
        size_t n = b->left <= rest->n ? (size_t)b->left : rest->n;

        *rest = str_sub(*rest, n, rest->n);
        b->left -= n;
        if (b->left)
            return false;
        if (!body_is_over(b)) {
            if (body_read(b, *rest, &n) != HEAD_WHOLE)
                return false;
            if (n == 0 || n > rest->n)
                abort();
            *rest = str_sub(*rest, n, rest->n);
        }
    }
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = { (const char *)data, size };
    struct head h, alone;

    while (rest.n) {
        enum head_state s = head_read(rest, &h);

        if (s == HEAD_WRONG && !h.why)
            abort();
        if (s != HEAD_WHOLE)
            return 0;
        if (h.length > rest.n || head_read(str_sub(rest, 0, h.length), &alone) != HEAD_WHOLE ||
            strcmp(h.host, alone.host) != 0)
            abort();
        rest = str_sub(rest, h.length, rest.n);
        if (!pass_body(&h.body, &rest))
            return 0;
    }
    return 0;
}
