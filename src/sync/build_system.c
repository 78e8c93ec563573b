#include "sync/build_system.h"

#include "base/arena.h"
#include "base/err.h"
#include "codec/toml.h"

#define LIST_MAX 256

static const struct str legacy_requires[] = { STR_INIT("setuptools>=40.8.0") };

/* An array of strings; missing leaves *n as it is. */
static bool read_list(const struct toml_doc *d, const struct toml_node *table, const char *key, const struct str **out,
                      size_t *n, struct err *e)
{
    const struct toml_node *list = toml_get(d, table, str_of(key));

    if (!list)
        return true;
    if (list->type != TOML_ARRAY)
        return toml_error(d, list, e, "build-system.%s is %s, not an array", key, toml_type_name(list->type));
    if (list->n > LIST_MAX)
        return toml_error(d, list, e, "build-system.%s has more than %d entries", key, LIST_MAX);
    struct str *text = ARENA_ARRAY(d->arena, struct str, list->n + 1);

    *n = 0;
    for (const struct toml_node *one = list->first; one; one = one->next) {
        if (one->type != TOML_STRING)
            return toml_error(d, one, e, "build-system.%s holds %s, not a string", key, toml_type_name(one->type));
        text[(*n)++] = one->text;
    }
    *out = text;
    return true;
}

static bool read_table(const struct toml_doc *d, const struct toml_node *table, struct build_system *out,
                       struct err *e)
{
    const struct toml_node *backend = toml_get(d, table, STR("build-backend"));

    if (!toml_get(d, table, STR("requires")))
        return toml_error(d, table, e, "[build-system] has no requires (PEP 518)");
    if (!read_list(d, table, "requires", &out->requires, &out->n_requires, e) ||
        !read_list(d, table, "backend-path", &out->backend_path, &out->n_backend_path, e))
        return false;
    if (!backend)
        return true;
    if (backend->type != TOML_STRING || backend->text.n == 0)
        return toml_error(d, backend, e, "build-system.build-backend is no name");
    out->backend = backend->text;
    return true;
}

bool build_system_read(struct str text, struct arena *a, struct build_system *out, struct err *e)
{
    struct toml_doc *d;
    const struct toml_node *table;

    *out = (struct build_system){
        .requires = legacy_requires,
        .n_requires = COUNT(legacy_requires),
        .backend = STR("setuptools.build_meta:__legacy__"),
    };
    if (!text.p)
        return true;
    if (!toml_parse(text, "pyproject.toml", a, &d, e))
        return err_as(e, ERR_PACKAGE, "read how it is built");
    table = toml_get(d, d->root, STR("build-system"));
    if (!table)
        return true;
    if (table->type != TOML_TABLE)
        return toml_error(d, table, e, "build-system is no table") || err_as(e, ERR_PACKAGE, "read how it is built");
    return read_table(d, table, out, e) || err_as(e, ERR_PACKAGE, "read how it is built");
}
