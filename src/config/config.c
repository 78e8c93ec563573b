/* Reads the layers one over the other. A key that a layer does not name keeps value and origin of the layer below. */
#include "config/config.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "codec/toml.h"
#include "config/dirs.h"
#include "config/key.h"

#define TYPO_MAX 3 /* edits between a name and the one that was probably meant */

struct reader {
    struct config *c;
    struct arena *a;
    struct err *e;
    const struct toml_doc *d;
    enum config_layer layer;
    VEC(struct str) warnings;
};

static struct str place_text(const struct reader *r, const struct toml_node *n)
{
    return arena_printf(r->a, "%s:%u", r->d->name, toml_key_place(r->d, n).line);
}

static const struct config_key_info *find_key(enum config_section_id section, struct str name)
{
    for (size_t i = 0; i < CONFIG_KEYS; i++)
        if (config_keys[i].section == section && str_eq(name, str_of(config_keys[i].name)))
            return &config_keys[i];
    return NULL;
}

static bool find_section(struct str name, enum config_section_id *out)
{
    for (size_t i = 0; i < CONFIG_SECTIONS; i++)
        if (str_eq(name, str_of(config_sections[i].name))) {
            *out = (enum config_section_id)i;
            return true;
        }
    return false;
}

/* Keeps the nearer one of *best and `name`. */
static void consider(struct str typed, const char *name, const char **best, unsigned *distance)
{
    unsigned limit = (unsigned)MIN(typed.n / 2, TYPO_MAX), d = str_distance(typed, str_of(name), limit);

    if (d <= limit && d < *distance) {
        *best = name;
        *distance = d;
    }
}

static const char *nearest_key(enum config_section_id section, struct str typed)
{
    const char *best = NULL;
    unsigned distance = TYPO_MAX + 1;

    for (size_t i = 0; i < CONFIG_KEYS; i++)
        if (config_keys[i].section == section)
            consider(typed, config_keys[i].name, &best, &distance);
    return best;
}

static const char *nearest_section(struct str typed)
{
    const char *best = NULL;
    unsigned distance = TYPO_MAX + 1;

    for (size_t i = 0; i < CONFIG_SECTIONS; i++)
        consider(typed, config_sections[i].name, &best, &distance);
    return best;
}

static void warn_key(struct reader *r, enum config_section_id section, const char *where, const struct toml_node *n)
{
    const char *near = nearest_key(section, n->key), *home = NULL;
    struct str place = place_text(r, n);
    struct str text = arena_printf(r->a, STR_FMT ": unknown key '" STR_FMT "' in [%s]", STR_ARG(place),
                                   STR_ARG(n->key), where);

    for (size_t i = 0; i < CONFIG_KEYS && !near && !home; i++)
        if (str_eq(n->key, str_of(config_keys[i].name)))
            home = config_sections[config_keys[i].section].name;
    if (near)
        text = arena_printf(r->a, "%s; did you mean '%s'?", text.p, near);
    else if (home)
        text = arena_printf(r->a, "%s; it belongs in [%s]", text.p, home);
    VEC_PUSH_IN(r->a, &r->warnings, text);
}

static void warn_section(struct reader *r, struct str name, const struct toml_node *n)
{
    const char *near = nearest_section(name);
    struct str place = place_text(r, n);
    bool table = n->type == TOML_TABLE;

    VEC_PUSH_IN(r->a, &r->warnings,
                arena_printf(r->a, STR_FMT ": unknown %s" STR_FMT "%s%s%s%s", STR_ARG(place),
                             table ? "section [" : "key '", STR_ARG(name), table ? "]" : "' outside of a section",
                             near ? "; did you mean [" : "", near ? near : "", near ? "]?" : ""));
}

/* What stands in the file, short enough for a message. */
static struct str found_text(const struct reader *r, const struct toml_node *n)
{
    struct str source = str_sub(r->d->text, n->from, n->to);

    if (n->type == TOML_TABLE)
        return STR("a table");
    return source.n <= 60 && !memchr(source.p, '\n', source.n) ? source : str_of(toml_type_name(n->type));
}

static bool wrong_value(struct reader *r, const struct config_key_info *k, const struct toml_node *n)
{
    struct str wants = key_wants(k, r->a), found = found_text(r, n);
    const char *best = NULL;
    unsigned distance = TYPO_MAX + 1;

    (void)toml_error(r->d, n, r->e, "'%s' in [%s] is " STR_FMT ", it wants " STR_FMT, k->name,
                     config_sections[k->section].name, STR_ARG(found), STR_ARG(wants));
    if (k->type == TYPE_WORD && n->type == TOML_STRING) {
        for (struct str word, rest = str_of(k->unit); str_next(&rest, '|', &word);)
            consider(n->text, arena_cstr(r->a, word), &best, &distance);
        if (best)
            return err_hint(r->e, "did you mean %s = \"%s\"?", k->name, best);
    }
    if ((k->type == TYPE_TEXT || k->type == TYPE_WORD) && (n->type == TOML_FLOAT || n->type == TOML_INTEGER))
        return err_hint(r->e, "write it with quotes: %s = \"" STR_FMT "\"", k->name, STR_ARG(n->text));
    return false;
}

