#include "codec/tar.h"

#include "base/err.h"

#define BLOCK 512
#define CHECKSUM_AT 148
#define CHECKSUM_N 8

/* A field of the header up to its first NUL. */
static struct str field(struct str header, size_t at, size_t n)
{
    struct str f = str_sub(header, at, at + n);

    return str_sub(f, 0, str_find(f, '\0'));
}

/* Octal digits, spaces around them; or GNU's binary form for what octal cannot hold. */
static bool number(struct str header, size_t at, size_t n, uint64_t *out)
{
    struct str f = str_sub(header, at, at + n);

    *out = 0;
    if ((unsigned char)f.p[0] & 0x80) {
        for (size_t i = 1; i < f.n; i++) {
            if (*out >> 56)
                return false;
            *out = *out << 8 | (unsigned char)f.p[i];
        }
        return true;
    }
    f = str_trim(str_sub(f, 0, str_find(f, '\0')));
    for (size_t i = 0; i < f.n; i++) {
        if (f.p[i] < '0' || f.p[i] > '7' || *out >> 61)
            return false;
        *out = *out << 3 | (uint64_t)(f.p[i] - '0');
    }
    return true;
}

/* The sum of all bytes, those of the checksum itself counted as spaces. */
static bool sum_is_right(struct str header)
{
    uint64_t want, sum = 0;

    for (size_t i = 0; i < BLOCK; i++)
        sum += i >= CHECKSUM_AT && i < CHECKSUM_AT + CHECKSUM_N ? ' ' : (unsigned char)header.p[i];
    return number(header, CHECKSUM_AT, CHECKSUM_N, &want) && want == sum;
}

static bool is_zero(struct str block)
{
    for (size_t i = 0; i < block.n; i++)
        if (block.p[i])
            return false;
    return true;
}

bool tar_next(struct str *rest, struct tar_entry *out, struct err *e)
{
    uint64_t size;

    if (rest->n == 0)
        return false;
    if (rest->n < BLOCK)
        return err_set(e, ERR_PACKAGE, "a tar archive that is cut short");
    struct str header = str_sub(*rest, 0, BLOCK);

    if (is_zero(header))
        return false;
    if (!sum_is_right(header) || !number(header, 124, 12, &size))
        return err_set(e, ERR_PACKAGE, "not a valid tar header");
    if (size > rest->n - BLOCK)
        return err_set(e, ERR_PACKAGE, "a tar archive that is cut short");
    size_t step = BLOCK + ((size_t)size + BLOCK - 1) / BLOCK * BLOCK;
    char type = header.p[156];
    bool ustar = str_starts(str_sub(header, 257, 263), STR("ustar")) && header.p[262] == '\0';

    *out = (struct tar_entry){
        .prefix = ustar ? field(header, 345, 155) : STR(""),
        .name = field(header, 0, 100),
        .data = str_sub(*rest, BLOCK, BLOCK + (size_t)size),
        .is_file = type == '0' || type == '\0',
    };
    *rest = str_sub(*rest, MIN(step, rest->n), rest->n);
    return true;
}
