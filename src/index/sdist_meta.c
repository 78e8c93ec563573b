#include "index/sdist_meta.h"

#include <stdio.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "codec/gzip.h"
#include "codec/tar.h"
#include "codec/toml.h"
#include "codec/zip.h"
#include "pep/metadata.h"
#include "pep/sdist_name.h"

/* "demo-1.0/PKG-INFO": one directory deep. A leaf "*.egg-info/x" stands for any one directory of that ending. */
static bool is_top(struct str path, struct str leaf)
{
    size_t slash = str_find(path, '/');
    struct str rest = str_sub(path, MIN(slash + 1, path.n), path.n);

    if (slash == path.n || leaf.p[0] != '*')
        return slash < path.n && str_eq(rest, leaf);
    leaf = str_sub(leaf, 1, leaf.n);
    return str_ends(rest, leaf) && str_find(rest, '/') == rest.n - (leaf.n - str_find(leaf, '/'));
}

static bool too_large(struct str leaf, uint64_t n, struct err *e)
{
    return err_set(e, ERR_PACKAGE, STR_FMT " has %llu bytes, the limit is %d", STR_ARG(leaf), (unsigned long long)n,
                   METADATA_MAX);
}

static bool from_tar(struct str archive, struct str leaf, struct arena *a, struct str *out, struct err *e)
{
    AUTO_BUF b = { .limit = SDIST_UNPACKED_MAX };
    struct tar_entry en;

    if (!gzip_unpack(archive, &b, e))
        return false;
    struct str rest = { b.p, b.n };

    while (tar_next(&rest, &en, e)) {
        struct str path = en.name;
        char joined[512];

        if (en.prefix.n && en.prefix.n + en.name.n < sizeof joined)
            path = (struct str){ joined, (size_t)snprintf(joined, sizeof joined, STR_FMT "/" STR_FMT,
                                                          STR_ARG(en.prefix), STR_ARG(en.name)) };
        if (!en.is_file || !is_top(path, leaf))
            continue;
        if (en.data.n > METADATA_MAX)
            return too_large(leaf, en.data.n, e);
        *out = arena_str(a, en.data);
        return true;
    }
    return e->kind == ERR_NONE;
}

static bool from_zip(struct str archive, struct str leaf, struct arena *a, struct str *out, struct err *e)
{
    static const struct zip_limits limits = { .total = SDIST_UNPACKED_MAX, .member = SDIST_UNPACKED_MAX };
    AUTO_ARENA directory = { 0 }; /* of an archive with many entries many times what is kept of it */
    AUTO_ZIP_INFLATER inflater = zip_inflater_new();
    struct zip z;

    if (!zip_open(archive, &limits, &directory, &z, e))
        return false;
    for (size_t i = 0; i < z.n; i++) {
        const struct zip_entry *en = &z.entry[i];

        if (!is_top(en->name, leaf))
            continue;
        if (en->size > METADATA_MAX)
            return too_large(leaf, en->size, e);
        char *text = arena_alloc(a, en->size + 1);

        text[en->size] = '\0';
        *out = (struct str){ text, en->size };
        return zip_read(&z, en, text, inflater, e);
    }
    return true;
}

bool sdist_file(struct str archive, struct str file_name, struct str leaf, struct arena *a, struct str *out,
                struct err *e)
{
    err_clear(e);
    *out = (struct str){ NULL, 0 };
    if (str_ends(file_name, STR(".tar.gz")) || str_ends(file_name, STR(".tgz")))
        return from_tar(archive, leaf, a, out, e);
    if (str_ends(file_name, STR(".zip")))
        return from_zip(archive, leaf, a, out, e);
    return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is neither .tar.gz nor .zip", STR_ARG(file_name));
}

/* ------------------------------------------------------------ [project] */

static bool is_dynamic(const struct toml_doc *d, const struct toml_node *project, const char *field)
{
    const struct toml_node *list = toml_get(d, project, STR("dynamic"));

    for (const struct toml_node *one = list ? list->first : NULL; one; one = one->next)
        if (one->type == TOML_STRING && str_eq(one->text, str_of(field)))
            return true;
    return false;
}

