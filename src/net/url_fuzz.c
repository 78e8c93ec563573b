/* Any bytes as a base and a link: no crash, and what is accepted is accepted again and shows no password. */
#include "base/arena.h"
#include "base/err.h"
#include "net/url.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str all = { n ? (const char *)data : "", n };
    struct str base, ref = all, out, again, user, password;
    struct url parts;

    (void)str_next(&ref, '\n', &base);
    struct str shown = url_redacted(&a, all);
    bool any = url_file_name(&a, base, &out, &e) || url_to_path(&a, base, &out, &e) ||
               url_split_credentials(&a, base, &out, &user, &password, &e) || url_origin(&a, base, &out, &e);

    if (!shown.p && any)
        BUG("nothing shown for a URL");
    if (url_normalize(&a, base, &out, &e))
        if (!url_normalize(&a, out, &again, &e) || !str_eq(out, again))
            BUG("normalizing twice differs: '" STR_FMT "'", STR_ARG(out));
    if (ref.p && url_join(&a, base, ref, &out, &e) && !url_parse(out, &parts, &e))
        BUG("a joined URL does not parse: '" STR_FMT "'", STR_ARG(out));
    return 0;
}
