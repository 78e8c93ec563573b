#include "config/project.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "codec/toml.h"
#include "pep/name.h"

#define GROUPS_DEEP 64     /* levels of include-group */
#define EXPANDED_MAX 20000 /* requirements of all groups together, includes counted */

struct reader {
    struct project *p;
    struct toml_doc *d;
    struct arena *a;
    struct err *e;
    const struct toml_node *groups;
    size_t expanded;
};

static bool must_be(struct reader *r, const struct toml_node *n, enum toml_type type, const char *what)
{
    return n->type == type || toml_error(r->d, n, r->e, "%s is %s, %s is wanted", what, toml_type_name(n->type),
                                         toml_type_name(type));
}

static unsigned line_of(const struct reader *r, const struct toml_node *n)
{
    return toml_value_place(r->d, n).line;
}

/* Text below a table; missing leaves *out as it is. */
static bool read_text(struct reader *r, const char *path, struct str *out, unsigned *line)
{
    const struct toml_node *n = toml_find(r->d, path);

    if (!n)
        return true;
    if (!must_be(r, n, TOML_STRING, path))
        return false;
    *out = str_trim(n->text);
    if (line)
        *line = line_of(r, n);
    return true;
}

struct reqs {
    VEC(struct project_req) list;
};

static bool read_reqs(struct reader *r, const struct toml_node *array, const char *what, struct reqs *out)
{
    if (array && !must_be(r, array, TOML_ARRAY, what))
        return false;
    for (const struct toml_node *n = array ? array->first : NULL; n; n = n->next) {
        if (!must_be(r, n, TOML_STRING, arena_printf(r->a, "an element of %s", what).p))
            return false;
        VEC_PUSH_IN(r->a, &out->list, (struct project_req){ str_trim(n->text), line_of(r, n) });
    }
    return true;
}

static bool read_names(struct reader *r, const char *path, struct reqs *out)
{
    return read_reqs(r, toml_find(r->d, path), path, out);
}

/* A key of optional-dependencies or dependency-groups: valid, and not there before in another spelling. */
static bool open_list(struct reader *r, const struct toml_node *n, enum project_where where,
                      const struct project_list *before, size_t count, struct project_list *out)
{
    const char *what = where == PROJECT_EXTRA ? "extra" : "dependency group";

    *out = (struct project_list){ .where = where, .name = n->key, .line = toml_key_place(r->d, n).line };
    if (!name_is_valid(n->key))
        return toml_error(r->d, n, r->e, "'" STR_FMT "' is not a name for %s %s", STR_ARG(n->key),
                          where == PROJECT_EXTRA ? "an" : "a", what);
    out->normalized = arena_str(r->a, name_normalize(r->a, n->key));
    for (size_t i = 0; i < count; i++)
        if (str_eq(before[i].normalized, out->normalized))
            return toml_error(r->d, n, r->e, "the %s '" STR_FMT "' is the same name as '" STR_FMT "' in line %u", what,
                              STR_ARG(n->key), STR_ARG(before[i].name), before[i].line);
    return true;
}

static bool read_extras(struct reader *r)
{
    const struct toml_node *table = toml_find(r->d, "project.optional-dependencies");

    if (table && !must_be(r, table, TOML_TABLE, "project.optional-dependencies"))
        return false;
    for (const struct toml_node *n = table ? table->first : NULL; n; n = n->next) {
        struct project_list list;
        struct reqs reqs = { 0 };
        struct str what = arena_printf(r->a, "the extra '" STR_FMT "'", STR_ARG(n->key));

        if (!open_list(r, n, PROJECT_EXTRA, r->p->extras.p, r->p->extras.n, &list) ||
            !read_reqs(r, n, what.p, &reqs))
            return false;
        list.reqs.p = reqs.list.p;
        list.reqs.n = reqs.list.n;
        VEC_PUSH_IN(r->a, &r->p->extras, list);
    }
    return true;
}

struct chain { /* the groups being expanded, innermost first */
    const struct toml_node *group;
    const struct chain *up;
    unsigned depth;
};

static struct str chain_text(struct arena *a, const struct chain *c)
{
    struct str out = c->group->key;

    for (c = c->up; c; c = c->up)
        out = arena_printf(a, STR_FMT " -> " STR_FMT, STR_ARG(c->group->key), STR_ARG(out));
    return out;
}

static const struct toml_node *find_group_node(const struct reader *r, struct str name)
{
    for (const struct toml_node *n = r->groups->first; n; n = n->next)
        if (name_eq(n->key, name))
            return n;
    return NULL;
}

static bool expand(struct reader *r, const struct chain *c, struct reqs *out);

