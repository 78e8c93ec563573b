#include "daemon/record.h"

#include <inttypes.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"

bool record_save(const struct record *r, struct str json, struct err *e)
{
    AUTO_BUF b = { .limit = RECORD_MAX };

    buf_printf(&b, "%s %016" PRIx64 "\n", r->tag, hash_fast(json.p, json.n));
    buf_str(&b, json);
    buf_char(&b, '\n');
    if (b.full)
        return err_set(e, ERR_DAEMON, "'%s' would have %zu bytes, the limit is %u", r->name, json.n, RECORD_MAX);
    return file_replace(r->dir, r->name, buf_done(&b), 0600, FILE_NO_SYNC, e) ||
           err_as(e, ERR_DAEMON, "save '%s'", r->name);
}

bool record_load(const struct record *r, struct arena *a, struct str *out, bool *damaged, struct err *e)
{
    struct str text, line, sum;
    unsigned char want[8], have[8];

    *out = (struct str){ 0 };
    *damaged = false;
    if (!fd_read_if_there(r->dir, r->name, RECORD_MAX, a, &text, e))
        return err_as(e, ERR_DAEMON, "load '%s'", r->name);
    if (!text.p)
        return true;
    *damaged = true;
    if (!str_next(&text, '\n', &line) || !str_cut_suffix(&text, STR("\n")))
        return true;
    sum = line;
    if (!str_cut_prefix(&sum, str_of(r->tag)) || !str_cut_prefix(&sum, STR(" ")) || !hash_from_hex(sum, want, 8))
        return true;
    uint64_t h = hash_fast(text.p, text.n);

    for (size_t i = 0; i < 8; i++)
        have[i] = (unsigned char)(h >> (56 - 8 * i));
    if (memcmp(want, have, 8) != 0)
        return true;
    *damaged = false;
    *out = text;
    return true;
}
