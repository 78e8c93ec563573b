#include "pep/pth.h"

/* Bytes of the line end at p, 0: none. A lone 0x85 ends one too: that is what U+0085 is in Latin-1, which site falls
 * back to. */
static size_t line_end(struct str s)
{
    unsigned char c = (unsigned char)s.p[0];

    if (c == '\r' && s.n > 1 && s.p[1] == '\n')
        return 2;
    if ((c >= '\n' && c <= '\r') || (c >= 0x1c && c <= 0x1e) || c == 0x85)
        return 1;
    if (s.n > 1 && memcmp(s.p, "\xc2\x85", 2) == 0)
        return 2;
    return s.n > 2 && (memcmp(s.p, "\xe2\x80\xa8", 3) == 0 || memcmp(s.p, "\xe2\x80\xa9", 3) == 0) ? 3 : 0;
}

bool pth_next(struct str *rest, struct str *line)
{
    size_t end = 0, skip = 0;

    if (rest->n == 0)
        return false;
    (void)str_cut_prefix(rest, STR("\xef\xbb\xbf"));
    while (end < rest->n && (skip = line_end(str_sub(*rest, end, rest->n))) == 0)
        end++;
    *line = str_sub(*rest, 0, end);
    *rest = str_sub(*rest, end + skip, rest->n);
    return true;
}

bool pth_is_code(struct str line)
{
    return str_starts(line, STR("import ")) || str_starts(line, STR("import\t"));
}

bool pth_has_code(struct str content)
{
    for (struct str line; pth_next(&content, &line);)
        if (pth_is_code(line))
            return true;
    return false;
}
