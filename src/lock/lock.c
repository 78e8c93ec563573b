/* pylock.toml: the reader. lock_fast.c reads what lock_write.c wrote, lock_select.c chooses.
 *
 * A table is read through a list of the keys it may have, each with the form its value must have and where it goes;
 * what is not in the list is passed over, as the standard asks.
 */
#include "lock/lock.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/toml.h"
#include "lock/lock_parts.h"
#include "pep/marker.h"
#include "pep/name.h"
#include "pep/sdist_name.h"
#include "pep/wheel_name.h"

struct reader {
    struct arena *a;
    const struct toml_doc *doc;
    struct err *e;
};

enum form { FORM_TEXT, FORM_FLAG, FORM_SIZE, FORM_TIME, FORM_TABLE, FORM_ARRAY };

struct field {
    const char *key;
    enum form form;
    void *out; /* struct str, bool, uint64_t, struct str, const struct toml_node *, const struct toml_node * */
};

typedef VEC(struct str) str_vec;

static bool read_field(struct reader *r, const struct toml_node *n, const struct field *f)
{
    static const struct {
        enum toml_type type;
        const char *word;
    } forms[] = {
        [FORM_TEXT] = { TOML_STRING, "a string" },      [FORM_FLAG] = { TOML_BOOL, "true or false" },
        [FORM_SIZE] = { TOML_INTEGER, "an integer" },   [FORM_TIME] = { TOML_DATETIME, "a date and time with offset" },
        [FORM_TABLE] = { TOML_TABLE, "a table" },       [FORM_ARRAY] = { TOML_ARRAY, "an array" },
    };

    if (n->type != forms[f->form].type)
        return toml_error(r->doc, n, r->e, "'%s' is %s, it must be %s", f->key, toml_type_name(n->type),
                          forms[f->form].word);
    switch (f->form) {
    case FORM_TEXT:
    case FORM_TIME:
        *(struct str *)f->out = n->text;
        break;
    case FORM_FLAG:
        *(bool *)f->out = n->yes;
        break;
    case FORM_SIZE:
        if (n->integer < 0)
            return toml_error(r->doc, n, r->e, "'%s' is negative", f->key);
        *(uint64_t *)f->out = (uint64_t)n->integer;
        break;
    case FORM_TABLE:
    case FORM_ARRAY:
        *(const struct toml_node **)f->out = n;
        break;
    }
    return true;
}

static bool read_fields(struct reader *r, const struct toml_node *table, const struct field *f, size_t n)
{
    for (const struct toml_node *c = table->first; c; c = c->next)
        for (size_t i = 0; i < n; i++)
            if (str_eq(c->key, str_of(f[i].key)) && !read_field(r, c, &f[i]))
                return false;
    return true;
}

/* Every element a string; nothing for NULL. */
static bool read_texts(struct reader *r, const struct toml_node *array, const struct str **out, size_t *n)
{
    str_vec all = { 0 };

    for (const struct toml_node *c = array ? array->first : NULL; c; c = c->next) {
        if (c->type != TOML_STRING)
            return toml_error(r->doc, c, r->e, "'" STR_FMT "' holds %s, it must hold strings", STR_ARG(array->key),
                              toml_type_name(c->type));
        VEC_PUSH_IN(r->a, &all, c->text);
    }
    *out = all.p;
    *n = all.n;
    return true;
}

static bool read_marker(struct reader *r, const struct toml_node *at, struct str text, const struct marker **out)
{
    return marker_parse(r->a, text, out, r->e) ||
           err_as(r->e, ERR_CONFIG, "read the marker at line %u", toml_value_place(r->doc, at).line);
}

static bool read_hashes(struct reader *r, const struct toml_node *table, struct lock_file *f)
{
    struct lock_hash *all = ARENA_ARRAY(r->a, struct lock_hash, table->n);

    if (!table->n)
        return toml_error(r->doc, table, r->e, "'hashes' is empty");
    for (const struct toml_node *c = table->first; c; c = c->next) {
        struct lock_hash *h = &all[f->n_hash++];

        *h = (struct lock_hash){ .alg = c->key, .hex = c->text };
        if (c->type != TOML_STRING || !lock_hash_is_valid(h))
            return toml_error(r->doc, c, r->e, "this is no %.*s in hexadecimal", STR_ARG(c->key));
    }
    f->hash = all;
    return true;
}

