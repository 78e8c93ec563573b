/* Any packet: nothing is read behind its end, and what is told of has a reason. */
#include <stdint.h>
#include <stdlib.h>
#include "gate/monitor.h"
#include "gate/state.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const uint16_t port[] = { 443 };
    static struct gate g = { .rules = { .port = port, .n_ports = 1 } };
    struct event ev;
    unsigned char *exact = malloc(size ? size : 1); /* the sanitizer knows its end */

    if (!exact)
        return 0;
    if (size)
        memcpy(exact, data, size);
    if (monitor_read(&g, exact, size, &ev) && (!ev.why || !ev.protocol || !ev.verdict))
        abort();
    free(exact);
    return 0;
}