/* "x>=1; python_version > '3'" with one more condition. A URL may hold a ';', so that before its marker has a space. */
static struct str with_extra(struct arena *a, struct str text, struct str extra)
{
    size_t at = str_search(text, str_find(text, '@') < text.n ? STR(" ;") : STR(";"));
    struct str marker = str_sub(text, MIN(at + 1, text.n), text.n);

    (void)str_cut_prefix(&marker, STR(";"));
    return at < text.n ? arena_printf(a, STR_FMT " ; (" STR_FMT ") and extra == '" STR_FMT "'",
                                      STR_ARG(str_sub(text, 0, at)), STR_ARG(marker), STR_ARG(extra))
                       : arena_printf(a, STR_FMT " ; extra == '" STR_FMT "'", STR_ARG(text), STR_ARG(extra));
}

static bool write_list(const struct toml_node *list, struct str extra, struct arena *a, struct buf *out)
{
    for (const struct toml_node *one = list ? list->first : NULL; one; one = one->next) {
        struct str text = one->text;

        if (one->type != TOML_STRING || str_find(text, '\n') < text.n)
            return false;
        (void)buf_str(out, STR("Requires-Dist: "));
        (void)buf_str(out, extra.n ? with_extra(a, text, extra) : text);
        (void)buf_str(out, STR("\n"));
    }
    return true;
}

static bool write_project(const struct toml_doc *d, const struct toml_node *project, struct str version,
                          struct arena *a, struct buf *out)
{
    const struct toml_node *name = toml_get(d, project, STR("name"));
    const struct toml_node *python = toml_get(d, project, STR("requires-python"));
    const struct toml_node *extras = toml_get(d, project, STR("optional-dependencies"));

    if (!name || name->type != TOML_STRING || str_find(name->text, '\n') < name->text.n)
        return false;
    (void)buf_str(out, arena_printf(a, "Metadata-Version: 2.2\nName: " STR_FMT "\nVersion: " STR_FMT "\n",
                                    STR_ARG(name->text), STR_ARG(version)));
    if (python && (python->type != TOML_STRING || str_find(python->text, '\n') < python->text.n))
        return false;
    if (python)
        (void)buf_str(out, arena_printf(a, "Requires-Python: " STR_FMT "\n", STR_ARG(python->text)));
    for (const struct toml_node *one = extras ? extras->first : NULL; one; one = one->next) {
        if (str_find(one->key, '\n') < one->key.n || str_find(one->key, '\'') < one->key.n)
            return false;
        (void)buf_str(out, arena_printf(a, "Provides-Extra: " STR_FMT "\n", STR_ARG(one->key)));
        if (!write_list(one, one->key, a, out))
            return false;
    }
    return write_list(toml_get(d, project, STR("dependencies")), STR(""), a, out) && buf_str(out, STR("\n"));
}

/* [project] of pyproject.toml as metadata, when no backend may change what it says of dependencies (PEP 621:
 * "dynamic"); false without an error. The version is that of the file name, for it is often dynamic. */
static bool from_project(struct str archive, struct str file_name, struct arena *a, struct str *out)
{
    static const char *const needed[] = { "dependencies", "optional-dependencies", "requires-python" };
    AUTO_BUF b = { .limit = METADATA_MAX };
    struct err ignored = { 0 };
    struct sdist_name name;
    struct str text;
    struct toml_doc *d;

    if (!sdist_name_parse(file_name, &name, &ignored) ||
        !sdist_file(archive, file_name, STR("pyproject.toml"), a, &text, &ignored) || !text.p ||
        !toml_parse(text, "pyproject.toml", a, &d, &ignored))
        return false;
    const struct toml_node *project = toml_get(d, d->root, STR("project"));

    if (!project || project->type != TOML_TABLE)
        return false;
    for (size_t i = 0; i < COUNT(needed); i++)
        if (is_dynamic(d, project, needed[i]))
            return false;
    if (!write_project(d, project, name.version, a, &b))
        return false;
    *out = arena_str(a, buf_done(&b));
    return true;
}

