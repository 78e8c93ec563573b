/* What a client sends: frames and requests of any bytes. An accepted request has what its method wants. */
#include <stdint.h>
#include <stdlib.h>
#include "base/arena.h"
#include "base/err.h"
#include "wire/frame.h"
#include "wire/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct str line)
{
    AUTO_ARENA a = { 0 };
    struct wire_request r;
    enum wire_fault fault;
    struct err e = { 0 };

    if (!wire_request_parse(line, &a, &r, &fault, &e)) {
        if (e.kind != ERR_DAEMON || r.id > WIRE_COUNT_MAX)
            abort();
        return;
    }
    if (r.method == WIRE_JOB_SUBMIT &&
        (!wire_value_get(&r, "verb")->given || wire_value_get(&r, "path")->text.p[0] != '/'))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct frame f;
    struct str line;

    frame_init(&f);
    for (size_t at = 0; at < size;) {
        size_t n = MIN(size - at, (size_t)data[at] + 1); /* the input says in which pieces it arrives */

        memcpy(frame_room(&f), data + at, n);
        frame_added(&f, n);
        at += n;
        while (frame_next(&f, &line) == FRAME_LINE)
            check(line);
    }
    frame_clear(&f);
    check((struct str){ (const char *)data, size });
    return 0;
}
