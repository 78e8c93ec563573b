#include "config/key.h"

#include <math.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/toml.h"
#include "codec/toml_edit.h"

const struct config_section_info config_sections[CONFIG_SECTIONS] = {
#define SECTION(id, name, required, sentence) { name, sentence, required },
#define KEY(section, name, type, preset, min, max, unit, sentence)
#include "config/keys.def"
#undef KEY
#undef SECTION
};

const struct config_key_info config_keys[CONFIG_KEYS] = {
#define SECTION(id, name, required, sentence)
#define KEY(section, name, type, preset, min, max, unit, sentence)                                                     \
    { SECTION_##section, TYPE_##type, #name, preset, unit, sentence, min, max,                                         \
      offsetof(struct config, section##_##name) },
#include "config/keys.def"
#undef KEY
#undef SECTION
};

static void *field_of(const struct config_key_info *k, struct config *c)
{
    return (char *)c + k->offset;
}

static const void *const_field_of(const struct config_key_info *k, const struct config *c)
{
    return (const char *)c + k->offset;
}

static bool in_bounds(const struct config_key_info *k, int64_t v)
{
    return v >= k->min && v <= k->max;
}

static bool read_bool(struct str t, bool *out)
{
    static const char *const yes[] = { "true", "1", "yes", "on" }, *const no[] = { "false", "0", "no", "off" };

    for (size_t i = 0; i < COUNT(yes); i++) {
        if (str_eq_nocase(t, str_of(yes[i])))
            return *out = true;
        if (str_eq_nocase(t, str_of(no[i]))) {
            *out = false;
            return true;
        }
    }
    return false;
}

/* Digits and a unit: the unit's factor from `letters`, in any case. */
static bool read_scaled(struct str t, const char *letters, const int64_t *factor, int64_t *out)
{
    uint64_t v;
    int64_t by = 1;
    const char *at = t.n ? strchr(letters, char_lower(t.p[t.n - 1])) : NULL;

    if (at && *at) {
        by = factor[at - letters];
        t = str_trim(str_sub(t, 0, t.n - 1));
    }
    return str_to_u64(t, &v) && v <= INT64_MAX && !__builtin_mul_overflow((int64_t)v, by, out);
}

/* 10485760, "10M", "10 MiB", "10MB": units of 1024. */
static bool read_size(struct str t, int64_t *out)
{
    static const int64_t factor[] = { 1LL << 10, 1LL << 20, 1LL << 30, 1LL << 40 };

    if (t.n > 1 && char_lower(t.p[t.n - 1]) == 'b') {
        t.n--;
        if (t.n > 2 && char_lower(t.p[t.n - 1]) == 'i')
            t.n--;
    }
    return read_scaled(str_trim(t), "kmgt", factor, out);
}

static bool read_duration(struct str t, int64_t *out)
{
    static const int64_t factor[] = { 1, 60, 3600, 86400, 7 * 86400 };

    return read_scaled(t, "smhdw", factor, out);
}

static bool read_float(const struct config_key_info *k, struct str t, struct arena *a, double *out)
{
    char *end, *text = arena_cstr(a, t);

    *out = strtod(text, &end);
    return t.n && !*end && isfinite(*out) && *out >= (double)k->min && *out <= (double)k->max;
}

static bool read_word(const struct config_key_info *k, struct str t, int *out)
{
    int i = 0;

    for (struct str word, rest = str_of(k->unit); str_next(&rest, '|', &word); i++)
        if (str_eq_nocase(word, t)) {
            *out = i;
            return true;
        }
    return false;
}

static bool read_list(const struct config_key_info *k, struct str t, struct arena *a, struct config_list *out)
{
    VEC(struct str) items = { 0 };

    for (struct str part, rest = t; str_next(&rest, ',', &part);)
        if (str_trim(part).n)
            VEC_PUSH_IN(a, &items, arena_str(a, str_trim(part)));
    *out = (struct config_list){ items.p, items.n };
    return in_bounds(k, (int64_t)items.n);
}

static bool read_ports(const struct config_key_info *k, struct str t, struct arena *a, struct config_ports *out)
{
    VEC(uint16_t) ports = { 0 };

    for (struct str part, rest = t; str_next(&rest, ',', &part);) {
        uint64_t v;

        if (str_trim(part).n == 0)
            continue;
        if (!str_to_u64(str_trim(part), &v) || v < 1 || v > UINT16_MAX)
            return false;
        VEC_PUSH_IN(a, &ports, (uint16_t)v);
    }
    *out = (struct config_ports){ ports.p, ports.n };
    return in_bounds(k, (int64_t)ports.n);
}

static bool is_moment(struct str t)
{
    int64_t seconds;

    return t.n == 0 || clock_parse(t, &seconds);
}

bool key_from_text(const struct config_key_info *k, struct str text, struct arena *a, struct config *c)
{
    void *field = field_of(k, c);
    struct str t = str_trim(text);
    uint64_t v;

    switch (k->type) {
    case TYPE_BOOL:
        return read_bool(t, field);
    case TYPE_INT:
        if (!str_to_u64(t, &v) || v > INT64_MAX || !in_bounds(k, (int64_t)v))
            return false;
        *(int64_t *)field = (int64_t)v;
        return true;
    case TYPE_FLOAT:
        return read_float(k, t, a, field);
    case TYPE_TEXT:
    case TYPE_MOMENT:
        *(struct str *)field = arena_str(a, t);
        return (int64_t)t.n <= k->max && (k->type == TYPE_TEXT || is_moment(t));
    case TYPE_WORD:
        return read_word(k, t, field);
    case TYPE_LIST:
        return read_list(k, t, a, field);
    case TYPE_PORTS:
        return read_ports(k, t, a, field);
    case TYPE_SIZE:
        return read_size(t, field) && in_bounds(k, *(int64_t *)field);
    case TYPE_DURATION:
        return read_duration(t, field) && in_bounds(k, *(int64_t *)field);
    }
    return false;
}

static bool list_from_toml(const struct config_key_info *k, const struct toml_node *n, struct arena *a,
                           struct config_list *out)
{
    struct str *items = ARENA_ARRAY(a, struct str, n->n);
    size_t i = 0;

    for (const struct toml_node *el = n->first; el; el = el->next) {
        if (el->type != TOML_STRING)
            return false;
        items[i++] = el->text;
    }
    *out = (struct config_list){ items, i };
    return in_bounds(k, (int64_t)i);
}

static bool ports_from_toml(const struct config_key_info *k, const struct toml_node *n, struct arena *a,
                            struct config_ports *out)
{
    uint16_t *ports = ARENA_ARRAY(a, uint16_t, n->n);
    size_t i = 0;

    for (const struct toml_node *el = n->first; el; el = el->next) {
        if (el->type != TOML_INTEGER || el->integer < 1 || el->integer > UINT16_MAX)
            return false;
        ports[i++] = (uint16_t)el->integer;
    }
    *out = (struct config_ports){ ports, i };
    return in_bounds(k, (int64_t)i);
}

bool key_from_toml(const struct config_key_info *k, const struct toml_node *n, struct arena *a, struct config *c)
{
    void *field = field_of(k, c);
    bool number = n->type == TOML_INTEGER;

    switch (k->type) {
    case TYPE_BOOL:
        *(bool *)field = n->yes;
        return n->type == TOML_BOOL;
    case TYPE_INT:
        *(int64_t *)field = n->integer;
        return number && in_bounds(k, n->integer);
    case TYPE_FLOAT:
        *(double *)field = n->real;
        return (number || n->type == TOML_FLOAT) && isfinite(n->real) && n->real >= (double)k->min &&
               n->real <= (double)k->max;
    case TYPE_TEXT:
    case TYPE_WORD:
        return n->type == TOML_STRING && key_from_text(k, n->text, a, c);
    case TYPE_LIST:
        return n->type == TOML_ARRAY && list_from_toml(k, n, a, field);
    case TYPE_PORTS:
        return n->type == TOML_ARRAY && ports_from_toml(k, n, a, field);
    case TYPE_SIZE:
    case TYPE_DURATION:
        *(int64_t *)field = n->integer;
        return number ? in_bounds(k, n->integer) : n->type == TOML_STRING && key_from_text(k, n->text, a, c);
    case TYPE_MOMENT:
        return (n->type == TOML_STRING || n->type == TOML_DATETIME || n->type == TOML_DATE) &&
               key_from_text(k, n->text, a, c);
    }
    return false;
}

static struct str word_of(const struct config_key_info *k, int index)
{
    struct str word = STR(""), rest = str_of(k->unit);

    for (int i = 0; i <= index; i++)
        if (!str_next(&rest, '|', &word))
            BUG("%s has no word %d", k->name, index);
    return word;
}

static struct str format_list(const struct config_list *list, struct arena *a)
{
    struct str out = STR("[");

    for (size_t i = 0; i < list->n; i++)
        out = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(out), i ? ", " : "", STR_ARG(toml_quote(a, list->item[i])));
    return arena_printf(a, STR_FMT "]", STR_ARG(out));
}

static struct str format_ports(const struct config_ports *ports, struct arena *a)
{
    struct str out = STR("[");

    for (size_t i = 0; i < ports->n; i++)
        out = arena_printf(a, STR_FMT "%s%u", STR_ARG(out), i ? ", " : "", ports->port[i]);
    return arena_printf(a, STR_FMT "]", STR_ARG(out));
}

struct str key_format(const struct config_key_info *k, const struct config *c, struct arena *a)
{
    const void *field = const_field_of(k, c);

    switch (k->type) {
    case TYPE_BOOL:
        return *(const bool *)field ? STR("true") : STR("false");
    case TYPE_INT:
    case TYPE_SIZE:
    case TYPE_DURATION:
        return arena_printf(a, "%lld", (long long)*(const int64_t *)field);
    case TYPE_FLOAT: {
        struct str text = arena_printf(a, "%.15g", *(const double *)field);

        return strpbrk(text.p, ".e") ? text : arena_printf(a, "%s.0", text.p);
    }
    case TYPE_TEXT:
    case TYPE_MOMENT:
        return toml_quote(a, *(const struct str *)field);
    case TYPE_WORD:
        return toml_quote(a, word_of(k, *(const int *)field));
    case TYPE_LIST:
        return format_list(field, a);
    case TYPE_PORTS:
        return format_ports(field, a);
    }
    return STR("");
}

struct str key_wants(const struct config_key_info *k, struct arena *a)
{
    struct str out = STR("");

    switch (k->type) {
    case TYPE_BOOL:
        return STR("true or false");
    case TYPE_INT:
        return arena_printf(a, "a whole number from %lld to %lld", (long long)k->min, (long long)k->max);
    case TYPE_FLOAT:
        return arena_printf(a, "a number from %lld to %lld", (long long)k->min, (long long)k->max);
    case TYPE_TEXT:
        return arena_printf(a, "a string of at most %lld bytes", (long long)k->max);
    case TYPE_WORD:
        for (struct str word, rest = str_of(k->unit); str_next(&rest, '|', &word);)
            out = arena_printf(a, STR_FMT "%s\"" STR_FMT "\"", STR_ARG(out), !out.n ? "" : rest.p ? ", " : " or ",
                               STR_ARG(word));
        return out;
    case TYPE_LIST:
        return arena_printf(a, "an array of at most %lld strings", (long long)k->max);
    case TYPE_PORTS:
        return arena_printf(a, "an array of at most %lld numbers from 1 to 65535", (long long)k->max);
    case TYPE_SIZE:
        return STR("a number of bytes or a string such as \"512M\"");
    case TYPE_DURATION:
        return arena_printf(a, "%lld to %lld seconds or a string such as \"5m\" or \"3d\"", (long long)k->min,
                            (long long)k->max);
    case TYPE_MOMENT:
        return STR("a date or date-time such as 2026-01-31");
    }
    return out;
}

struct str key_variable(const struct config_key_info *k, struct arena *a)
{
    const struct str part[] = { STR("BLAST_"), str_of(config_sections[k->section].name), STR("_"), str_of(k->name) };
    char *text = ARENA_ARRAY(a, char, part[1].n + part[3].n + sizeof "BLAST__");
    size_t n = 0;

    /* By hand: every command asks for the names of all keys. */
    for (size_t i = 0; i < COUNT(part); i++)
        for (size_t c = 0; c < part[i].n; c++) {
            char p = part[i].p[c];

            text[n++] = p == '.' ? '_' : p >= 'a' && p <= 'z' ? (char)(p - 32) : p;
        }
    text[n] = '\0';
    return (struct str){ text, n };
}
