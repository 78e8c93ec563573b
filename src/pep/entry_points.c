#include "pep/entry_points.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/map.h"
#include "base/utf8.h"
#include "base/vec.h"
#include "codec/ini.h"

static bool is_name_char(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '_' || (unsigned char)c >= 0x80;
}

/* Identifiers with dots between. */
static bool is_dotted(struct str s)
{
    for (struct str part, rest = s; str_next(&rest, '.', &part);) {
        if (!part.n || char_is_digit(part.p[0]))
            return false;
        for (size_t i = 0; i < part.n; i++)
            if (!is_name_char(part.p[i]))
                return false;
    }
    return true;
}

/* `module:attr [extras]`; the extras are deprecated and mean nothing to who writes the program. */
static bool parse_reference(struct str value, struct entry_point *out)
{
    size_t bracket = str_find(value, '[');

    if (bracket < value.n) {
        if (value.p[value.n - 1] != ']')
            return false;
        value = str_trim(str_sub(value, 0, bracket));
    }
    size_t colon = str_find(value, ':');

    if (colon == value.n)
        return false;
    out->module = str_trim(str_sub(value, 0, colon));
    out->attr = str_trim(str_sub(value, colon + 1, value.n));
    return is_dotted(out->module) && is_dotted(out->attr);
}

bool entry_point_is_safe(struct str name)
{
    if (!name.n || name.n > 255 || name.p[0] == '-' || str_eq(name, STR(".")) || str_eq(name, STR("..")))
        return false;
    for (size_t i = 0; i < name.n; i++) {
        unsigned char c = (unsigned char)name.p[i];

        if (c < 0x20 || c == 0x7f || c == '/' || c == '\\')
            return false;
    }
    return utf8_is_valid(name, NULL);
}

/* "python", "python3", "python3.12", "python3.13t", "pythonw" */
static bool is_python(struct str s)
{
    if (str_eq(s, STR("w")))
        return true;
    for (size_t i = 0; i < s.n; i++)
        if (!char_is_digit(s.p[i]) && s.p[i] != '.' && !(s.p[i] == 't' && i > 0 && i + 1 == s.n))
            return false;
    return true;
}

bool entry_point_is_reserved(struct str name)
{
    static const struct str ends[] = { STR_INIT(".py"), STR_INIT(".exe"), STR_INIT(".pyw") };
    char room[64];
    struct str low = { room, name.n };

    if (name.n > sizeof room)
        return false;
    for (size_t i = 0; i < name.n; i++)
        room[i] = char_lower(name.p[i]);
    for (size_t i = 0; i < COUNT(ends); i++)
        (void)str_cut_suffix(&low, ends[i]);
    if (str_cut_prefix(&low, STR("python")))
        return is_python(low);
    if (str_cut_prefix(&low, STR("pypy")))
        return is_python(low);
    if (str_cut_prefix(&low, STR("activate")))
        return !low.n || low.p[0] == '.' || low.p[0] == '_';
    return false;
}

static bool read_entry(const struct ini_item *item, struct entry_point *out, struct err *e)
{
    out->name = item->name;
    out->gui = str_eq(item->section, STR("gui_scripts"));
    if (!entry_point_is_safe(item->name))
        return err_set(e, ERR_PACKAGE, "script name '" STR_FMT "' is not a plain file name", STR_ARG(item->name));
    if (entry_point_is_reserved(item->name))
        return err_set(e, ERR_PACKAGE, "script name '" STR_FMT "' belongs to the environment itself",
                       STR_ARG(item->name));
    if (!parse_reference(item->value, out))
        return err_set(e, ERR_PACKAGE, "script '" STR_FMT "': '" STR_FMT "' is not module:attribute",
                       STR_ARG(item->name), STR_ARG(item->value));
    return true;
}

bool entry_points_parse(struct arena *a, struct str text, struct entry_points *out, struct err *e)
{
    VEC(struct entry_point) all = { 0 };
    AUTO_MAP seen = { 0 };
    struct ini ini;
    struct ini_item item;

    if (text.n > ENTRY_POINTS_MAX)
        return err_set(e, ERR_PACKAGE, "entry_points.txt of %zu bytes, at most %d are read", text.n, ENTRY_POINTS_MAX);
    ini_init(&ini, text, a, e);
    while (ini_next(&ini, &item)) {
        struct entry_point entry = { 0 };
        bool added;

        if (!str_eq(item.section, STR("console_scripts")) && !str_eq(item.section, STR("gui_scripts")))
            continue;
        if (!read_entry(&item, &entry, e))
            return false;
        uint32_t at = map_get_or_add(&seen, entry.name, (uint32_t)all.n, &added);

        if (added)
            VEC_PUSH_IN(a, &all, entry);
        else
            all.p[at] = entry;
    }
    if (ini.failed)
        return err_wrap(e, "read entry_points.txt");
    *out = (struct entry_points){ .p = all.p, .n = all.n };
    return true;
}
