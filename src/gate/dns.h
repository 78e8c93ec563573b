/* DNS messages (RFC 1035): a question read, an answer written. Pure: no I/O, no allocation.
 *
 * The questions come from inside the sandbox, so every byte is hostile. Nothing of them is ever passed on: what is
 * answered is made here, and what is asked for is looked up in a list.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"

#define DNS_NAME_MAX 256    /* text with dots and a NUL */
#define DNS_MESSAGE_MAX 512 /* bytes of a question that are looked at, and of an answer */

enum dns_type { DNS_A = 1, DNS_AAAA = 28, DNS_SVCB = 64, DNS_HTTPS = 65 };
enum dns_code { DNS_NO_ERROR = 0, DNS_FORMAT_ERROR = 1, DNS_NO_NAME = 3, DNS_NOT_IMPLEMENTED = 4, DNS_REFUSED = 5 };

struct dns_question {
    uint16_t id, flags, type, class;
    char name[DNS_NAME_MAX]; /* lower case, no dot at the end; what is not a letter, digit, - or _ is a ? */
    bool odd;                /* the name had such bytes: it is nobody's */
    size_t end;              /* where the question ends in the message */
    enum dns_code code;      /* what to answer to a message that is not right; DNS_NO_ERROR: it is */
};

/* False when no answer may be given: too short, or itself an answer. */
MUST_USE bool dns_read(const unsigned char *p, size_t n, struct dns_question *out);

/* The answer to the message p that was read: `address` (host order) for DNS_A, 0 for none. The length; at most
 * DNS_MESSAGE_MAX. */
MUST_USE size_t dns_answer(const unsigned char *p, const struct dns_question *q, enum dns_code code, uint32_t address,
                           unsigned char out[DNS_MESSAGE_MAX]);
