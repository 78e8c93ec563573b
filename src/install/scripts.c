#include "install/scripts.h"

#include "base/err.h"

#define SHEBANG_MAX 127 /* bytes of the first line with its '\n' that every kernel reads (binfmt_script) */

/* For /bin/sh inside '...'. */
static bool quote(struct str s, struct buf *out)
{
    bool ok = buf_char(out, '\'');

    for (size_t i = 0; i < s.n; i++)
        ok = s.p[i] == '\'' ? buf_str(out, STR("'\"'\"'")) : buf_char(out, s.p[i]);
    return ok && buf_char(out, '\'');
}

static bool is_plain(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if (char_is_space(s.p[i]))
            return false;
    return s.n + 3 <= SHEBANG_MAX;
}

/* A path that Python would take for the end of the string, or for an escape in it. */
static bool breaks_string(struct str s)
{
    return memchr(s.p, '\\', s.n) || str_search(s, STR("'''")) < s.n;
}

/* To /bin/sh the second line is the command  exec 'path' "$0" "$@"  (two quoted nothings before it), to Python the
 * second and third line are one string. Backslashes and three quotes in a row would end that string early; then
 * the script looks beside itself. */
bool script_shebang(struct str interpreter, struct buf *out)
{
    if (is_plain(interpreter))
        return buf_str(out, STR("#!")) && buf_str(out, interpreter) && buf_char(out, '\n');
    AUTO_BUF quoted;

    buf_init(&quoted, out->limit);
    if (!quote(interpreter, &quoted))
        return false;
    struct str word = buf_done(&quoted);

    if (!breaks_string(word))
        return buf_str(out, STR("#!/bin/sh\n'''exec' ")) && buf_str(out, word) &&
               buf_str(out, STR(" \"$0\" \"$@\"\n' '''\n"));
    /* The interpreter stands beside the script. Links are not resolved: behind them is a generation, which is no
     * environment by itself. */
    return buf_str(out, STR("#!/bin/sh\n'''exec' \"$(dirname -- \"$0\")/python\" \"$0\" \"$@\"\n' '''\n"));
}

static bool is_dotted_name(struct str s)
{
    for (struct str part, rest = s; str_next(&rest, '.', &part);) {
        if (part.n == 0 || char_is_digit(part.p[0]))
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (!char_is_alpha(part.p[i]) && !char_is_digit(part.p[i]) && part.p[i] != '_' &&
                !((unsigned char)part.p[i] & 0x80))
                return false;
    }
    return s.n > 0;
}

bool script_entry_point(struct str interpreter, struct str object, struct buf *out, struct err *e)
{
    size_t colon = str_find(object, ':');
    struct str module = str_sub(object, 0, colon);
    struct str attr = colon < object.n ? str_sub(object, colon + 1, object.n) : STR("");

    if (!is_dotted_name(module) || !is_dotted_name(attr))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no entry point of a program: module:function",
                       STR_ARG(object));
    struct str first = str_sub(attr, 0, str_find(attr, '.'));

    (void)script_shebang(interpreter, out); /* `full` tells at the end */
    (void)buf_printf(out,
                     "# -*- coding: utf-8 -*-\n"
                     "import sys\n"
                     "from " STR_FMT " import " STR_FMT "\n"
                     "if __name__ == \"__main__\":\n"
                     "    if sys.argv[0].endswith(\"-script.pyw\"):\n"
                     "        sys.argv[0] = sys.argv[0][:-11]\n"
                     "    elif sys.argv[0].endswith(\".exe\"):\n"
                     "        sys.argv[0] = sys.argv[0][:-4]\n"
                     "    sys.exit(" STR_FMT "())\n",
                     STR_ARG(module), STR_ARG(first), STR_ARG(attr));
    return !out->full ? true : err_set(e, ERR_PACKAGE, "the program for '" STR_FMT "' is too long", STR_ARG(object));
}

bool script_wants_python(struct str content, struct str *rest)
{
    struct str line = str_sub(content, 0, str_find(content, '\n'));
    size_t next = MIN(line.n + 1, content.n);

    (void)str_cut_suffix(&line, STR("\r"));
    size_t space = str_find(line, ' ');
    struct str word = str_sub(line, 0, space);

    if (!str_eq(word, STR("#!python")) && !str_eq(word, STR("#!pythonw")))
        return false;
    *rest = str_sub(content, next, content.n);
    return true;
}