static bool read_key(struct reader *r, const struct config_key_info *k, const struct toml_node *n)
{
    if (!key_from_toml(k, n, r->a, r->c))
        return wrong_value(r, k, n);
    r->c->origin[k - config_keys] = (struct config_origin){ r->layer, place_text(r, n) };
    return true;
}

static bool read_section(struct reader *r, enum config_section_id section, const struct toml_node *table)
{
    const char *name = config_sections[section].name;

    if (table->type != TOML_TABLE)
        return toml_error(r->d, table, r->e, "[%s] is %s, a table is wanted", name, toml_type_name(table->type));
    for (const struct toml_node *n = table->first; n; n = n->next) {
        const struct config_key_info *k = find_key(section, n->key);
        struct str sub = arena_printf(r->a, "%s." STR_FMT, name, STR_ARG(n->key));
        enum config_section_id child;

        if (k) {
            if (!read_key(r, k, n))
                return false;
        } else if (find_section(sub, &child)) {
            if (!read_section(r, child, n))
                return false;
        } else if (n->type == TOML_TABLE) {
            warn_section(r, sub, n);
        } else {
            warn_key(r, section, name, n);
        }
    }
    return true;
}

static bool read_sections(struct reader *r)
{
    for (const struct toml_node *n = r->d->root->first; n; n = n->next) {
        enum config_section_id section;

        if (!find_section(n->key, &section))
            warn_section(r, n->key, n);
        else if (!read_section(r, section, n))
            return false;
    }
    return true;
}

/* The lines that make a missing section complete; keys without a default worth writing are left to it. */
static struct str lines_of(const struct reader *r, enum config_section_id section)
{
    struct str out = arena_printf(r->a, "\n[%s]", config_sections[section].name);

    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        const struct config_key_info *k = &config_keys[i];

        if (k->section != section || k->preset[0] == '\0')
            continue;
        struct config c = { 0 };

        if (!key_from_text(k, str_of(k->preset), r->a, &c))
            BUG("the default of %s does not fit", k->name);
        struct str value = key_format(k, &c, r->a);

        out = arena_printf(r->a, STR_FMT "\n%s = " STR_FMT, STR_ARG(out), k->name, STR_ARG(value));
    }
    return out;
}

static bool require_sections(struct reader *r)
{
    struct str names = STR(""), lines = STR("");
    unsigned missing = 0;

    for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
        if (!config_sections[i].required || toml_find(r->d, config_sections[i].name))
            continue;
        struct str more = lines_of(r, (enum config_section_id)i);

        names = arena_printf(r->a, STR_FMT "%s[%s]", STR_ARG(names), missing++ ? ", " : "", config_sections[i].name);
        lines = arena_printf(r->a, STR_FMT STR_FMT, STR_ARG(lines), STR_ARG(more));
    }
    if (!missing)
        return true;
    (void)err_set(r->e, ERR_CONFIG, "%s: the required section%s " STR_FMT " %s missing", r->d->name,
                  missing > 1 ? "s" : "", STR_ARG(names), missing > 1 ? "are" : "is");
    return err_hint(r->e, STR_FMT "%sadd to it:" STR_FMT, STR_ARG(r->warnings.n ? r->warnings.p[0] : STR("")),
                    r->warnings.n ? "\n" : "", STR_ARG(lines));
}

/* [tool.blast] holds the keys of [resolver] beside those that config/project.h reads. */
static bool read_tool(struct reader *r)
{
    static const char *const others[] = { "constraints", "overrides", "default_groups", "editable", "package" };
    const struct toml_node *table = toml_find(r->d, "tool.blast");

    if (table && table->type != TOML_TABLE)
        return toml_error(r->d, table, r->e, "[tool.blast] is %s, a table is wanted", toml_type_name(table->type));
    for (const struct toml_node *n = table ? table->first : NULL; n; n = n->next) {
        const struct config_key_info *k = find_key(SECTION_resolver, n->key);
        bool other = false;

        for (size_t i = 0; i < COUNT(others); i++)
            other |= str_eq(n->key, str_of(others[i]));
        if (k && !read_key(r, k, n))
            return false;
        if (!k && !other)
            warn_key(r, SECTION_resolver, "tool.blast", n);
    }
    return true;
}

static bool open_layer(struct reader *r, struct str text, const char *name, enum config_layer layer)
{
    struct toml_doc *d;

    if (!toml_parse(text, name, r->a, &d, r->e))
        return false;
    r->d = d;
    r->layer = layer;
    return true;
}

/* Those of `env` that may belong to a key, in their order: two or three, to be asked for each key. */
static const char *const *own_variables(const char *const *env, struct arena *a)
{
    VEC(const char *) own = { 0 };

    for (const char *const *v = env ? env : (const char *const *)environ; v && *v; v++)
        if (str_starts(str_of(*v), STR("BLAST_")))
            VEC_PUSH_IN(a, &own, *v);
    VEC_PUSH_IN(a, &own, NULL);
    return own.p;
}

