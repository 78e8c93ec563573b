#include "pep/record.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/csv.h"

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

void base64url_encode(const unsigned char *p, size_t n, char *out)
{
    unsigned bits = 0, have = 0;

    for (size_t i = 0; i < n; i++) {
        bits = (bits << 8 | p[i]) & 0xffff;
        have += 8;
        while (have >= 6) {
            have -= 6;
            *out++ = alphabet[bits >> have & 63];
        }
    }
    if (have)
        *out++ = alphabet[bits << (6 - have) & 63];
    *out = '\0';
}

static int value_of(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '-' ? 62 : c == '_' ? 63 : -1;
}

bool base64url_decode(struct str text, unsigned char *out, size_t max, size_t *n)
{
    unsigned bits = 0, have = 0;
    size_t done = 0;

    for (unsigned pad = 0; pad < 2 && text.n && text.p[text.n - 1] == '='; pad++)
        text.n--;
    if (text.n % 4 == 1 || text.n / 4 * 3 + text.n % 4 * 3 / 4 > max)
        return false;
    for (size_t i = 0; i < text.n; i++) {
        int v = value_of(text.p[i]);

        if (v < 0)
            return false;
        bits = (bits << 6 | (unsigned)v) & 0xffff;
        have += 6;
        if (have >= 8) {
            have -= 8;
            out[done++] = (unsigned char)(bits >> have);
        }
    }
    if (bits & ((1u << have) - 1)) /* bits that belong to no byte: not what an encoder writes */
        return false;
    *n = done;
    return true;
}

static bool is_algorithm(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '_' && s.p[i] != '-')
            return false;
    return s.n > 0 && s.n <= 64;
}

static bool read_hash(struct str text, struct record_row *row)
{
    size_t at = str_find(text, '='), n;

    if (!text.n)
        return true;
    if (at == text.n || !is_algorithm(str_sub(text, 0, at)))
        return false;
    row->alg = str_sub(text, 0, at);
    if (!base64url_decode(str_sub(text, at + 1, text.n), row->digest, sizeof row->digest, &n) || n == 0)
        return false;
    row->n_digest = (unsigned)n;
    return !str_eq(row->alg, STR("sha256")) || n == HASH_SHA256;
}

static bool read_row(const struct str *field, size_t n, size_t line, struct record_row *row, struct err *e)
{
    *row = (struct record_row){ .path = field[0], .size = RECORD_NO_SIZE };
    if (n > 3)
        return err_set(e, ERR_PACKAGE, "line %zu of RECORD has %zu fields, at most 3 are known", line, n);
    if (!row->path.n)
        return err_set(e, ERR_PACKAGE, "line %zu of RECORD has no path", line);
    if (n > 1 && !read_hash(field[1], row))
        return err_set(e, ERR_PACKAGE, "line %zu of RECORD: '" STR_FMT "' is no hash", line, STR_ARG(field[1]));
    if (n > 2 && field[2].n && !str_to_u64(field[2], &row->size))
        return err_set(e, ERR_PACKAGE, "line %zu of RECORD: '" STR_FMT "' is no size", line, STR_ARG(field[2]));
    return true;
}

bool record_parse(struct arena *a, struct str text, struct record *out, struct err *e)
{
    VEC(struct record_row) rows = { 0 };
    struct csv csv;
    struct str field[3];
    size_t n;

    if (text.n > RECORD_MAX)
        return err_set(e, ERR_PACKAGE, "RECORD of %zu bytes, at most %d are read", text.n, RECORD_MAX);
    csv_init(&csv, text, a, e);
    while (csv_next(&csv, field, COUNT(field), &n)) {
        struct record_row row;

        if (!read_row(field, n, csv.line, &row, e))
            return false;
        VEC_PUSH_IN(a, &rows, row);
    }
    if (csv.failed)
        return err_wrap(e, "read RECORD");
    *out = (struct record){ .row = rows.p, .n = rows.n };
    return true;
}

bool record_write(struct buf *out, const struct record_row *row)
{
    char hash[64 + BASE64_LEN(HASH_MAX) + 2] = "", size[24] = "";
    struct str field[3] = { row->path };

    if (row->alg.n) {
        if (!is_algorithm(row->alg) || row->n_digest > HASH_MAX)
            BUG("RECORD row of '" STR_FMT "' with a hash of another form", STR_ARG(row->path));
        memcpy(hash, row->alg.p, row->alg.n);
        hash[row->alg.n] = '=';
        base64url_encode(row->digest, row->n_digest, hash + row->alg.n + 1);
    }
    if (row->size != RECORD_NO_SIZE)
        (void)snprintf(size, sizeof size, "%llu", (unsigned long long)row->size);
    field[1] = str_of(hash);
    field[2] = str_of(size);
    return csv_write(out, field, COUNT(field));
}

const struct record_row *record_find(const struct record *r, struct str path)
{
    for (size_t i = r->n; i-- > 0;)
        if (str_eq(r->row[i].path, path))
            return &r->row[i];
    return NULL;
}

bool record_is_unhashed(struct str path)
{
    static const struct str ends[] = { STR_INIT(".dist-info/RECORD"), STR_INIT(".dist-info/RECORD.jws"),
                                       STR_INIT(".dist-info/RECORD.p7s") };

    for (size_t i = 0; i < COUNT(ends); i++)
        if (str_ends(path, ends[i]))
            return true;
    return false;
}