static bool read_file(struct reader *r, const struct toml_node *table, struct lock_file *out)
{
    const struct toml_node *hashes = NULL;
    struct lock_file f = { .size = LOCK_NO_SIZE };
    const struct field fields[] = {
        { "name", FORM_TEXT, &f.name },
        { "url", FORM_TEXT, &f.url },
        { "path", FORM_TEXT, &f.path },
        { "size", FORM_SIZE, &f.size },
        { "upload-time", FORM_TIME, &f.upload_time },
        { "hashes", FORM_TABLE, &hashes },
        { "subdirectory", FORM_TEXT, &f.subdirectory },
    };

    if (table->type != TOML_TABLE)
        return toml_error(r->doc, table, r->e, "%s where a file's table must be", toml_type_name(table->type));
    if (!read_fields(r, table, fields, COUNT(fields)))
        return false;
    if (!f.url.n && !f.path.n)
        return toml_error(r->doc, table, r->e, "a file without url or path");
    if (!hashes)
        return toml_error(r->doc, table, r->e, "a file without hashes");
    if (!read_hashes(r, hashes, &f))
        return false;
    lock_file_set_name(r->a, &f);
    *out = f;
    return true;
}

static bool check_release(struct reader *r, const struct toml_node *at, const struct lock_package *p,
                          const struct lock_file *f, struct str name, struct str version)
{
    if (!lock_file_is_of(p, name, version))
        return toml_error(r->doc, at, r->e, "'" STR_FMT "' is not a file of " STR_FMT " " STR_FMT, STR_ARG(f->name),
                          STR_ARG(p->name), STR_ARG(p->version));
    return true;
}

static bool read_wheels(struct reader *r, const struct toml_node *array, struct lock_package *p)
{
    struct lock_file *all = ARENA_ARRAY(r->a, struct lock_file, array->n);

    for (const struct toml_node *c = array->first; c; c = c->next) {
        struct lock_file *f = &all[p->n_wheel++];
        struct wheel_name name;

        if (!read_file(r, c, f))
            return false;
        if (!wheel_name_parse(f->name, &name, r->e))
            return err_as(r->e, ERR_CONFIG, "read the wheel at line %u", toml_value_place(r->doc, c).line);
        if (!check_release(r, c, p, f, name.project, name.version))
            return false;
    }
    p->wheel = all;
    return true;
}

static bool read_sdist(struct reader *r, const struct toml_node *table, struct lock_package *p)
{
    struct lock_file *f = ARENA_NEW(r->a, struct lock_file);
    struct sdist_name name;

    if (!read_file(r, table, f))
        return false;
    if (!sdist_name_parse_for(f->name, p->name, &name, r->e))
        return err_as(r->e, ERR_CONFIG, "read the sdist at line %u", toml_value_place(r->doc, table).line);
    p->sdist = f;
    return check_release(r, table, p, f, name.project, name.version);
}

static bool read_archive(struct reader *r, const struct toml_node *table, struct lock_package *p)
{
    struct lock_file *f = ARENA_NEW(r->a, struct lock_file);

    p->archive = f;
    return read_file(r, table, f);
}

static bool read_directory(struct reader *r, const struct toml_node *table, struct lock_package *p)
{
    struct lock_directory *d = ARENA_NEW(r->a, struct lock_directory);
    const struct field fields[] = {
        { "path", FORM_TEXT, &d->path },
        { "editable", FORM_FLAG, &d->editable },
        { "subdirectory", FORM_TEXT, &d->subdirectory },
    };

    p->directory = d;
    if (!read_fields(r, table, fields, COUNT(fields)))
        return false;
    return d->path.n > 0 || toml_error(r->doc, table, r->e, "a directory without path");
}

