/* Any bytes as a requirements file, which is also what every file it names holds. */
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "config/reqfile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool same_text(void *ctx, const char *path, struct arena *a, struct str *out, struct err *e)
{
    (void)path;
    (void)a;
    (void)e;
    *out = *(const struct str *)ctx;
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const env[] = { "X=-r y", "LONG=0123456789", NULL };
    AUTO_ARENA a = { 0 };
    struct str text = { (const char *)data, size };
    struct reqfile_reader reader = { same_text, &text, env };
    struct reqfile out = { 0 };
    struct err e = { 0 };

    if (size > 4096)
        return 0;
    if (!reqfile_read("d/r.txt", false, &reader, &a, &out, &e)) {
        if (e.kind != ERR_CONFIG || e.n == 0)
            BUG("an error without a kind: %s", e.text);
        return 0;
    }
    for (size_t i = 0; i < out.entries.n; i++)
        if (out.entries.p[i].text.n == 0 || out.entries.p[i].line == 0)
            BUG("an empty requirement in line %u", out.entries.p[i].line);
    return 0;
}
