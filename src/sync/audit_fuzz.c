/* One line of the log: whatever it holds, reading it says yes or no, and what is read lies in the line or the arena. */
#include "base/arena.h"
#include "base/err.h"
#include "sync/audit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct audit_line l;
    struct err e = { 0 };

    arena_init(&a);
    if (!audit_parse((struct str){ (const char *)data, size }, &a, &l, &e)) {
        if (e.kind == ERR_NONE)
            BUG("refused without a reason");
        return 0;
    }
    if (l.seq == 0 || l.event.n == 0 || l.prev.n != 64 || l.hash.n != 64)
        BUG("taken without its numbers");
    (void)!audit_line_is_whole(&l); /* either is fine for a made-up line */
    return 0;
}
