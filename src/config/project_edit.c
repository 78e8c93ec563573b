/* The edits of `blast install` and `blast remove` in pyproject.toml. */
#include "base/arena.h"
#include "base/err.h"
#include "codec/toml.h"
#include "codec/toml_edit.h"
#include "config/project.h"
#include "pep/name.h"

static bool is_name_char(char c)
{
    return char_is_alpha(c) || char_is_digit(c) || c == '-' || c == '_' || c == '.';
}

static struct str leading_name(struct str requirement)
{
    struct str t = str_trim(requirement);
    size_t n = 0;

    while (n < t.n && is_name_char(t.p[n]))
        n++;
    return str_sub(t, 0, n);
}

struct str project_requirement_name(struct str requirement, struct arena *a)
{
    struct str name = leading_name(requirement);

    return name_is_valid(name) ? arena_str(a, name_normalize(a, name)) : STR("");
}

/* Behind the ';' of a requirement. In `name @ url` a ';' counts only with a space before it. */
static struct str marker_of(struct str requirement)
{
    bool url = str_find(requirement, '@') < str_find(requirement, ';');

    for (size_t i = 0; i < requirement.n; i++)
        if (requirement.p[i] == ';' && (!url || (i > 0 && char_is_space(requirement.p[i - 1]))))
            return str_sub(requirement, i + 1, requirement.n);
    return STR("");
}

/* Spaces and the kind of quotes do not matter. */
static bool same_marker(struct str a, struct str b)
{
    size_t i = 0, k = 0;

    for (;;) {
        while (i < a.n && char_is_space(a.p[i]))
            i++;
        while (k < b.n && char_is_space(b.p[k]))
            k++;
        if (i == a.n || k == b.n)
            return i == a.n && k == b.n;
        char x = a.p[i++], y = b.p[k++];

        if ((x == '\'' ? '"' : x) != (y == '\'' ? '"' : y))
            return false;
    }
}

/* The list's path, with its name spelled as the file spells it, and its array when there is one. */
static struct str path_of(const struct toml_doc *d, struct project_target to, struct arena *a,
                          const struct toml_node **array)
{
    const char *table = to.where == PROJECT_DEPENDENCIES ? "project" :
                        to.where == PROJECT_EXTRA        ? "project.optional-dependencies" :
                                                           "dependency-groups";
    struct str name = to.where == PROJECT_DEPENDENCIES ? STR("dependencies") : to.name;
    const struct toml_node *t = toml_find(d, table);

    *array = NULL;
    for (const struct toml_node *n = t ? t->first : NULL; n; n = n->next)
        if (to.where == PROJECT_DEPENDENCIES ? str_eq(n->key, name) : name_eq(n->key, name)) {
            name = n->key;
            *array = n;
        }
    return arena_printf(a, "%s." STR_FMT, table, STR_ARG(toml_quote_key(a, name)));
}

static bool is_dynamic(const struct toml_doc *d, const char *key)
{
    const struct toml_node *list = toml_find(d, "project.dynamic");

    for (const struct toml_node *n = list ? list->first : NULL; n; n = n->next)
        if (str_eq(n->text, str_of(key)))
            return true;
    return false;
}

static bool may_add(const struct toml_doc *d, struct project_target to, struct err *e)
{
    const char *key = to.where == PROJECT_DEPENDENCIES ? "dependencies" : "optional-dependencies";
    const char *file = d->name ? d->name : "pyproject.toml";

    if (to.where != PROJECT_DEPENDENCIES && !name_is_valid(to.name))
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' is not a valid name", STR_ARG(to.name));
    if (to.where == PROJECT_GROUP)
        return true;
    if (!toml_find(d, "project")) {
        (void)err_set(e, ERR_CONFIG, "%s has no [project] table to add a requirement to", file);
        return err_hint(e, "add [project] with a name and a version, or add to a group");
    }
    if (is_dynamic(d, key)) {
        (void)err_set(e, ERR_CONFIG, "%s leaves %s to the build: they are in [project] dynamic", file, key);
        return err_hint(e, "add it where the build backend reads them from, or to a group");
    }
    return true;
}

/* The next string element of the array from *at on that is about `name`, with that marker when one is given. */
static bool next_match(const struct toml_node *array, struct str name, const struct str *marker, size_t from,
                       size_t *index, struct str *text)
{
    size_t i = 0;

    for (const struct toml_node *n = array ? array->first : NULL; n; n = n->next, i++) {
        struct str own = leading_name(n->type == TOML_STRING ? n->text : STR(""));

        if (i < from || own.n == 0 || !name_eq(own, name) || (marker && !same_marker(marker_of(n->text), *marker)))
            continue;
        *index = i;
        *text = n->text;
        return true;
    }
    return false;
}

