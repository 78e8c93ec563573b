#include "codec/mail.h"

#include "base/arena.h"

/* Printable ASCII without the colon: RFC 5322, section 3.6.8. */
static bool is_field_name(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] <= ' ' || s.p[i] > '~')
            return false;
    return true;
}

static bool continues(struct str rest)
{
    return rest.n && (rest.p[0] == ' ' || rest.p[0] == '\t');
}

bool mail_next(struct str *rest, struct str *name, struct str *value)
{
    struct str after, line;

    for (;;) {
        after = *rest;
        if (!str_next_line(&after, &line))
            return false;
        if (line.n == 0) {
            *rest = after;
            return false;
        }
        if (continues(line)) { /* of nothing */
            *rest = after;
            continue;
        }
        size_t colon = str_find(line, ':');

        if (colon == line.n || !is_field_name(str_sub(line, 0, colon)))
            return false;
        const char *from = line.p + colon + 1;

        *name = str_sub(line, 0, colon);
        while (continues(after))
            (void)str_next_line(&after, &line);
        *value = str_trim((struct str){ from, (size_t)(line.p + line.n - from) });
        *rest = after;
        if (name->n)
            return true;
    }
}

struct str mail_unfold(struct str value, struct arena *arena)
{
    struct str line, rest = value;
    size_t n = 0;

    if (str_find(value, '\n') == value.n && str_find(value, '\r') == value.n)
        return value;
    char *out = arena_text(arena, value.p, value.n); /* never longer: each line end stays at most one byte */

    while (str_next_line(&rest, &line)) {
        if (n)
            out[n++] = '\n';
        line = str_trim(line);
        memcpy(out + n, line.p, line.n);
        n += line.n;
    }
    out[n] = '\0';
    return (struct str){ out, n };
}

bool mail_find(struct str text, struct str name, struct str *value)
{
    struct str field, found;

    while (mail_next(&text, &field, &found))
        if (str_eq_nocase(field, name)) {
            *value = found;
            return true;
        }
    return false;
}