/* ------------------------------------------------------------ requires.txt */

/* One section, "extra", ":marker" or "extra:marker": what stands behind each of its requirements. */
static struct str section_marker(struct arena *a, struct str section)
{
    size_t colon = str_find(section, ':');
    struct str extra = str_trim(str_sub(section, 0, colon));
    struct str marker = str_trim(str_sub(section, MIN(colon + 1, section.n), section.n));

    if (extra.n && marker.n)
        return arena_printf(a, "(" STR_FMT ") and extra == '" STR_FMT "'", STR_ARG(marker), STR_ARG(extra));
    return extra.n ? arena_printf(a, "extra == '" STR_FMT "'", STR_ARG(extra)) : marker;
}

/* The list that setuptools wrote when it made the archive. */
static void write_requires_txt(struct str text, struct arena *a, struct buf *out)
{
    struct str marker = STR("");

    for (struct str line; str_next(&text, '\n', &line);) {
        line = str_trim(line);
        if (line.n == 0)
            continue;
        if (line.p[0] == '[' && line.p[line.n - 1] == ']') {
            struct str section = str_sub(line, 1, line.n - 1), extra = str_sub(section, 0, str_find(section, ':'));

            marker = section_marker(a, section);
            if (extra.n)
                (void)buf_str(out, arena_printf(a, "Provides-Extra: " STR_FMT "\n", STR_ARG(extra)));
            continue;
        }
        (void)buf_str(out, marker.n ? arena_printf(a, "Requires-Dist: " STR_FMT " ; " STR_FMT "\n", STR_ARG(line),
                                                   STR_ARG(marker))
                                    : arena_printf(a, "Requires-Dist: " STR_FMT "\n", STR_ARG(line)));
    }
}

/* What setuptools noted of itself in the archive (.egg-info). It was true where the archive was made, and a setup.py
 * may say otherwise elsewhere; uv believes it all the same, for else hundreds of packages would have to be built, with
 * all their compilers and headers, only to be asked. What is installed is built in any case. */
static bool from_egg_info(struct str archive, struct str file_name, struct arena *a, struct str *out)
{
    AUTO_BUF b = { .limit = METADATA_MAX };
    struct err ignored = { 0 };
    struct metadata m;
    struct str info, requires;

    if (!sdist_file(archive, file_name, STR("*.egg-info/requires.txt"), a, &requires, &ignored) || !requires.p ||
        !sdist_file(archive, file_name, STR("*.egg-info/PKG-INFO"), a, &info, &ignored) || !info.p ||
        !metadata_parse(a, info, &m, &ignored))
        return false;
    (void)buf_str(&b, arena_printf(a, "Metadata-Version: 2.2\nName: " STR_FMT "\nVersion: " STR_FMT "\n",
                                   STR_ARG(m.name), STR_ARG(m.version)));
    if (m.requires_python.n)
        (void)buf_str(&b, arena_printf(a, "Requires-Python: " STR_FMT "\n", STR_ARG(m.requires_python)));
    write_requires_txt(requires, a, &b);
    if (!buf_str(&b, STR("\n")))
        return false;
    *out = arena_str(a, buf_done(&b));
    return true;
}

bool sdist_meta_of(struct str archive, struct str file_name, struct arena *a, struct str *out, struct err *e)
{
    struct metadata m;

    if (!sdist_file(archive, file_name, STR("PKG-INFO"), a, out, e))
        return false;
    if (out->p && metadata_parse(a, *out, &m, e) && sdist_metadata_is_static(&m))
        return true;
    err_clear(e);
    if (from_project(archive, file_name, a, out) || from_egg_info(archive, file_name, a, out))
        return true;
    return err_set(e, ERR_PACKAGE, "its dependencies are not static, only a build can tell them");
}
