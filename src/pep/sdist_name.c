#include "pep/sdist_name.h"

#include "base/arena.h"
#include "base/err.h"
#include "pep/name.h"
#include "pep/version.h"

static bool is_version(struct str s)
{
    AUTO_ARENA room = { 0 };
    struct version v;

    return version_parse(s, &room, &v);
}

bool sdist_name_ext(struct str file, struct str *stem, struct str *ext)
{
    static const struct str all[] = { STR_INIT(".tar.gz"), STR_INIT(".zip"),     STR_INIT(".tgz"),
                                      STR_INIT(".tar.xz"), STR_INIT(".tar.bz2"), STR_INIT(".tar.zst") };

    for (size_t i = 0; i < COUNT(all); i++) {
        if (!str_ends(file, all[i]))
            continue;
        *stem = str_sub(file, 0, file.n - all[i].n);
        *ext = str_sub(file, stem->n, file.n);
        return true;
    }
    return false;
}

bool sdist_name_parse(struct str file, struct sdist_name *out, struct err *e)
{
    struct str stem, ext;

    if (!sdist_name_ext(file, &stem, &ext) || (!str_eq(ext, STR(".tar.gz")) && !str_eq(ext, STR(".zip"))))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' ends neither in .tar.gz nor in .zip", STR_ARG(file));

    size_t at = str_rfind(stem, '-');
    if (at == stem.n)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has no '-' before a version", STR_ARG(file));
    if (at == 0)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has no project name", STR_ARG(file));

    struct str version = str_sub(stem, at + 1, stem.n);
    if (!is_version(version))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no version in '" STR_FMT "'", STR_ARG(version), STR_ARG(file));
    *out = (struct sdist_name){ .project = str_sub(stem, 0, at), .version = version, .ext = ext };
    return true;
}

bool sdist_name_parse_for(struct str file, struct str project, struct sdist_name *out, struct err *e)
{
    struct str stem, ext;

    if (!sdist_name_ext(file, &stem, &ext))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' does not end like a source distribution", STR_ARG(file));
    for (size_t i = 1; i + 1 < stem.n; i++) {
        struct str version = str_sub(stem, i + 1, stem.n);

        if (stem.p[i] != '-' || !name_eq(str_sub(stem, 0, i), project) || !is_version(version))
            continue;
        *out = (struct sdist_name){ .project = str_sub(stem, 0, i), .version = version, .ext = ext };
        return true;
    }
    return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is not '" STR_FMT "' and a version", STR_ARG(file), STR_ARG(project));
}