/* PEP 735: {include-group = "name"} and nothing else. */
static bool expand_include(struct reader *r, const struct chain *c, const struct toml_node *n, struct reqs *out)
{
    const struct toml_node *name = toml_get(r->d, n, STR("include-group"));

    if (!name || n->n != 1 || name->type != TOML_STRING)
        return toml_error(r->d, n, r->e,
                          "a table in a dependency group is {include-group = \"name\"} and nothing else");
    const struct toml_node *group = find_group_node(r, name->text);

    if (!group)
        return toml_error(r->d, name, r->e, "there is no dependency group '" STR_FMT "' to include",
                          STR_ARG(name->text));
    struct chain next = { group, c, c->depth + 1 };

    for (const struct chain *up = c; up; up = up->up)
        if (up->group == group)
            return toml_error(r->d, name, r->e, "dependency groups include each other: " STR_FMT,
                              STR_ARG(chain_text(r->a, &next)));
    if (next.depth > GROUPS_DEEP)
        return toml_error(r->d, name, r->e, "dependency groups include each other more than %d deep", GROUPS_DEEP);
    return expand(r, &next, out);
}

static bool expand(struct reader *r, const struct chain *c, struct reqs *out)
{
    if (!must_be(r, c->group, TOML_ARRAY, "a dependency group"))
        return false;
    for (const struct toml_node *n = c->group->first; n; n = n->next) {
        if (++r->expanded > EXPANDED_MAX)
            return toml_error(r->d, n, r->e, "the dependency groups come to more than %d requirements", EXPANDED_MAX);
        if (n->type == TOML_TABLE) {
            if (!expand_include(r, c, n, out))
                return false;
        } else if (n->type == TOML_STRING) {
            VEC_PUSH_IN(r->a, &out->list, (struct project_req){ str_trim(n->text), line_of(r, n) });
        } else {
            return toml_error(r->d, n, r->e, "an element of a dependency group is %s, a string or "
                              "{include-group = \"name\"} is wanted", toml_type_name(n->type));
        }
    }
    return true;
}

static bool read_groups(struct reader *r)
{
    r->groups = toml_find(r->d, "dependency-groups");
    if (r->groups && !must_be(r, r->groups, TOML_TABLE, "dependency-groups"))
        return false;
    for (const struct toml_node *n = r->groups ? r->groups->first : NULL; n; n = n->next) {
        struct project_list list;
        struct reqs reqs = { 0 };
        struct chain chain = { n, NULL, 0 };

        if (!open_list(r, n, PROJECT_GROUP, r->p->groups.p, r->p->groups.n, &list) || !expand(r, &chain, &reqs))
            return false;
        list.reqs.p = reqs.list.p;
        list.reqs.n = reqs.list.n;
        VEC_PUSH_IN(r->a, &r->p->groups, list);
    }
    return true;
}

static bool read_dynamic(struct reader *r)
{
    struct reqs names = { 0 };

    if (!read_names(r, "project.dynamic", &names))
        return false;
    for (size_t i = 0; i < names.list.n; i++) {
        struct str name = names.list.p[i].text;

        r->p->dynamic_dependencies |= str_eq(name, STR("dependencies"));
        r->p->dynamic_extras |= str_eq(name, STR("optional-dependencies"));
        r->p->dynamic_version |= str_eq(name, STR("version"));
        r->p->dynamic_requires_python |= str_eq(name, STR("requires-python"));
    }
    return true;
}

static void warn(struct reader *r, unsigned line, struct str text)
{
    VEC_PUSH_IN(r->a, &r->p->warnings, arena_printf(r->a, "%s:%u: " STR_FMT, r->d->name, line, STR_ARG(text)));
}

static bool read_project(struct reader *r)
{
    struct project *p = r->p;
    const struct toml_node *table = toml_find(r->d, "project");
    struct reqs reqs = { 0 };

    if (!table)
        return true;
    if (!must_be(r, table, TOML_TABLE, "[project]"))
        return false;
    p->has_project = true;
    if (!read_text(r, "project.name", &p->name, NULL) || !read_text(r, "project.version", &p->version, NULL) ||
        !read_text(r, "project.requires-python", &p->requires_python, &p->requires_python_line) || !read_dynamic(r) ||
        !read_names(r, "project.dependencies", &reqs) || !read_extras(r))
        return false;
    if (p->name.n && !name_is_valid(p->name))
        return toml_error(r->d, toml_find(r->d, "project.name"), r->e, "'" STR_FMT "' is not a valid project name",
                          STR_ARG(p->name));
    if (!p->name.n)
        warn(r, toml_key_place(r->d, table).line, STR("[project] has no name"));
    const struct toml_node *list = toml_find(r->d, "project.dependencies");

    p->dependencies.line = list ? line_of(r, list) : 0;
    p->dependencies.reqs.p = reqs.list.p;
    p->dependencies.reqs.n = reqs.list.n;
    return true;
}

static bool read_build_system(struct reader *r)
{
    const struct toml_node *table = toml_find(r->d, "build-system");
    struct reqs reqs = { 0 };

    if (!table)
        return true;
    if (!must_be(r, table, TOML_TABLE, "[build-system]") || !read_names(r, "build-system.requires", &reqs) ||
        !read_text(r, "build-system.build-backend", &r->p->build_backend, NULL))
        return false;
    r->p->has_build_system = true;
    r->p->build_requires.p = reqs.list.p;
    r->p->build_requires.n = reqs.list.n;
    return true;
}

