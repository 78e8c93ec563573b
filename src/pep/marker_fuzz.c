/* A marker that parses prints a text that parses to the same tree, and evaluating it ends. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "pep/marker.h"
#include "pep/marker_env.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct marker_env env = {
        .os_name = STR_INIT("posix"),
        .platform_release = STR_INIT("6.1.0-amd64"),
        .python_version = STR_INIT("3.11"),
        .python_full_version = STR_INIT("3.11.7+"),
    };
    static const struct str extra[] = { STR_INIT("x") };
    struct marker_scope scope = { .env = &env, .extra = extra, .n_extra = 1 };
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    const struct marker *m, *again;

    if (!marker_parse(&a, (struct str){ (const char *)data, size }, &m, &e))
        return 0;
    struct str text = marker_text(&a, m);

    enum marker_result result = marker_eval(m, &scope);

    if (memchr(text.p, '\\', text.n) || memchr(text.p, '\n', text.n) || memchr(text.p, '\r', text.n) ||
        memchr(text.p, '\0', text.n))
        return 0; /* resolved escapes are printed as they are, like the reference does */
    if (!marker_parse(&a, text, &again, &e))
        abort();
    if (!str_eq(marker_text(&a, again), text) || result != marker_eval(again, &scope))
        abort();
    return 0;
}
