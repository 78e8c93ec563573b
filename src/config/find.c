#include "config/find.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"

#define PYTHON_VERSION_MAX 4096

static bool is_there(const char *dir, const char *name, bool directory)
{
    char path[PATH_MAX];
    struct stat st;
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);

    return n > 0 && (size_t)n < sizeof path && stat(path, &st) == 0 &&
           (directory ? S_ISDIR(st.st_mode) : S_ISREG(st.st_mode));
}

static struct find_project look_at(const char *dir)
{
    struct find_project p = {
        .dir = dir,
        .has_blast_toml = is_there(dir, "blast.toml", false),
        .has_pyproject = is_there(dir, "pyproject.toml", false),
        .has_requirements = is_there(dir, "requirements.txt", false),
        .has_venv = is_there(dir, ".venv", true),
    };

    p.marker = p.has_blast_toml   ? FIND_BLAST_TOML :
               p.has_pyproject    ? FIND_PYPROJECT :
               p.has_requirements ? FIND_REQUIREMENTS :
               p.has_venv         ? FIND_VENV :
                                    FIND_NOTHING;
    return p;
}

/* Somebody else could have put a blast.toml there: another user's directory, or one for all such as /tmp. */
static bool is_foreign(const char *dir)
{
    struct stat st;

    if (stat(dir, &st) < 0)
        return true;
    return (st.st_uid != geteuid() && st.st_uid != 0) || (st.st_mode & S_IWOTH);
}

bool find_project(const char *start, const char *home, struct arena *a, struct find_project *out, struct err *e)
{
    char path[PATH_MAX], home_path[PATH_MAX];
    struct stat st;

    if (!realpath(start ? start : ".", path))
        return err_sys(e, "find the project of %s", start ? start : "the working directory");
    if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
        errno = ENOTDIR;
        return err_sys(e, "find the project of %s", start);
    }
    if (!home || !realpath(home, home_path))
        home_path[0] = '\0';
    const char *first = arena_cstr(a, str_of(path));
    struct find_project best = look_at(first);

    for (;;) {
        if (best.marker != FIND_NOTHING && (is_there(path, ".git", true) || is_there(path, ".git", false)))
            break;
        char *slash = strrchr(path, '/');

        if (path[1] == '\0' || !slash || strcmp(path, home_path) == 0)
            break;
        slash[slash == path] = '\0';
        if (strcmp(path, home_path) == 0 || is_foreign(path))
            break;
        struct find_project p = look_at(arena_cstr(a, str_of(path)));

        if (p.marker < best.marker)
            best = p;
    }
    *out = best;
    return true;
}

bool find_python_version(int dir, struct arena *a, struct str *out, unsigned *line, struct err *e)
{
    struct str text, one;
    unsigned n = 0;

    *out = (struct str){ "", 0 };
    if (!fd_read_if_there(dir, ".python-version", PYTHON_VERSION_MAX, a, &text, e))
        return err_as(e, ERR_CONFIG, "read .python-version");
    for (struct str rest = text; str_next_line(&rest, &one);) {
        struct str word = str_trim(one);

        n++;
        if (word.n == 0 || word.p[0] == '#')
            continue;
        *out = arena_str(a, word);
        if (line)
            *line = n;
        break;
    }
    return true;
}