/* Settings for another tool that change what is installed: say that they are not read. */
static void warn_foreign(struct reader *r)
{
    static const char *const keys[] = { "sources", "index", "constraint-dependencies", "override-dependencies" };
    const struct toml_node *uv = toml_find(r->d, "tool.uv");

    for (size_t i = 0; i < COUNT(keys); i++) {
        const struct toml_node *n = toml_get(r->d, uv, str_of(keys[i]));
        struct str names = STR("");

        if (!n)
            continue;
        for (const struct toml_node *c = n->type == TOML_TABLE ? n->first : NULL; c; c = c->next)
            names = arena_printf(r->a, STR_FMT "%s" STR_FMT, STR_ARG(names), names.n ? ", " : " (", STR_ARG(c->key));
        warn(r, toml_key_place(r->d, n).line,
             arena_printf(r->a, "tool.uv.%s" STR_FMT "%s is not read by Blast", keys[i], STR_ARG(names),
                          names.n ? ")" : ""));
    }
}

static bool read_editables(struct reader *r)
{
    const struct toml_node *table = toml_find(r->d, "tool.blast.editable");
    const struct toml_node *package = toml_find(r->d, "tool.blast.package");

    if (package && package->type != TOML_BOOL)
        return toml_error(r->d, package, r->e, "tool.blast.package is %s, not true or false",
                          toml_type_name(package->type));
    r->p->package_off = package && !package->yes;
    if (table && table->type != TOML_TABLE)
        return toml_error(r->d, table, r->e, "tool.blast.editable is %s, not a table of names and paths",
                          toml_type_name(table->type));
    for (const struct toml_node *n = table ? table->first : NULL; n; n = n->next) {
        if (!name_is_valid(n->key))
            return toml_error(r->d, n, r->e, "'" STR_FMT "' is not a name for a package", STR_ARG(n->key));
        if (n->type != TOML_STRING || n->text.n == 0)
            return toml_error(r->d, n, r->e, "tool.blast.editable." STR_FMT " is no path", STR_ARG(n->key));
        VEC_PUSH_IN(r->a, &r->p->editables,
                    (struct project_editable){ .name = arena_str(r->a, name_normalize(r->a, n->key)), .path = n->text,
                                               .line = toml_key_place(r->d, n).line });
    }
    return true;
}

static bool read_tool(struct reader *r)
{
    struct reqs constraints = { 0 }, overrides = { 0 }, groups = { 0 };

    if (!read_names(r, "tool.blast.constraints", &constraints) || !read_names(r, "tool.blast.overrides", &overrides) ||
        !read_names(r, "tool.blast.default_groups", &groups) || !read_editables(r))
        return false;
    r->p->constraints.p = constraints.list.p;
    r->p->constraints.n = constraints.list.n;
    r->p->overrides.p = overrides.list.p;
    r->p->overrides.n = overrides.list.n;
    for (size_t i = 0; i < groups.list.n; i++) {
        if (!project_find_group(r->p, groups.list.p[i].text))
            return err_set(r->e, ERR_CONFIG, "%s:%u: there is no dependency group '" STR_FMT "'", r->d->name,
                           groups.list.p[i].line, STR_ARG(groups.list.p[i].text));
        VEC_PUSH_IN(r->a, &r->p->default_groups, groups.list.p[i].text);
    }
    if (!toml_find(r->d, "tool.blast.default_groups") && project_find_group(r->p, STR("dev")))
        VEC_PUSH_IN(r->a, &r->p->default_groups, STR("dev"));
    warn_foreign(r);
    return true;
}

bool project_parse(struct str text, const char *file, struct arena *a, struct project *out, struct err *e)
{
    struct reader r = { .p = out, .a = a, .e = e };

    *out = (struct project){ .file = file, .text = text, .found = true };
    return toml_parse(text, file, a, &r.d, e) && read_project(&r) && read_groups(&r) && read_build_system(&r) &&
           read_tool(&r);
}

bool project_load(int dir, struct arena *a, struct project *out, struct err *e)
{
    struct str text;

    *out = (struct project){ .file = "pyproject.toml" };
    if (!fd_read_if_there(dir, "pyproject.toml", PROJECT_FILE_MAX, a, &text, e))
        return err_as(e, ERR_CONFIG, "read pyproject.toml");
    return !text.p || project_parse(text, "pyproject.toml", a, out, e);
}

const struct project_list *project_find_extra(const struct project *p, struct str name)
{
    for (size_t i = 0; i < p->extras.n; i++)
        if (name_eq(p->extras.p[i].name, name))
            return &p->extras.p[i];
    return NULL;
}

const struct project_list *project_find_group(const struct project *p, struct str name)
{
    for (size_t i = 0; i < p->groups.n; i++)
        if (name_eq(p->groups.p[i].name, name))
            return &p->groups.p[i];
    return NULL;
}
