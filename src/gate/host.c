#include "gate/host.h"

bool host_has_char(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '-' || c == '_';
}

bool host_normalise(struct str name, char out[HOST_MAX])
{
    bool dot = true;

    (void)str_cut_suffix(&name, STR("."));
    if (name.n == 0 || name.n >= HOST_MAX)
        return false;
    for (size_t i = 0; i < name.n; i++) {
        char c = name.p[i];

        if (c == '.' ? dot : !host_has_char(c))
            return false;
        dot = c == '.';
        out[i] = char_lower(c);
    }
    out[name.n] = '\0';
    return !dot;
}
