#include "gate/dns.h"

#include "base/str.h"
#include "gate/host.h"

#define HEADER 12
#define LABEL_MAX 63
#define CLASS_IN 1
#define TTL 60
#define QR 0x8000
#define OPCODE 0x7800
#define RD 0x0100
#define RA 0x0080

static uint16_t get16(const unsigned char *p)
{
    return (uint16_t)(p[0] << 8 | p[1]);
}

static void put16(unsigned char *p, unsigned v)
{
    p[0] = (unsigned char)(v >> 8);
    p[1] = (unsigned char)v;
}

/* Where the name ends, or 0. No pointers: in a question there is nothing they could point to. */
static size_t read_name(const unsigned char *p, size_t n, size_t at, struct dns_question *q)
{
    size_t k = 0;

    for (; at < n && p[at] != 0; at += p[at] + 1u) {
        size_t length = p[at];

        if (length > LABEL_MAX || at + 1 + length >= n || k + length + 2 > DNS_NAME_MAX)
            return 0;
        if (k)
            q->name[k++] = '.';
        for (size_t i = 0; i < length; i++) {
            char c = char_lower((char)p[at + 1 + i]);

            q->odd |= !host_has_char(c);
            q->name[k++] = host_has_char(c) ? c : '?';
        }
    }
    q->name[k] = '\0';
    return at < n ? at + 1 : 0;
}

bool dns_read(const unsigned char *p, size_t n, struct dns_question *out)
{
    struct dns_question q = { 0 };

    if (n < HEADER)
        return false;
    q.id = get16(p);
    q.flags = get16(p + 2);
    q.end = HEADER;
    if (q.flags & QR)
        return false;
    if (q.flags & OPCODE) {
        q.code = DNS_NOT_IMPLEMENTED;
    } else if (get16(p + 4) != 1 || get16(p + 6) != 0 || get16(p + 8) != 0) {
        q.code = DNS_FORMAT_ERROR;
    } else {
        size_t end = read_name(p, n, HEADER, &q);

        if (end == 0 || end + 4 > n || end + 4 + 16 > DNS_MESSAGE_MAX) {
            q.code = DNS_FORMAT_ERROR;
        } else {
            q.type = get16(p + end);
            q.class = get16(p + end + 2);
            q.end = end + 4;
            q.code = q.class == CLASS_IN ? DNS_NO_ERROR : DNS_REFUSED;
        }
    }
    *out = q;
    return true;
}

size_t dns_answer(const unsigned char *p, const struct dns_question *q, enum dns_code code, uint32_t address,
                  unsigned char out[DNS_MESSAGE_MAX])
{
    size_t n = q->end;

    memcpy(out, p, n); /* the question as it was asked: resolvers compare it, case included */
    put16(out + 2, QR | (q->flags & (OPCODE | RD)) | RA | (unsigned)code);
    put16(out + 4, n > HEADER);
    put16(out + 6, address != 0);
    put16(out + 8, 0);
    put16(out + 10, 0);
    if (!address)
        return n;
    put16(out + n, 0xc000 | HEADER); /* the name is the question's */
    put16(out + n + 2, DNS_A);
    put16(out + n + 4, CLASS_IN);
    put16(out + n + 6, 0);
    put16(out + n + 8, TTL);
    put16(out + n + 10, 4);
    put16(out + n + 12, address >> 16);
    put16(out + n + 14, address & 0xffff);
    return n + 16;
}
