/* A quoted word read by the rules of its shell's manual is the bytes it was made of, and nothing stands outside of it.
 * That each real shell reads it so is the business of shell_init_test.c. */
#include <stdint.h>
#include <stdlib.h>
#include "base/buf.h"
#include "env/activate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The next character, which must be there. */
static char next(struct str *s)
{
    if (s->n == 0)
        abort();
    *s = str_sub(*s, 1, s->n);
    return s->p[-1];
}

/* POSIX, 2.2.2: nothing is special between single quotes; csh: but `\!` and `\newline` there. */
static void read_posix(struct str s, bool csh, struct buf *out)
{
    while (s.n) {
        char c = next(&s);

        if (c == '\\') {
            (void)buf_char(out, next(&s));
            continue;
        }
        if (c != '\'')
            abort();
        while ((c = next(&s)) != '\'') {
            if (csh && (c == '!' || c == '\n'))
                abort();
            if (csh && c == '\\' && s.n && (s.p[0] == '!' || s.p[0] == '\n'))
                c = next(&s);
            (void)buf_char(out, c);
        }
    }
}

/* fish, "Quotes": between single quotes only \' and \\ are escapes. */
static void read_fish(struct str s, struct buf *out)
{
    if (next(&s) != '\'')
        abort();
    for (char c; (c = next(&s)) != '\'';) {
        if (c == '\\' && s.n && (s.p[0] == '\'' || s.p[0] == '\\'))
            c = next(&s);
        (void)buf_char(out, c);
    }
    if (s.n)
        abort();
}

/* Bytes of a single quote as PowerShell knows them (about_Quoting_Rules; U+2018 to U+201B), 0: none. */
static size_t single_quote(struct str s)
{
    if (s.n && s.p[0] == '\'')
        return 1;
    if (s.n < 3 || (unsigned char)s.p[0] != 0xe2 || (unsigned char)s.p[1] != 0x80)
        return 0;
    return (unsigned char)s.p[2] >= 0x98 && (unsigned char)s.p[2] <= 0x9b ? 3 : 0;
}

static void read_pwsh(struct str s, struct buf *out)
{
    if (next(&s) != '\'')
        abort();
    for (;;) {
        size_t n = single_quote(s), again;

        if (n) {
            s = str_sub(s, n, s.n);
            again = single_quote(s);
            if (!again)
                break;
            (void)buf_str(out, str_sub(s, 0, again));
            s = str_sub(s, again, s.n);
        } else {
            (void)buf_char(out, next(&s));
        }
    }
    if (s.n)
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum activate_shell shells[] = { ACTIVATE_POSIX, ACTIVATE_CSH, ACTIVATE_FISH, ACTIVATE_PWSH };
    struct str word = { (const char *)data, size };

    for (size_t i = 0; i < COUNT(shells); i++) {
        AUTO_BUF quoted = { .limit = size * 4 + 16 };
        AUTO_BUF back = { .limit = size * 4 + 16 };

        if (!activate_quote(shells[i], word, &quoted))
            abort();
        if (shells[i] == ACTIVATE_FISH)
            read_fish(buf_done(&quoted), &back);
        else if (shells[i] == ACTIVATE_PWSH)
            read_pwsh(buf_done(&quoted), &back);
        else
            read_posix(buf_done(&quoted), shells[i] == ACTIVATE_CSH, &back);
        if (!str_eq(buf_done(&back), word))
            abort();
    }
    return 0;
}
