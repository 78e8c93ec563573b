/* For tests: wheels made in memory, stored unless told otherwise, with a right RECORD unless told otherwise. */
#pragma once

#include <libdeflate.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/mem.h"
#include "base/str.h"
#include "pep/record.h"

#define MAKER_MAX 24

struct maker_file {
    char name[200];
    uint32_t offset, size, packed, crc;
    bool executable, deflated;
};

struct maker {
    struct buf zip, record;
    struct maker_file file[MAKER_MAX];
    size_t n;
    char name[64], version[32];
};

static inline void maker_u16(struct buf *b, unsigned v)
{
    unsigned char p[2] = { (unsigned char)(v & 255), (unsigned char)(v >> 8 & 255) };

    (void)buf_add(b, p, sizeof p);
}

static inline void maker_u32(struct buf *b, uint32_t v)
{
    maker_u16(b, v & 0xffff);
    maker_u16(b, v >> 16);
}

/* What both kinds of zip header share: version needed ... length of the extra field. */
static inline void maker_common(struct buf *b, const struct maker_file *f)
{
    maker_u16(b, 20);
    maker_u16(b, 0x800);
    maker_u16(b, f->deflated ? 8 : 0);
    maker_u32(b, 0x00210000);
    maker_u32(b, f->crc);
    maker_u32(b, f->packed);
    maker_u32(b, f->size);
    maker_u16(b, (unsigned)strlen(f->name));
    maker_u16(b, 0);
}

static inline void maker_data(struct maker *m, struct maker_file *f, struct str content, struct str data)
{
    f->offset = (uint32_t)m->zip.n;
    f->size = (uint32_t)content.n;
    f->packed = (uint32_t)data.n;
    f->crc = libdeflate_crc32(0, content.p, content.n);
    maker_u32(&m->zip, 0x04034b50);
    maker_common(&m->zip, f);
    (void)buf_add(&m->zip, f->name, strlen(f->name));
    (void)buf_str(&m->zip, data);
}

static inline void maker_member(struct maker *m, const char *name, struct str content, bool executable)
{
    struct maker_file *f = &m->file[m->n++];

    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->executable = executable;
    maker_data(m, f, content, content);
}

static inline void maker_deflated(struct maker *m, const char *name, struct str content)
{
    struct libdeflate_compressor *c = libdeflate_alloc_compressor(6);
    size_t room = libdeflate_deflate_compress_bound(c, content.n);
    char *packed = mem_alloc(room);
    struct str data = { packed, libdeflate_deflate_compress(c, content.p, content.n, packed, room) };
    struct maker_file *f = &m->file[m->n++];

    (void)snprintf(f->name, sizeof f->name, "%s", name);
    f->deflated = true;
    maker_data(m, f, content, data);
    free(packed);
    libdeflate_free_compressor(c);
}

/* A row of RECORD for it. */
static inline void maker_row(struct maker *m, const char *name, struct str content)
{
    struct record_row row = { .path = str_of(name), .alg = STR("sha256"), .n_digest = HASH_SHA256, .size = content.n };
    struct err e = { 0 };

    if (hash_sha256(content.p, content.n, row.digest, &e))
        (void)record_write(&m->record, &row);
}

static inline void maker_add(struct maker *m, const char *name, const char *text)
{
    maker_member(m, name, str_of(text), false);
    maker_row(m, name, str_of(text));
}

static inline void maker_add_executable(struct maker *m, const char *name, const char *text)
{
    maker_member(m, name, str_of(text), true);
    maker_row(m, name, str_of(text));
}

static inline void maker_init(struct maker *m, const char *name, const char *version)
{
    *m = (struct maker){ 0 };
    buf_init(&m->zip, 16u << 20);
    buf_init(&m->record, 1u << 20);
    (void)snprintf(m->name, sizeof m->name, "%s", name);
    (void)snprintf(m->version, sizeof m->version, "%s", version);
}

static inline void maker_info(struct maker *m, const char *leaf, const char *text)
{
    char name[160];

    (void)snprintf(name, sizeof name, "%.60s-%.30s.dist-info/%.60s", m->name, m->version, leaf);
    maker_add(m, name, text);
}

static inline void maker_identity(struct maker *m)
{
    char text[256];

    (void)snprintf(text, sizeof text, "Metadata-Version: 2.1\nName: %s\nVersion: %s\n", m->name, m->version);
    maker_info(m, "METADATA", text);
    maker_info(m, "WHEEL", "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n");
}

/* Adds RECORD and the central directory; the bytes belong to m->zip. */
static inline struct str maker_finish(struct maker *m)
{
    char name[160];

    (void)snprintf(name, sizeof name, "%.60s-%.30s.dist-info/RECORD", m->name, m->version);
    (void)buf_printf(&m->record, "%s,,\n", name);
    maker_member(m, name, buf_done(&m->record), false);
    uint32_t start = (uint32_t)m->zip.n;

    for (size_t i = 0; i < m->n; i++) {
        const struct maker_file *f = &m->file[i];

        maker_u32(&m->zip, 0x02014b50);
        maker_u16(&m->zip, 3 << 8 | 20);
        maker_common(&m->zip, f);
        maker_u16(&m->zip, 0);
        maker_u16(&m->zip, 0);
        maker_u16(&m->zip, 0);
        maker_u32(&m->zip, (uint32_t)(f->executable ? 0100755 : 0100644) << 16);
        maker_u32(&m->zip, f->offset);
        (void)buf_add(&m->zip, f->name, strlen(f->name));
    }
    uint32_t size = (uint32_t)m->zip.n - start;

    maker_u32(&m->zip, 0x06054b50);
    maker_u32(&m->zip, 0);
    maker_u16(&m->zip, (unsigned)m->n);
    maker_u16(&m->zip, (unsigned)m->n);
    maker_u32(&m->zip, size);
    maker_u32(&m->zip, start);
    maker_u16(&m->zip, 0);
    return buf_done(&m->zip);
}

static inline void maker_clear(struct maker *m)
{
    buf_clear(&m->zip);
    buf_clear(&m->record);
}
