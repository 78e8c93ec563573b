#include "codec/ini.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"

void ini_init(struct ini *i, struct str text, struct arena *arena, struct err *e)
{
    *i = (struct ini){ .rest = text, .arena = arena, .e = e };
}

static size_t indent_of(struct str line)
{
    size_t n = 0;

    while (n < line.n && char_is_space(line.p[n]))
        n++;
    return n;
}

static bool is_comment(struct str trimmed)
{
    return trimmed.n && (trimmed.p[0] == '#' || trimmed.p[0] == ';');
}

/* The value goes on as long as lines are indented deeper than its name; comments between them are dropped, empty
 * lines kept unless they are the last. */
static void take_continuation(struct ini *i, size_t indent, struct str *value)
{
    AUTO_BUF joined;
    struct str line, after = i->rest;
    size_t lines = i->line, empty = 0;
    bool more = false;

    buf_init(&joined, value->n + i->rest.n + 1);
    while (str_next_line(&after, &line)) {
        struct str text = str_trim(line);

        lines++;
        if (is_comment(text))
            continue;
        if (text.n == 0) {
            empty++;
            continue;
        }
        if (indent_of(line) <= indent)
            break;
        if (!more)
            (void)buf_str(&joined, *value);
        for (more = true, empty++; empty; empty--)
            (void)buf_char(&joined, '\n');
        (void)buf_str(&joined, text);
        i->rest = after;
        i->line = lines;
    }
    if (more)
        *value = arena_str(i->arena, buf_done(&joined));
}

static bool fail(struct ini *i, const char *what)
{
    i->failed = true;
    return err_set(i->e, ERR_PACKAGE, "line %zu: %s", i->line, what);
}

bool ini_next(struct ini *i, struct ini_item *out)
{
    struct str line;

    while (!i->failed && str_next_line(&i->rest, &line)) {
        struct str text = str_trim(line);

        i->line++;
        if (text.n == 0 || is_comment(text))
            continue;
        size_t bracket = str_rfind(text, ']');

        if (text.p[0] == '[' && bracket < text.n && bracket > 1) {
            i->section = str_sub(text, 1, bracket);
            i->in_section = true;
            continue;
        }
        if (!i->in_section)
            return fail(i, "expected a [section] before the first name");
        size_t equals = str_find(text, '=');
        struct str name = str_trim(str_sub(text, 0, equals));

        if (equals == text.n || name.n == 0)
            return fail(i, "expected 'name = value'");
        *out = (struct ini_item){ .section = i->section, .name = name, .line = i->line,
                                  .value = str_trim(str_sub(text, equals + 1, text.n)) };
        take_continuation(i, indent_of(line), &out->value);
        return true;
    }
    return false;
}
