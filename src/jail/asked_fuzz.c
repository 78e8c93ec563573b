/* What was read and written again reads the same; a table of it never grows beyond its bounds. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/json_write.h"
#include "jail/asked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    AUTO_ASKED s = { 0 };
    AUTO_BUF b = { .limit = 8 * ASKED_LINE_MAX };
    struct str text = { (const char *)data, size };
    struct asked_item item, back;
    struct json_write w;
    struct err e = { 0 };

    arena_init(&a);
    asked_init(&s);
    if (!asked_parse_gate(text, &a, &item, &e)) {
        err_clear(&e);
        if (!asked_parse(text, &a, &item, &e)) {
            if (e.kind == ERR_NONE)
                abort();
            return 0;
        }
    }
    if (!asked_add(&s, &item) || asked_add(&s, &item) || s.items.n != 1)
        abort();
    json_write_init(&w, &b, false);
    asked_write(&item, &w);
    if (!json_write_end(&w) || !asked_parse(buf_done(&b), &a, &back, &e) || back.how != item.how ||
        !str_eq(back.what, item.what) || !str_eq(back.by, item.by) || !str_eq(back.why, item.why))
        abort();
    return 0;
}
