/* Any bytes as a record from the cache: it is opened, and all that it says is read. */
#include "index/listing.h"

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static volatile unsigned char sink;

static void touch(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        sink ^= (unsigned char)s.p[i];
}

static void read_file(const struct listing *l, const struct listing_file *f)
{
    struct str build, python, abi, platform;

    touch(listing_text(l, f->name));
    touch(listing_text(l, f->url));
    touch(listing_text(l, f->yanked));
    touch(listing_text(l, f->other_hash));
    listing_tags(l, f, &build, &python, &abi, &platform);
    touch(build);
    touch(python);
    touch(abi);
    touch(platform);
    if (f->python < l->head->n_pythons)
        touch(listing_text(l, l->python[f->python]));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    char *copy = mem_dup(data, size); /* aligned, as a mapping is */
    struct listing l;
    struct version v, last = { 0 };

    if (listing_open((struct str){ copy, size }, &l)) {
        touch(listing_text(&l, l.head->etag));
        touch(listing_text(&l, l.head->last_modified));
        touch(listing_text(&l, l.head->url));
        touch(listing_text(&l, l.head->status));
        for (uint32_t i = 0; i < l.head->n_versions; i++) {
            if (!listing_version(&l, i, &a, &v))
                continue;
            touch(version_format(&v, &a));
            sink ^= (unsigned char)version_cmp(&last, &v);
            last = v;
            read_file(&l, &l.file[l.version[i].first]);
            read_file(&l, &l.file[l.version[i].first + l.version[i].n - 1]);
        }
    }
    free(copy);
    return 0;
}
