/* What a user may write to ask for an interpreter. */
#include <limits.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "python/discover.h"

static bool is_dir(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static bool is_program(const char *path)
{
    struct stat st;

    return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static struct str absolute(struct str text, const char *cwd, struct arena *a)
{
    char here[PATH_MAX];

    if (text.p[0] == '/')
        return arena_str(a, text);
    if (!cwd)
        cwd = getcwd(here, sizeof here) ? here : ".";
    return arena_printf(a, "%s/" STR_FMT, cwd, STR_ARG(text));
}

/* An environment or an installation: bin/python in it, or bin/python3. */
static bool in_directory(struct str dir, struct arena *a, struct str *out)
{
    static const char *const names[] = { "bin/python", "bin/python3" };

    while (dir.n > 1 && dir.p[dir.n - 1] == '/')
        dir.n--;
    for (size_t i = 0; i < COUNT(names); i++) {
        *out = arena_printf(a, STR_FMT "/%s", STR_ARG(dir), names[i]);
        if (is_program(out->p))
            return true;
    }
    return false;
}

/* "python", "cpython", "pypy" and short forms off the front, with an '@' or '-' behind. */
static struct str take_implementation(struct str *text)
{
    static const struct {
        struct str word, implementation;
    } words[] = {
        { { "cpython", 7 }, { "cpython", 7 } }, { { "python", 6 }, { "", 0 } },   { { "pypy", 4 }, { "pypy", 4 } },
        { { "graalpy", 7 }, { "graalpy", 7 } }, { { "cp", 2 }, { "cpython", 7 } }, { { "pp", 2 }, { "pypy", 4 } },
    };

    for (size_t i = 0; i < COUNT(words); i++) {
        if (text->n < words[i].word.n || !str_eq_nocase(str_sub(*text, 0, words[i].word.n), words[i].word))
            continue;
        *text = str_sub(*text, words[i].word.n, text->n);
        if (text->n > 0 && (text->p[0] == '@' || text->p[0] == '-'))
            *text = str_sub(*text, 1, text->n);
        return words[i].implementation;
    }
    return STR("");
}

/* A version alone: two numbers mean any third. Not more than a specifier made of it. Behind a hyphen pyenv puts what
 * does not matter here: "3.14-dev", "pypy3.10-7.3.15". */
static bool parse_version(struct str text, struct arena *a, struct py_request *r)
{
    struct err ignored = { 0 };
    struct version v;

    if (str_eq(r->implementation, STR("pypy")))
        text.n = str_find(text, '-');
    (void)str_cut_suffix(&text, STR("-dev"));
    if (text.n > 1 && (text.p[text.n - 1] == 't' || text.p[text.n - 1] == 'T')) {
        r->free_threaded = true;
        text.n--;
    }
    if (text.n == 0)
        return spec_parse(text, a, &r->versions, &ignored);
    if (!char_is_digit(text.p[0]) || !version_parse(text, a, &v) || v.n_release > 3)
        return false;

    bool open = v.n_release < 3 && !version_is_pre(&v);

    return spec_parse(arena_printf(a, "==" STR_FMT "%s", STR_ARG(text), open ? ".*" : ""), a, &r->versions, &ignored);
}

static bool is_comparison(struct str s)
{
    return s.n > 0 && (s.p[0] == '<' || s.p[0] == '>' || s.p[0] == '=' || s.p[0] == '!' || s.p[0] == '~');
}

/* True when the text is a path that exists; an error when it can only be a path and is none that helps. */
static bool parse_path(struct str text, const char *cwd, struct arena *a, struct py_request *r, struct err *e)
{
    bool path_only = str_find(text, '/') < text.n;
    struct str path = absolute(text, cwd, a);

    r->kind = PY_PATH;
    r->path = path;
    if (is_program(path.p) || (is_dir(path.p) && in_directory(path, a, &r->path)))
        return true;
    if (!path_only)
        return false;
    if (is_dir(path.p))
        return err_set(e, ERR_PYTHON, "'" STR_FMT "' has no bin/python", STR_ARG(text));
    if (access(path.p, F_OK) == 0)
        return err_set(e, ERR_PYTHON, "'" STR_FMT "' is not an executable file", STR_ARG(text));
    return err_set(e, ERR_PYTHON, "'" STR_FMT "' does not exist", STR_ARG(text));
}

/* A name that only pyenv knows ("myproject", "miniconda3-latest"), as it may stand in .python-version. */
static bool of_pyenv(struct str name, struct arena *a, struct str *out)
{
    const char *root = getenv("PYENV_ROOT"), *home = getenv("HOME");
    struct str dir = STR("");

    if (root && *root)
        dir = arena_printf(a, "%s/versions/" STR_FMT, root, STR_ARG(name));
    else if (home)
        dir = arena_printf(a, "%s/.pyenv/versions/" STR_FMT, home, STR_ARG(name));
    return dir.n > 0 && in_directory(dir, a, out);
}

/* An executable of another name ("mypython") on PATH. */
static bool on_path(struct str name, struct arena *a, struct str *out)
{
    struct str dir, rest = str_of(getenv("PATH"));

    while (rest.p && str_next(&rest, ':', &dir)) {
        *out = arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(dir), STR_ARG(name));
        if (dir.n > 0 && dir.p[0] == '/' && is_program(out->p))
            return true;
    }
    return false;
}

bool python_request_parse(struct str text, const char *cwd, struct arena *a, struct py_request *out, struct err *e)
{
    struct py_request r = { .kind = PY_ANY };

    text = str_trim(text);
    r.text = arena_str(a, text);
    if (text.n == 0 || str_eq_nocase(text, STR("any")) || str_eq(text, STR("system"))) {
        *out = r;
        return true;
    }
    if (is_comparison(text)) {
        r.kind = PY_VERSION;
        if (!spec_parse(r.text, a, &r.versions, e))
            return err_as(e, ERR_PYTHON, "read the request for Python '" STR_FMT "'", STR_ARG(text));
        *out = r;
        return true;
    }
    err_clear(e);
    if (parse_path(text, cwd, a, &r, e)) {
        *out = r;
        return true;
    }
    if (e->kind != ERR_NONE)
        return false;

    struct str rest = r.text;

    r.kind = PY_VERSION;
    r.path = STR("");
    r.implementation = take_implementation(&rest);
    if (!parse_version(rest, a, &r)) {
        r = (struct py_request){ .kind = PY_PATH, .text = r.text };
        if (!on_path(text, a, &r.path) && !of_pyenv(text, a, &r.path)) {
            (void)err_set(e, ERR_PYTHON, "'" STR_FMT "' is neither an interpreter nor a version", STR_ARG(text));
            return err_hint(e, "give a path, a version such as 3.12, or a range such as '>=3.10,<3.13'");
        }
    }
    *out = r;
    return true;
}
