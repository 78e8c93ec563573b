/* Any bytes as a record of known metadata: every entry that is found is read, and adding to it works. */
#include "index/known.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "pep/metadata.h"
#include "store/cache.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

static void touch(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        sink ^= (unsigned char)s.p[i];
}

static void read_all(const struct known *k)
{
    for (size_t i = 0; i < k->index.cap; i++) {
        AUTO_ARENA a = { 0 };
        struct known_meta m;

        if (!known_find(k, k->index.slots[i].hash, &a, &m))
            continue;
        touch(m.requires_python);
        for (size_t t = 0; t < m.n_requires; t++)
            touch(m.requires[t]);
        for (size_t t = 0; t < m.n_extra; t++)
            touch(m.extra[t]);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char top[] = "/tmp/blast-known-fuzz-XXXXXX";
    struct metadata m = { .requires_python = STR(">=3") };
    struct cache c;
    struct known k;
    struct err e = { 0 };

    if (!mkdtemp(top))
        abort();
    cache_open(top, KNOWN_BUCKET, &c);
    if (size && !cache_put(&c, "demo", (struct str){ (const char *)data, size }))
        abort();
    known_open(&c, STR("demo"), &k);
    read_all(&k);
    if (!known_add(&k, 42, &m, true))
        abort();
    known_close(&k, &c, STR("demo"));
    known_open(&c, STR("demo"), &k);
    if (!known_has(&k, 42))
        abort(); /* what is learned is found again, whatever stood there */
    read_all(&k);
    known_close(&k, &c, STR("demo"));
    cache_close(&c);
    if (!file_remove_tree(AT_FDCWD, top, &e))
        abort();
    return 0;
}
