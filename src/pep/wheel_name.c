#include "pep/wheel_name.h"

#include "base/arena.h"
#include "base/err.h"
#include "pep/version.h"

/* Letters, digits, '.' and '_': the escaped form of a name. Two '_' in a row cannot come from escaping. */
static bool is_project(struct str s)
{
    for (size_t i = 0; i < s.n; i++) {
        if (!char_is_alpha(s.p[i]) && !char_is_digit(s.p[i]) && s.p[i] != '.' && s.p[i] != '_')
            return false;
        if (s.p[i] == '_' && i + 1 < s.n && s.p[i + 1] == '_')
            return false;
    }
    return s.n > 0;
}

static bool is_version(struct str s)
{
    AUTO_ARENA room = { 0 };
    struct version v;

    return version_parse(s, &room, &v);
}

static bool is_tag_char(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '_';
}

/* A digit first; the file name becomes a path, so nothing that means something in one. */
static bool is_build(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '/' || s.p[i] == '\\' || s.p[i] == 0x7f)
            return false;
    return s.n > 0 && char_is_digit(s.p[0]);
}

/* "py2.py3": parts of letters, digits and '_' with dots between; a Python tag does not begin with a digit. */
static bool is_tag_set(struct str s, bool identifiers)
{
    for (struct str part, rest = s; str_next(&rest, '.', &part);) {
        if (!part.n || (identifiers && char_is_digit(part.p[0])))
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (!is_tag_char(part.p[i]))
                return false;
    }
    return true;
}

bool wheel_name_parse(struct str file, struct wheel_name *out, struct err *e)
{
    struct str stem = file;
    struct str part[6];

    if (!str_cut_suffix(&stem, STR(".whl")))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' does not end in .whl", STR_ARG(file));

    size_t n = str_split(stem, '-', part, 6);
    if (n != 5 && n != 6)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has %zu parts, a wheel name has 5 or 6", STR_ARG(file), n);

    struct wheel_name name = {
        .project = part[0],
        .version = part[1],
        .build = n == 6 ? part[2] : STR(""),
        .python = part[n - 3],
        .abi = part[n - 2],
        .platform = part[n - 1],
    };
    if (!is_project(name.project))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no project name in '" STR_FMT "'", STR_ARG(name.project),
                       STR_ARG(file));
    if (!is_version(name.version))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no version in '" STR_FMT "'", STR_ARG(name.version),
                       STR_ARG(file));
    if (n == 6 && !is_build(name.build))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no build tag, which begins with a digit, in '" STR_FMT "'",
                       STR_ARG(name.build), STR_ARG(file));
    if (!is_tag_set(name.python, true) || !is_tag_set(name.abi, false) || !is_tag_set(name.platform, false))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "-" STR_FMT "-" STR_FMT "' are no tags in '" STR_FMT "'",
                       STR_ARG(name.python), STR_ARG(name.abi), STR_ARG(name.platform), STR_ARG(file));
    *out = name;
    return true;
}

struct wheel_build wheel_build_of(struct str build)
{
    size_t n = 0;
    uint64_t number = 0;

    while (n < build.n && char_is_digit(build.p[n]))
        n++;
    if (n && !str_to_u64(str_sub(build, 0, n), &number))
        number = UINT64_MAX;
    return (struct wheel_build){ .present = build.n > 0, .number = number, .text = str_sub(build, n, build.n) };
}

int wheel_build_cmp(struct str a, struct str b)
{
    struct wheel_build x = wheel_build_of(a), y = wheel_build_of(b);

    if (x.present != y.present)
        return x.present ? 1 : -1;
    if (x.number != y.number)
        return x.number < y.number ? -1 : 1;
    return str_cmp(x.text, y.text);
}