static bool read_vcs(struct reader *r, const struct toml_node *table, struct lock_package *p)
{
    struct lock_vcs *v = ARENA_NEW(r->a, struct lock_vcs);
    const struct field fields[] = {
        { "type", FORM_TEXT, &v->type },
        { "url", FORM_TEXT, &v->url },
        { "path", FORM_TEXT, &v->path },
        { "requested-revision", FORM_TEXT, &v->requested_revision },
        { "commit-id", FORM_TEXT, &v->commit_id },
        { "subdirectory", FORM_TEXT, &v->subdirectory },
    };

    p->vcs = v;
    if (!read_fields(r, table, fields, COUNT(fields)))
        return false;
    if (!v->type.n || !v->commit_id.n)
        return toml_error(r->doc, table, r->e, "vcs without type or commit-id");
    return v->url.n > 0 || v->path.n > 0 || toml_error(r->doc, table, r->e, "vcs without url or path");
}

static bool read_deps(struct reader *r, const struct toml_node *array, struct lock_package *p)
{
    struct lock_dep *all = ARENA_ARRAY(r->a, struct lock_dep, array->n);

    for (const struct toml_node *c = array->first; c; c = c->next) {
        struct lock_dep *d = &all[p->n_dep++];
        const struct field fields[] = { { "name", FORM_TEXT, &d->name }, { "version", FORM_TEXT, &d->version } };

        if (c->type != TOML_TABLE)
            return toml_error(r->doc, c, r->e, "'dependencies' holds %s, it must hold tables", toml_type_name(c->type));
        if (!read_fields(r, c, fields, COUNT(fields)))
            return false;
    }
    p->dep = all;
    return true;
}

static bool check_package(struct reader *r, const struct toml_node *table, const struct lock_package *p)
{
    unsigned direct = (p->archive != NULL) + (p->directory != NULL) + (p->vcs != NULL);
    bool released = p->sdist || p->n_wheel;

    if (released && direct)
        return toml_error(r->doc, table, r->e, "'" STR_FMT "' has files and also archive, directory or vcs",
                          STR_ARG(p->name));
    if (!released && direct != 1)
        return toml_error(r->doc, table, r->e, "'" STR_FMT "' has %u sources, it must have one", STR_ARG(p->name),
                          direct);
    return true;
}

static bool read_package_values(struct reader *r, const struct toml_node *table, struct lock_package *p)
{
    struct spec unused;
    struct version v;
    struct str marker = STR("");
    const struct field fields[] = {
        { "name", FORM_TEXT, &p->name },
        { "version", FORM_TEXT, &p->version },
        { "marker", FORM_TEXT, &marker },
        { "requires-python", FORM_TEXT, &p->requires_python },
        { "index", FORM_TEXT, &p->index },
    };

    if (table->type != TOML_TABLE)
        return toml_error(r->doc, table, r->e, "'packages' holds %s, it must hold tables", toml_type_name(table->type));
    if (!read_fields(r, table, fields, COUNT(fields)))
        return false;
    if (!p->name.n)
        return toml_error(r->doc, table, r->e, "a package without a name");
    if (!name_is_normal(p->name))
        return toml_error(r->doc, table, r->e, "package name '" STR_FMT "' is not normalised", STR_ARG(p->name));
    if ((p->version.n && !version_get(p->version, r->a, &v, r->e)) ||
        (p->requires_python.n && !spec_parse(p->requires_python, r->a, &unused, r->e)))
        return err_as(r->e, ERR_CONFIG, "read package '" STR_FMT "' of the lock", STR_ARG(p->name));
    return !marker.n || read_marker(r, table, marker, &p->marker);
}

static bool read_package(struct reader *r, const struct toml_node *table, struct lock_package *p)
{
    static const struct {
        struct str key;
        enum toml_type type;
        bool (*read)(struct reader *r, const struct toml_node *n, struct lock_package *p);
    } parts[] = {
        { STR_INIT("dependencies"), TOML_ARRAY, read_deps }, { STR_INIT("wheels"), TOML_ARRAY, read_wheels },
        { STR_INIT("sdist"), TOML_TABLE, read_sdist },       { STR_INIT("archive"), TOML_TABLE, read_archive },
        { STR_INIT("directory"), TOML_TABLE, read_directory }, { STR_INIT("vcs"), TOML_TABLE, read_vcs },
    };

    if (!read_package_values(r, table, p))
        return false;
    for (const struct toml_node *c = table->first; c; c = c->next) {
        for (size_t i = 0; i < COUNT(parts); i++) {
            if (!str_eq(c->key, parts[i].key))
                continue;
            if (c->type != parts[i].type)
                return toml_error(r->doc, c, r->e, "'" STR_FMT "' is %s", STR_ARG(c->key), toml_type_name(c->type));
            if (!parts[i].read(r, c, p))
                return false;
        }
    }
    return check_package(r, table, p);
}

