#include "pep/metadata.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "codec/mail.h"
#include "pep/name.h"
#include "pep/version.h"

typedef VEC(struct str) str_vec;

struct lists {
    str_vec requires_dist, provides_extra, dynamic, import_name, import_namespace;
};

/* A folded value as one line: no field read here has a meaning for line ends. */
static struct str one_line(struct arena *a, struct str value)
{
    if (str_find(value, '\n') == value.n && str_find(value, '\r') == value.n)
        return value;
    struct str joined = mail_unfold(value, a);
    char *p = arena_text(a, joined.p, joined.n);

    for (size_t i = 0; i < joined.n; i++)
        if (p[i] == '\n' || p[i] == '\r')
            p[i] = ' ';
    return (struct str){ p, joined.n };
}

static bool add_to_list(struct arena *a, struct lists *l, struct str name, struct str value)
{
    const struct {
        struct str name;
        str_vec *list;
    } fields[] = {
        { STR("Requires-Dist"), &l->requires_dist }, { STR("Provides-Extra"), &l->provides_extra },
        { STR("Dynamic"), &l->dynamic },             { STR("Import-Name"), &l->import_name },
        { STR("Import-Namespace"), &l->import_namespace },
    };

    for (size_t i = 0; i < COUNT(fields); i++) {
        if (!str_eq_nocase(name, fields[i].name))
            continue;
        /* An empty Import-Name says "nothing to import" (PEP 794); elsewhere an empty value says nothing. */
        if (value.n || fields[i].list == &l->import_name)
            VEC_PUSH_IN(a, fields[i].list, one_line(a, value));
        return true;
    }
    return false;
}

static void set_field(struct arena *a, struct metadata *m, struct str name, struct str value)
{
    const struct {
        struct str name;
        struct str *field;
    } fields[] = {
        { STR("Metadata-Version"), &m->metadata_version }, { STR("Name"), &m->name },
        { STR("Version"), &m->version },                   { STR("Requires-Python"), &m->requires_python },
        { STR("Summary"), &m->summary },                   { STR("License-Expression"), &m->license_expression },
        { STR("License"), &m->license },
    };

    for (size_t i = 0; i < COUNT(fields); i++)
        if (!fields[i].field->n && str_eq_nocase(name, fields[i].name))
            *fields[i].field = one_line(a, value);
}

static bool check_version(struct metadata *m, struct err *e)
{
    uint64_t major, minor;
    size_t dot = str_find(m->metadata_version, '.');

    if (!m->metadata_version.n) { /* required, yet old tools left it out: the oldest form promises least */
        m->major = 1;
        return true;
    }
    if (dot == m->metadata_version.n || !str_to_u64(str_sub(m->metadata_version, 0, dot), &major) ||
        !str_to_u64(str_sub(m->metadata_version, dot + 1, m->metadata_version.n), &minor) || minor > 1000)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no metadata version", STR_ARG(m->metadata_version));
    if (major < 1 || major > 2)
        return err_set(e, ERR_PACKAGE, "metadata version " STR_FMT ", at most 2.x is understood",
                       STR_ARG(m->metadata_version));
    m->major = (unsigned)major;
    m->minor = (unsigned)minor;
    return true;
}

static bool check(struct metadata *m, struct err *e)
{
    AUTO_ARENA room = { 0 };
    struct version v;

    if (!check_version(m, e))
        return false;
    if (!m->name.n)
        return err_set(e, ERR_PACKAGE, "metadata without a Name");
    if (!name_is_valid(m->name))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no project name", STR_ARG(m->name));
    if (!m->version.n)
        return err_set(e, ERR_PACKAGE, "metadata of '" STR_FMT "' without a Version", STR_ARG(m->name));
    if (!version_parse(m->version, &room, &v))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no version of '" STR_FMT "'", STR_ARG(m->version),
                       STR_ARG(m->name));
    return true;
}

bool metadata_parse(struct arena *a, struct str text, struct metadata *out, struct err *e)
{
    struct metadata m = { 0 };
    struct lists l = { 0 };

    if (text.n > METADATA_MAX)
        return err_set(e, ERR_PACKAGE, "metadata of %zu bytes, at most %d are read", text.n, METADATA_MAX);
    (void)str_cut_prefix(&text, STR("\xef\xbb\xbf")); /* a byte order mark says nothing */
    for (struct str name, value, rest = text; mail_next(&rest, &name, &value);)
        if (!add_to_list(a, &l, name, value))
            set_field(a, &m, name, value);
    if (!check(&m, e))
        return false;

    m.requires_dist = l.requires_dist.p;
    m.n_requires_dist = l.requires_dist.n;
    m.provides_extra = l.provides_extra.p;
    m.n_provides_extra = l.provides_extra.n;
    m.dynamic = l.dynamic.p;
    m.n_dynamic = l.dynamic.n;
    m.import_name = l.import_name.p;
    m.n_import_name = l.import_name.n;
    m.import_namespace = l.import_namespace.p;
    m.n_import_namespace = l.import_namespace.n;
    *out = m;
    return true;
}

bool metadata_has_dynamic(const struct metadata *m, struct str field)
{
    for (size_t i = 0; i < m->n_dynamic; i++)
        if (str_eq_nocase(m->dynamic[i], field))
            return true;
    return false;
}

bool sdist_metadata_is_static(const struct metadata *m)
{
    static const struct str fields[] = { STR_INIT("Requires-Dist"), STR_INIT("Requires-Python"),
                                         STR_INIT("Provides-Extra"), STR_INIT("Version"), STR_INIT("Name") };

    if (m->major < 2 || (m->major == 2 && m->minor < 2))
        return false;
    for (size_t i = 0; i < COUNT(fields); i++)
        if (metadata_has_dynamic(m, fields[i]))
            return false;
    return true;
}

/* Equal, or equal once the metadata's local part is dropped when the file's version has none. */
static bool version_matches(struct str file, struct str metadata)
{
    AUTO_ARENA room = { 0 };
    struct version f, m;

    if (!version_parse(file, &room, &f) || !version_parse(metadata, &room, &m))
        return false;
    if (version_cmp(&f, &m) == 0)
        return true;
    return !version_has_local(&f) && version_has_local(&m) &&
           version_parse(str_sub(metadata, 0, str_find(metadata, '+')), &room, &m) && version_cmp(&f, &m) == 0;
}

bool metadata_check_name(const struct metadata *m, struct str name, struct str version, struct err *e)
{
    if (!name_eq(m->name, name))
        return err_set(e, ERR_PACKAGE, "metadata is of '" STR_FMT "', the file is of '" STR_FMT "'", STR_ARG(m->name),
                       STR_ARG(name));
    if (!version_matches(version, m->version))
        return err_set(e, ERR_PACKAGE, "metadata of '" STR_FMT "' has version " STR_FMT ", the file has " STR_FMT,
                       STR_ARG(m->name), STR_ARG(m->version), STR_ARG(version));
    return true;
}
