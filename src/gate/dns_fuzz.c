/* Whatever is asked: the answer fits, holds the question and nothing else of it. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "gate/dns.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned char out[DNS_MESSAGE_MAX];
    struct dns_question q;

    if (size > DNS_MESSAGE_MAX || !dns_read(data, size, &q))
        return 0;
    size_t n = dns_answer(data, &q, q.code, q.code == DNS_NO_ERROR ? 0xc6120001 : 0, out);

    if (n > sizeof out || n < 12 || q.end > size || strlen(q.name) >= DNS_NAME_MAX || memcmp(out, data, 2) != 0 ||
        memcmp(out + 12, data + 12, q.end - 12) != 0 || !(out[2] & 0x80))
        abort();
    return 0;
}
