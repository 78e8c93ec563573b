/* Rows that were read are written and read again as they were. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "pep/record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { 0 };
    struct err e = { 0 };
    struct record r, again;

    buf_init(&b, RECORD_MAX);
    if (!record_parse(&a, (struct str){ (const char *)data, size }, &r, &e))
        return 0;
    for (size_t i = 0; i < r.n; i++)
        if (!record_write(&b, &r.row[i]))
            return 0;
    if (!record_parse(&a, buf_done(&b), &again, &e) || again.n != r.n)
        abort();
    for (size_t i = 0; i < r.n; i++)
        if (!str_eq(r.row[i].path, again.row[i].path) || !str_eq(r.row[i].alg, again.row[i].alg) ||
            r.row[i].n_digest != again.row[i].n_digest || r.row[i].size != again.row[i].size)
            abort();
    return 0;
}
