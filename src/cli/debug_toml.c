#include "cli/debug_toml.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/toml.h"
#include "codec/toml_tagged.h"

bool debug_toml(struct str text, struct buf *out, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct toml_doc *d;

    if (!toml_parse(text, NULL, &a, &d, e))
        return false;
    return toml_tagged(d, out) || err_set(e, ERR_IO, "the JSON is longer than %zu bytes", out->limit);
}
