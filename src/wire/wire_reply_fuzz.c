/* What a daemon sends: any line. An accepted one is of one kind, with the parts of that kind. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "wire/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct wire_reply r;
    struct err e = { 0 };

    if (!wire_reply_parse((struct str){ (const char *)data, size }, &a, &r, &e)) {
        if (e.kind != ERR_DAEMON)
            abort();
    } else if ((r.kind == WIRE_REPLY_EVENT || r.kind == WIRE_REPLY_RESULT) && r.body.n == 0) {
        abort();
    }
    return 0;
}
