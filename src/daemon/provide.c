#include "daemon/provide.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "daemon/stdlib.h"

#define NAME_MAX_BYTES 200
#define LINES_MAX (1u << 20) /* bytes of a .pth file or of an editable install's finder */

/* name/, name.py, name.so, name.cpython-312-x86_64-linux-gnu.so, name.pyc */
static bool dir_has(const char *dir, struct str name)
{
    AUTO_FILE_LIST list = { 0 };
    struct err e = { 0 };
    const struct dirent *d;

    if (!file_list_open(AT_FDCWD, dir, &list, &e))
        return false;
    while (file_list_next(&list, &d, &e)) {
        struct str entry = str_of(d->d_name);

        if (!str_cut_prefix(&entry, name))
            continue;
        if (!entry.n || str_eq(entry, STR(".py")) || str_eq(entry, STR(".pyc")) || str_eq(entry, STR(".pyi")) ||
            (entry.p[0] == '.' && str_ends(entry, STR(".so"))))
            return true;
    }
    return false;
}

/* Folders that .pth files name, and finders of editable installs (their text has the name in quotes). Lines that run
 * code are passed over: what they add cannot be told. */
static bool pth_has(const char *site, const char *file, struct str name)
{
    AUTO_ARENA a = { 0 };
    struct err e = { 0 };
    struct str text, line;

    if (!fd_read_file(AT_FDCWD, arena_printf(&a, "%s/%s", site, file).p, LINES_MAX, &a, &text, &e))
        return false;
    if (str_ends(str_of(file), STR("_finder.py"))) {
        struct str quoted = arena_printf(&a, "'" STR_FMT "'", STR_ARG(name));

        return str_search(text, quoted) < text.n;
    }
    while (str_next_line(&text, &line)) {
        line = str_trim(line);
        if (!line.n || line.p[0] == '#' || str_starts(line, STR("import ")) || str_starts(line, STR("import\t")))
            continue;
        bool absolute = line.p[0] == '/';

        if (dir_has(arena_printf(&a, "%s%s" STR_FMT, absolute ? "" : site, absolute ? "" : "/", STR_ARG(line)).p, name))
            return true;
    }
    return false;
}

static bool site_has(const char *site, struct str name)
{
    AUTO_FILE_LIST list = { 0 };
    struct err e = { 0 };
    const struct dirent *d;

    if (dir_has(site, name))
        return true;
    if (!file_list_open(AT_FDCWD, site, &list, &e))
        return true; /* not to be told */
    while (file_list_next(&list, &d, &e)) {
        struct str entry = str_of(d->d_name);

        bool finder = str_starts(entry, STR("__editable__")) && str_ends(entry, STR("_finder.py"));

        if ((finder || str_ends(entry, STR(".pth"))) && pth_has(site, d->d_name, name))
            return true;
    }
    return false;
}

bool provide_has(const struct provide_places *p, struct str module)
{
    struct str name = str_sub(module, 0, str_find(module, '.'));

    if (!name.n || name.n > NAME_MAX_BYTES || stdlib_has(name))
        return true;
    for (size_t i = 0; i < p->dirs; i++)
        if (dir_has(p->dir[i], name))
            return true;
    for (size_t i = 0; i < p->sites; i++)
        if (site_has(p->site[i], name))
            return true;
    return p->sites == 0; /* no environment: everything is missing, which is no news */
}
