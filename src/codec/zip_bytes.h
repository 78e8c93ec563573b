/* What zip.c and zip_member.c share: little-endian numbers, extra fields, naming an entry in a message. Private to
 * these two.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

#define ZIP_LOCAL_SIZE 30u
#define ZIP_FLAGS_REFUSED 0x2061u /* encrypted, patch, strong encryption, masked headers: 4.4.4 */
#define ZIP_EXTRA_ZIP64 0x0001u
#define ZIP_IN_ZIP64 0xFFFFFFFFu

static inline uint16_t get16(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint16_t)(u[0] | u[1] << 8);
}

static inline uint32_t get32(const char *p)
{
    return (uint32_t)get16(p) | (uint32_t)get16(p + 2) << 16;
}

static inline uint64_t get64(const char *p)
{
    return (uint64_t)get32(p) | (uint64_t)get32(p + 4) << 32;
}

/* The data of the extra field with this id, nothing when there is none. False when there are two, which two readers
 * may take two ways, or the fields do not fit. Fewer than 4 bytes at the end are padding of tools that align. */
MUST_USE bool zip_find_extra(struct str extra, uint16_t id, struct str *out);
/* A 32-bit field that may say "in the zip64 extra": takes the next 8 bytes of that. */
MUST_USE bool zip_widen(uint64_t *v, struct str *zip64);

struct zip_shown {
    char text[100];
};

/* A name fit for a message, whatever bytes it has. */
MUST_USE struct zip_shown zip_show(struct str name);
/* "entry 'name' <why>", ERR_PACKAGE. */
bool zip_refuse(struct err *e, struct str name, const char *why);
