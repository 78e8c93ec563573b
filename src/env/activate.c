#include "env/activate.h"

#include "env/shell_text.h"

static bool quote_posix(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++)
        ok = s.p[i] == '\'' ? buf_str(out, STR("'\\''")) : buf_char(out, s.p[i]);
    return ok && buf_char(out, '\'');
}

static bool quote_fish(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'' || s.p[i] == '\\')
            ok = buf_char(out, '\\');
        ok = buf_char(out, s.p[i]);
    }
    return ok && buf_char(out, '\'');
}

/* In csh an exclamation mark starts a history word even inside quotes, and a newline must be escaped there. */
static bool quote_csh(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] == '\'')
            ok = buf_str(out, STR("'\\''"));
        else if (s.p[i] == '!' || s.p[i] == '\n')
            ok = buf_char(out, '\\') && buf_char(out, s.p[i]);
        else
            ok = buf_char(out, s.p[i]);
    }
    return ok && buf_char(out, '\'');
}

/* PowerShell ends such a word at any of its five single quotes, ' and U+2018 to U+201B; two of the same are one. */
static bool quote_pwsh(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++) {
        struct str at = str_sub(s, i, s.n);
        bool curly = at.n >= 3 && memcmp(at.p, "\xe2\x80", 2) == 0 && at.p[2] >= '\x98' && at.p[2] <= '\x9b';

        ok = s.p[i] == '\'' ? buf_str(out, STR("''")) : buf_char(out, s.p[i]);
        if (curly) {
            ok = buf_str(out, str_sub(at, 1, 3)) && buf_str(out, str_sub(at, 0, 3));
            i += 2;
        }
    }
    return ok && buf_char(out, '\'');
}

bool activate_quote(enum activate_shell shell, struct str s, struct buf *out)
{
    switch (shell) {
    case ACTIVATE_FISH:
        return quote_fish(s, out);
    case ACTIVATE_CSH:
        return quote_csh(s, out);
    case ACTIVATE_PWSH:
        return quote_pwsh(s, out);
    case ACTIVATE_POSIX:
        break;
    }
    return quote_posix(s, out);
}

/* In the texts @E stands for the quoted environment, @P for the quoted prompt. Shell variables that keep the old values
 * are not exported: they must not leak into children. Sourcing twice must not stack, so each begins by leaving. */
bool activate_script(enum activate_shell shell, struct str env, struct str prompt, struct buf *out)
{
    struct str text = str_of(shell == ACTIVATE_FISH  ? shell_text_activate_fish
                             : shell == ACTIVATE_CSH ? shell_text_activate_csh
                                                     : shell_text_activate_sh);

    for (;;) {
        size_t at = str_find(text, '@');

        (void)buf_str(out, str_sub(text, 0, at)); /* `full` tells at the end */
        if (at == text.n)
            return !out->full;
        (void)activate_quote(shell, text.p[at + 1] == 'E' ? env : prompt, out);
        text = str_sub(text, at + 2, text.n);
    }
}