bool project_add_requirement(struct toml_edit *ed, struct project_target to, struct str requirement,
                             struct str *replaced, struct err *e)
{
    struct str name = project_requirement_name(requirement, ed->a), marker = marker_of(requirement), old = { "", 0 };
    struct toml_edit next = *ed;
    const struct toml_node *array;
    struct toml_doc *d;
    size_t index, extra;

    if (name.n == 0)
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' does not begin with a project name", STR_ARG(requirement));
    if (!toml_parse(ed->text, ed->name, ed->a, &d, e) || !may_add(d, to, e))
        return false;
    struct str path = path_of(d, to, ed->a, &array), gone;

    if (next_match(array, name, &marker, 0, &index, &old)) {
        if (!toml_array_replace(&next, path, index, requirement, e))
            return false;
        while (toml_parse(next.text, ed->name, ed->a, &d, e) && (path = path_of(d, to, ed->a, &array)).n &&
               next_match(array, name, &marker, index + 1, &extra, &gone))
            if (!toml_array_remove(&next, path, extra, e))
                return false;
    } else if (!toml_array_add(&next, path, requirement, e)) {
        return err_wrap(e, "add '" STR_FMT "'", STR_ARG(requirement));
    }
    ed->text = next.text;
    if (replaced)
        *replaced = old;
    return true;
}

bool project_remove_requirement(struct toml_edit *ed, struct project_target from, struct str name, unsigned *removed,
                                struct err *e)
{
    struct toml_edit next = *ed;
    unsigned count = 0;

    for (;;) {
        const struct toml_node *array;
        struct toml_doc *d;
        struct str text;
        size_t index;

        if (!toml_parse(next.text, ed->name, ed->a, &d, e))
            return false;
        struct str path = path_of(d, from, ed->a, &array);

        if (!next_match(array, name, NULL, 0, &index, &text))
            break;
        if (!toml_array_remove(&next, path, index, e))
            return err_wrap(e, "remove '" STR_FMT "'", STR_ARG(name));
        count++;
    }
    ed->text = next.text;
    if (removed)
        *removed = count;
    return true;
}

/* Any text as a project name: what is not allowed becomes '-'. */
static struct str valid_name(struct str name, struct arena *a)
{
    char *p = arena_cstr(a, name);
    struct str out = { p, name.n };

    for (size_t i = 0; i < name.n; i++)
        if (!is_name_char(p[i]))
            p[i] = '-';
    while (out.n && !char_is_alpha(out.p[0]) && !char_is_digit(out.p[0]))
        out = str_sub(out, 1, out.n);
    while (out.n && !char_is_alpha(out.p[out.n - 1]) && !char_is_digit(out.p[out.n - 1]))
        out.n--;
    return out.n ? out : STR("project");
}

bool project_ensure(struct toml_edit *ed, struct str name, struct str requires_python, struct err *e)
{
    struct toml_edit next = *ed;
    struct toml_doc *d;

    if (!toml_parse(ed->text, ed->name, ed->a, &d, e))
        return false;
    if (toml_find(d, "project.name"))
        return true;
    if (!toml_set(&next, STR("project.name"), toml_quote(ed->a, valid_name(name, ed->a)), e))
        return err_wrap(e, "add [project]");
    if (!toml_find(d, "project.version") && !is_dynamic(d, "version") &&
        !toml_set(&next, STR("project.version"), STR("\"0.1.0\""), e))
        return err_wrap(e, "add [project]");
    if (requires_python.n && !toml_find(d, "project.requires-python") &&
        !toml_set(&next, STR("project.requires-python"), toml_quote(ed->a, requires_python), e))
        return err_wrap(e, "add [project]");
    if (!toml_find(d, "project.dependencies") && !is_dynamic(d, "dependencies") &&
        !toml_set(&next, STR("project.dependencies"), STR("[]"), e))
        return err_wrap(e, "add [project]");
    ed->text = next.text;
    return true;
}

static struct str editable_path(struct toml_edit *ed, struct str name)
{
    return arena_printf(ed->a, "tool.blast.editable." STR_FMT, STR_ARG(toml_quote_key(ed->a, name)));
}

bool project_add_editable(struct toml_edit *ed, struct str name, struct str path, struct err *e)
{
    return toml_set(ed, editable_path(ed, name), toml_quote(ed->a, path), e);
}

bool project_remove_editable(struct toml_edit *ed, struct str name, bool *removed, struct err *e)
{
    struct project p;

    *removed = false;
    if (!project_parse(ed->text, ed->name, ed->a, &p, e))
        return false;
    for (size_t i = 0; i < p.editables.n; i++) {
        if (!name_eq(p.editables.p[i].name, name))
            continue;
        struct str path = p.editables.n == 1 ? STR("tool.blast.editable") : editable_path(ed, p.editables.p[i].name);

        return toml_remove(ed, path, removed, e);
    }
    return true;
}
