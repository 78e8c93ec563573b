/* Zip archives, read strictly from memory: the central directory decides, and everything else must agree with it.
 *
 * Promise: after zip_open() the layout holds no surprise. Names are relative, clean UTF-8 (no "..", ".", empty part,
 * backslash, drive, control character, part over 255 bytes), unique, and no file is another entry's directory. Local
 * headers and data descriptors agree with the directory on name, method, sizes and CRC; entries do not overlap, leave
 * no bytes between them that belong to nobody (two readers could see two archives), nothing stands before the first
 * or behind the last. Only regular files and directories; not encrypted, not in several parts; stored or deflated.
 * What can still be wrong is the packed data: zip_read() and zip_stream_next() check its size and CRC.
 * All failures are ERR_PACKAGE and name the entry. (PKWARE APPNOTE 6.3.10; zip64 included.)
 *
 * Reading one member over HTTP ranges: fetch the last 64 KiB or so, zip_find_central(); fetch the directory it
 * names, or use that part of the tail; zip_parse_central(); pick an entry, fetch [offset, end), zip_read_member().
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;
struct igzip;
struct zip_inflater;

/* Against bombs. Zero fields mean the default. The largest wheels known unpack to about 5 GiB. */
struct zip_limits {
    uint64_t total;    /* bytes of all members unpacked; default 16 GiB */
    uint64_t member;   /* bytes of one member unpacked; default 8 GiB */
    uint32_t ratio;    /* unpacked to packed size of the archive, once that is over 64 MiB unpacked; default 200 */
    uint32_t entries;  /* default 1,000,000 */
};

enum zip_method {
    ZIP_STORED = 0,
    ZIP_DEFLATED = 8,
};

struct zip_entry {
    struct str name; /* directories end in '/' */
    uint64_t offset; /* of the local header in the archive */
    uint64_t end;    /* the next entry or the central directory begins here */
    uint64_t comp_size;
    uint64_t size;
    uint32_t crc;
    uint16_t method; /* enum zip_method */
    uint16_t flags;
    bool executable; /* any x bit; never for directories */
    bool is_dir;
};

struct zip {
    struct str file;          /* empty after zip_parse_central() */
    struct zip_entry *entry;  /* in the order of the central directory; in the arena */
    size_t n;
    uint64_t unpacked;        /* sum of the sizes */
};

/* `file` is the whole archive (mapped); it must outlive *out, as must the arena. limits may be NULL. */
MUST_USE bool zip_open(struct str file, const struct zip_limits *limits, struct arena *arena, struct zip *out,
                       struct err *e);

/* The same, but a member's local header and what lies behind its data is looked at only when that is read: the promise
 * holds once every entry was, which one who unpacks all of them in any case need not pay for twice. */
MUST_USE bool zip_open_directory(struct str file, const struct zip_limits *limits, struct arena *arena, struct zip *out,
                                 struct err *e);

/* The entry of that name, or NULL. Looks at all of them. */
MUST_USE const struct zip_entry *zip_find(const struct zip *z, struct str name);

/* Unpacks into out, which has room for entry->size bytes. On failure out holds anything. */
MUST_USE bool zip_read(const struct zip *z, const struct zip_entry *entry, void *out, struct zip_inflater *inflater,
                       struct err *e);
/* A stored member's bytes where they are, CRC checked. The method must be ZIP_STORED. */
MUST_USE bool zip_view(const struct zip *z, const struct zip_entry *entry, struct str *out, struct err *e);

/* A member in pieces, for one that is too large to have it whole in memory. Where igzip is missing, a deflated one is
 * unpacked whole nevertheless, when it is opened: the same pieces of more memory. */
struct zip_stream {
    const struct zip_entry *entry;
    struct igzip *igzip;  /* NULL: the pieces are those of `whole` */
    struct str data;      /* of the archive */
    struct str whole;     /* stored, or unpacked already */
    uint64_t taken, made; /* bytes of data that are not looked at again after the piece; of the member so far */
    uint32_t crc;
};

/* The inflater serves one stream at a time, and zip_read() beside it. */
MUST_USE bool zip_stream_open(const struct zip *z, const struct zip_entry *entry, struct zip_inflater *inflater,
                              struct zip_stream *out, struct err *e);
/* The next piece, valid until the next call; it is empty when the member was whole and as the directory says. */
MUST_USE bool zip_stream_next(struct zip_stream *s, struct str *piece, struct err *e);

/* Scratch of the decompressor: one a thread, for any number of members. */
MUST_USE struct zip_inflater *zip_inflater_new(void);
void zip_inflater_free(struct zip_inflater *inflater); /* NULL is nothing */
void zip_inflater_auto(struct zip_inflater **inflater);
#define AUTO_ZIP_INFLATER AUTO(zip_inflater_auto) struct zip_inflater *

struct zip_central {
    uint64_t offset, size; /* of the central directory in the archive */
    uint64_t entries;
    uint64_t missing; /* not 0: nothing else is known yet; come again with the last `missing` bytes */
};

/* tail: the last tail.n bytes of an archive of `total` bytes. */
MUST_USE bool zip_find_central(struct str tail, uint64_t total, struct zip_central *out, struct err *e);
/* bytes: the range that *central names; more or fewer fail. The entries are checked as zip_open() does but for what
 * needs the local headers. Names are views into bytes. */
MUST_USE bool zip_parse_central(struct str bytes, const struct zip_central *central, const struct zip_limits *limits,
                                struct arena *arena, struct zip *out, struct err *e);
/* member: the bytes [entry->offset, entry->end) of the archive; checks the local header, then as zip_read(). */
MUST_USE bool zip_read_member(struct str member, const struct zip_entry *entry, void *out,
                              struct zip_inflater *inflater, struct err *e);