static bool read_packages(struct reader *r, const struct toml_node *array, struct lock *l)
{
    struct lock_package *all = ARENA_ARRAY(r->a, struct lock_package, array->n);

    for (const struct toml_node *c = array->first; c; c = c->next)
        if (!read_package(r, c, &all[l->n_package++]))
            return false;
    l->package = all;
    return true;
}

static bool read_origin(struct reader *r, const struct toml_node *table, struct lock_origin *o)
{
    const struct toml_node *indexes = NULL, *options = NULL;
    const struct field fields[] = {
        { "inputs", FORM_TEXT, &o->inputs },
        { "indexes", FORM_ARRAY, &indexes },
        { "exclude-newer", FORM_TEXT, &o->exclude_newer },
        { "options", FORM_TABLE, &options },
    };
    VEC(struct lock_option) all = { 0 };

    if (!read_fields(r, table, fields, COUNT(fields)) || !read_texts(r, indexes, &o->index, &o->n_index))
        return false;
    for (const struct toml_node *c = options ? options->first : NULL; c; c = c->next) {
        if (c->type != TOML_STRING)
            return toml_error(r->doc, c, r->e, "option '" STR_FMT "' is not a string", STR_ARG(c->key));
        VEC_PUSH_IN(r->a, &all, (struct lock_option){ c->key, c->text });
    }
    o->option = all.p;
    o->n_option = all.n;
    return true;
}

static bool check_lock_version(struct reader *r, struct str text)
{
    AUTO_ARENA room = { 0 };
    struct version v;

    if (!text.n)
        return err_set(r->e, ERR_CONFIG, "the lock has no lock-version");
    if (!version_parse(text, &room, &v))
        return err_set(r->e, ERR_CONFIG, "lock-version '" STR_FMT "' is no version", STR_ARG(text));
    if (version_release(&v, 0) == 1)
        return true;
    err_set(r->e, ERR_CONFIG, "lock-version " STR_FMT ", this program reads 1.x", STR_ARG(text));
    return err_hint(r->e, "run `blast lock` to write it anew, or use a newer blast");
}

static bool read_environments(struct reader *r, const struct toml_node *array, struct lock *l)
{
    VEC(const struct marker *) all = { 0 };
    const struct str *text;
    size_t n;

    if (!read_texts(r, array, &text, &n))
        return false;
    for (size_t i = 0; i < n; i++) {
        const struct marker *m;

        if (!read_marker(r, array, text[i], &m))
            return false;
        VEC_PUSH_IN(r->a, &all, m);
    }
    l->environment = all.p;
    l->n_environment = all.n;
    return true;
}

static const struct str *normalize_all(struct arena *a, const struct str *name, size_t n)
{
    struct str *all = ARENA_ARRAY(a, struct str, n);

    for (size_t i = 0; i < n; i++)
        all[i] = name_normalize(a, name[i]);
    return all;
}

/* All but the packages, which are given back. */
static bool read_head(struct reader *r, struct lock *l, const struct toml_node **packages)
{
    const struct toml_node *environments = NULL, *extras = NULL, *groups = NULL, *defaults = NULL;
    const struct toml_node *tool = toml_find(r->doc, "tool.blast");
    struct spec unused;
    const struct field fields[] = {
        { "lock-version", FORM_TEXT, &l->lock_version }, { "created-by", FORM_TEXT, &l->created_by },
        { "requires-python", FORM_TEXT, &l->requires_python }, { "environments", FORM_ARRAY, &environments },
        { "extras", FORM_ARRAY, &extras }, { "dependency-groups", FORM_ARRAY, &groups },
        { "default-groups", FORM_ARRAY, &defaults }, { "packages", FORM_ARRAY, packages },
    };

    if (!read_fields(r, r->doc->root, fields, COUNT(fields)) || !check_lock_version(r, l->lock_version))
        return false;
    if (!l->created_by.n)
        return err_set(r->e, ERR_CONFIG, "the lock has no created-by");
    if (l->requires_python.n && !spec_parse(l->requires_python, r->a, &unused, r->e))
        return err_as(r->e, ERR_CONFIG, "read requires-python of the lock");
    if (!read_environments(r, environments, l) || !read_texts(r, extras, &l->extra, &l->n_extra) ||
        !read_texts(r, groups, &l->group, &l->n_group) ||
        !read_texts(r, defaults, &l->default_group, &l->n_default_group))
        return false;
    for (size_t i = 0; i < l->n_extra; i++)
        if (!name_is_normal(l->extra[i]))
            return toml_error(r->doc, extras, r->e, "extra '" STR_FMT "' is not normalised", STR_ARG(l->extra[i]));
    l->group = normalize_all(r->a, l->group, l->n_group);
    l->default_group = normalize_all(r->a, l->default_group, l->n_default_group);
    return !tool || tool->type != TOML_TABLE || read_origin(r, tool, &l->origin);
}