static bool read_variables(struct reader *r, const char *const *env)
{
    const char *const *own = own_variables(env, r->a);

    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        const struct config_key_info *k = &config_keys[i];
        struct str name = key_variable(k, r->a);
        const char *value = dirs_variable(own, name.p);

        if (!value)
            continue;
        if (!key_from_text(k, str_of(value), r->a, r->c)) {
            struct str wants = key_wants(k, r->a);

            return err_set(r->e, ERR_CONFIG, "%s is '%s', it wants " STR_FMT, name.p, value, STR_ARG(wants));
        }
        r->c->origin[i] = (struct config_origin){ CONFIG_VARIABLE, name };
    }
    return true;
}

static void set_defaults(struct reader *r)
{
    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        if (!key_from_text(&config_keys[i], str_of(config_keys[i].preset), r->a, r->c))
            BUG("the default of %s does not fit", config_keys[i].name);
        r->c->origin[i] = (struct config_origin){ CONFIG_DEFAULT, STR("default") };
    }
}

/* `allow_prereleases = true` says what `prerelease = "allow"` says; the higher layer of the two wins. */
static void join_prereleases(struct config *c)
{
    struct config_origin *say = &c->origin[CONFIG_KEY_resolver_prerelease];
    const struct config_origin *allow = &c->origin[CONFIG_KEY_resolver_allow_prereleases];

    if (c->resolver_allow_prereleases && allow->layer > say->layer) {
        c->resolver_prerelease = CONFIG_PRERELEASE_ALLOW;
        *say = *allow;
    }
}

bool config_read(const struct config_input *in, struct arena *a, struct config *out, struct err *e)
{
    struct reader r = { .c = out, .a = a, .e = e };

    *out = (struct config){ .found = in->project.p != NULL };
    set_defaults(&r);
    if (in->user.p && (!open_layer(&r, in->user, in->user_name, CONFIG_USER) || !read_sections(&r)))
        return false;
    if (in->pyproject.p &&
        (!open_layer(&r, in->pyproject, in->pyproject_name, CONFIG_PYPROJECT) || !read_tool(&r)))
        return false;
    if (in->project.p && (!open_layer(&r, in->project, in->project_name, CONFIG_PROJECT) || !read_sections(&r) ||
                          !require_sections(&r)))
        return false;
    if (!read_variables(&r, in->env))
        return false;
    join_prereleases(out);
    out->warnings = (struct config_list){ r.warnings.p, r.warnings.n };
    return true;
}

bool config_load(int dir, const char *config_dir, struct arena *a, struct config *out, struct err *e)
{
    struct config_input in = { .pyproject_name = "pyproject.toml", .project_name = "blast.toml" };

    if (config_dir) {
        in.user_name = arena_printf(a, "%s/config.toml", config_dir).p;
        if (!fd_read_if_there(AT_FDCWD, in.user_name, CONFIG_FILE_MAX, a, &in.user, e))
            return false;
    }
    return fd_read_if_there(dir, "pyproject.toml", CONFIG_FILE_MAX * 4, a, &in.pyproject, e) &&
           fd_read_if_there(dir, "blast.toml", CONFIG_FILE_MAX, a, &in.project, e) && config_read(&in, a, out, e);
}

bool config_each(const struct config *c, unsigned *i, struct arena *a, struct config_item *out)
{
    if (*i >= CONFIG_KEYS)
        return false;
    const struct config_key_info *k = &config_keys[*i];

    *out = (struct config_item){
        .key = (enum config_key)*i,
        .section = config_sections[k->section].name,
        .name = k->name,
        .value = key_format(k, c, a),
        .origin = c->origin[*i],
        .unit = k->unit,
        .sentence = k->sentence,
        .variable = key_variable(k, a).p,
    };
    ++*i;
    return true;
}

bool config_find_key(struct str dotted, enum config_key *out, struct err *e)
{
    size_t dot = str_rfind(dotted, '.');
    struct str section = str_sub(dotted, 0, dot), name = dot < dotted.n ? str_sub(dotted, dot + 1, dotted.n) : dotted;
    const char *best = NULL;
    unsigned distance = TYPO_MAX + 1;
    char full[CONFIG_KEYS][96];

    for (size_t i = 0; i < CONFIG_KEYS; i++) {
        const struct config_key_info *k = &config_keys[i];

        (void)snprintf(full[i], sizeof full[i], "%s.%s", config_sections[k->section].name, k->name);
        if (str_eq(dotted, str_of(full[i]))) {
            *out = (enum config_key)i;
            return true;
        }
        consider(dotted, full[i], &best, &distance);
        if ((dot == dotted.n || !find_section(section, &(enum config_section_id){ 0 })) &&
            str_eq(name, str_of(k->name)) && distance > 0) { /* the key alone is right */
            best = full[i];
            distance = 0;
        }
    }
    (void)err_set(e, ERR_CONFIG, "there is no key '" STR_FMT "'", STR_ARG(dotted));
    return best ? err_hint(e, "did you mean '%s'?", best) : false;
}
