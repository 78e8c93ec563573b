/* Any text as a network: no crash; what is accepted has its own first address and, written, is read as the same. */
#include <stdint.h>
#include "base/attr.h"
#include "base/err.h"
#include "base/ip.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct ip_net net, again;
    char text[IP_TEXT_MAX];

    if (!ip_net_parse((struct str){ n ? (const char *)data : "", n }, &net))
        return 0;
    ip_net_format(&net, text);
    if (!ip_net_has(&net, &net.first) || !ip_net_parse(str_of(text), &again) || again.bits != net.bits ||
        !ip_eq(&again.first, &net.first))
        BUG("'%s' is not read as it was written", text);
    return 0;
}