bool lock_parse_any(struct arena *a, struct str text, struct lock *out, struct err *e)
{
    struct reader r = { .a = a, .e = e };
    const struct toml_node *packages = NULL;
    struct toml_doc *doc;
    struct lock l = { 0 };

    if (!toml_parse(text, "pylock.toml", a, &doc, e))
        return false;
    r.doc = doc;
    if (!read_head(&r, &l, &packages))
        return false;
    if (!packages) {
        err_set(e, ERR_CONFIG, "the lock has no packages: the key must be there, also when it is empty");
        return err_hint(e, "the file may have been cut short; run `blast lock` to write it anew");
    }
    if (!read_packages(&r, packages, &l))
        return false;
    *out = l;
    return true;
}

bool lock_parse_own(struct arena *a, struct str text, struct lock *out)
{
    struct err unused = { 0 };
    struct reader r = { .a = a, .e = &unused };
    struct str mark = STR("\n[[packages]]\n");
    size_t at = str_search(text, mark);
    const struct toml_node *packages = NULL;
    struct toml_doc *doc;
    struct lock l = { 0 };

    if (at == text.n || at > LOCK_HEAD_MAX || !toml_parse(str_sub(text, 0, at + 1), NULL, a, &doc, &unused))
        return false;
    r.doc = doc;
    if (!read_head(&r, &l, &packages) || packages)
        return false;
    if (!lock_fast_packages(a, str_sub(text, at, text.n), &l))
        return false;
    *out = l;
    return true;
}

bool lock_parse(struct arena *a, struct str text, struct lock *out, struct err *e)
{
    if (text.n > LOCK_MAX)
        return err_set(e, ERR_CONFIG, "a lock of %zu bytes, at most %d are read", text.n, LOCK_MAX);
    return lock_parse_own(a, text, out) || lock_parse_any(a, text, out, e);
}

bool lock_peek(struct arena *a, struct str text, struct lock_origin *out)
{
    struct err unused = { 0 };
    struct reader r = { .a = a, .e = &unused };
    struct str head = str_sub(text, 0, str_search(text, STR("\n[[packages]]\n")));
    struct lock_origin o = { 0 };
    struct toml_doc *doc;

    if (head.n > LOCK_HEAD_MAX || !toml_parse(head, NULL, a, &doc, &unused))
        return false;
    r.doc = doc;
    const struct toml_node *table = toml_find(doc, "tool.blast");

    if (!table || table->type != TOML_TABLE || !read_origin(&r, table, &o) || !o.inputs.n)
        return false;
    *out = o;
    return true;
}

bool lock_path_is_valid(struct str path)
{
    size_t slash = str_rfind(path, '/');
    struct str name = slash == path.n ? path : str_sub(path, slash + 1, path.n);

    if (str_eq(name, STR("pylock.toml")))
        return true;
    return str_cut_prefix(&name, STR("pylock.")) && str_cut_suffix(&name, STR(".toml")) && name.n &&
           str_find(name, '.') == name.n;
}

const struct lock_package *lock_find(const struct lock *l, struct str name)
{
    for (size_t i = 0; i < l->n_package; i++)
        if (name_eq(l->package[i].name, name))
            return &l->package[i];
    return NULL;
}

struct str lock_file_hash(const struct lock_file *f, struct str alg)
{
    for (size_t i = 0; i < f->n_hash; i++)
        if (str_eq(f->hash[i].alg, alg))
            return f->hash[i].hex;
    return STR("");
}
