#include "env/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "build_config.h"
#include "env/activate.h"

#define SCRIPT_LIMIT (64u << 10)

void layout_config_parse(struct str text, struct layout_config *out)
{
    struct layout_config c = { 0 };

    for (struct str line, rest = text; str_next_line(&rest, &line);) {
        size_t eq = str_find(line, '=');

        if (eq == line.n)
            continue;
        struct str key = str_trim(str_sub(line, 0, eq));
        struct str value = str_trim(str_sub(line, eq + 1, line.n));

        if (str_eq_nocase(key, STR("home")))
            c.home = value;
        else if (str_eq_nocase(key, STR("version")) || str_eq_nocase(key, STR("version_info")))
            c.version = value;
        else if (str_eq_nocase(key, STR("base-executable")) ||
                 (str_eq_nocase(key, STR("executable")) && c.executable.n == 0))
            c.executable = value;
        else if (str_eq_nocase(key, STR("implementation")))
            c.implementation = value;
        else if (str_eq_nocase(key, STR("prompt")))
            c.prompt = value;
        else if (str_eq_nocase(key, STR("blast")))
            c.blast = value;
        else if (str_eq_nocase(key, STR("include-system-site-packages")))
            c.system_site_packages = str_eq_nocase(value, STR("true"));
    }
    if (c.prompt.n >= 2 && (c.prompt.p[0] == '\'' || c.prompt.p[0] == '"') &&
        c.prompt.p[c.prompt.n - 1] == c.prompt.p[0])
        c.prompt = str_sub(c.prompt, 1, c.prompt.n - 1); /* python -m venv writes repr() */
    *out = c;
}

/* A line end in a value would begin another key. */
static struct str one_line(struct str s, struct arena *a)
{
    struct str copy = arena_str(a, s);
    char *p = (char *)(uintptr_t)copy.p;

    for (size_t i = 0; i < copy.n; i++)
        if (p[i] == '\n' || p[i] == '\r')
            p[i] = ' ';
    return copy;
}

struct str layout_config_format(const struct env_new *spec, struct arena *a)
{
    const struct env_python *py = &spec->python;
    struct str exe = py->executable;
    struct str home = str_sub(exe, 0, MIN(str_rfind(exe, '/'), exe.n));
    struct str impl = py->implementation.n ? py->implementation : STR("cpython");
    struct str prompt = one_line(spec->prompt, a);

    return arena_printf(a,
                        "home = " STR_FMT "\n"
                        "include-system-site-packages = %s\n"
                        "version = " STR_FMT "\n"
                        "executable = " STR_FMT "\n"
                        "implementation = " STR_FMT "\n"
                        "%s" STR_FMT "%s"
                        "blast = %s\n",
                        STR_ARG(home), spec->system_site_packages ? "true" : "false", STR_ARG(py->version),
                        STR_ARG(exe), STR_ARG(impl), prompt.n ? "prompt = " : "", STR_ARG(prompt), prompt.n ? "\n" : "",
                        BLAST_VERSION);
}

struct str layout_python_dir(const struct env_python *py, struct arena *a)
{
    bool pypy = str_eq_nocase(py->implementation, STR("pypy"));

    return arena_printf(a, "%s%u.%u" STR_FMT, pypy ? "pypy" : "python", py->major, py->minor, STR_ARG(py->abi_suffix));
}

struct str layout_site(const struct env_python *py, struct arena *a)
{
    struct str dir = layout_python_dir(py, a);

    return arena_printf(a, "lib/" STR_FMT "/site-packages", STR_ARG(dir));
}

static bool make_dir(int dir, const char *path, struct err *e)
{
    return mkdirat(dir, path, 0777) == 0 || errno == EEXIST ? true : err_sys(e, "make directory %s", path);
}

static bool make_link(int dir, const char *target, const char *path, struct err *e)
{
    return symlinkat(target, dir, path) == 0 || errno == EEXIST ? true : err_sys(e, "link %s", path);
}

static bool write_text(int dir, const char *path, struct str text, struct err *e)
{
    AUTO_FD fd = -1;

    return fd_open(dir, path, O_WRONLY | O_CREAT | O_TRUNC, 0666, &fd, e) && fd_write_all(fd, text.p, text.n, path, e);
}

static bool write_activation(int prefix, const char *env_path, struct str prompt, struct err *e)
{
    static const struct {
        const char *path;
        enum activate_shell shell;
    } scripts[] = {
        { "bin/activate", ACTIVATE_POSIX },
        { "bin/activate.fish", ACTIVATE_FISH },
        { "bin/activate.csh", ACTIVATE_CSH },
    };
    AUTO_BUF b;

    buf_init(&b, SCRIPT_LIMIT);
    for (size_t i = 0; i < COUNT(scripts); i++) {
        buf_reset(&b);
        if (!activate_script(scripts[i].shell, str_of(env_path), prompt, &b))
            return err_set(e, ERR_ENVIRONMENT, "the path of the environment has %zu bytes", strlen(env_path));
        if (!write_text(prefix, scripts[i].path, buf_done(&b), e))
            return false;
    }
    return true;
}

bool layout_fill(int prefix, const char *env_path, const struct env_python *py, struct str prompt, struct err *e)
{
    bool pypy = str_eq_nocase(py->implementation, STR("pypy"));
    char minor[48], exe[PATH_MAX], lib[64], site[80];

    if (py->executable.n == 0 || py->executable.n >= sizeof exe || py->executable.p[0] != '/')
        return err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is no absolute path of an interpreter",
                       STR_ARG(py->executable));
    memcpy(exe, py->executable.p, py->executable.n);
    exe[py->executable.n] = '\0';
    (void)snprintf(minor, sizeof minor, "bin/%s%u.%u%.4s", pypy ? "pypy" : "python", py->major, py->minor,
                   py->abi_suffix.n ? "t" : "");
    (void)snprintf(lib, sizeof lib, "lib/%s", minor + 4);
    (void)snprintf(site, sizeof site, "%s/site-packages", lib);
    return make_dir(prefix, "bin", e) && make_dir(prefix, "lib", e) && make_dir(prefix, lib, e) &&
           make_dir(prefix, site, e) && make_link(prefix, exe, "bin/python", e) &&
           make_link(prefix, "python", "bin/python3", e) && make_link(prefix, "python", minor, e) &&
           (!pypy || make_link(prefix, "python", "bin/pypy", e)) && write_activation(prefix, env_path, prompt, e);
}

bool layout_root(int dir, const struct env_new *spec, struct err *e)
{
    AUTO_ARENA a = { 0 };

    arena_init(&a);
    if (!write_text(dir, ".gitignore", STR("*\n"), e))
        return false;
    if (!spec->plain && (!make_link(dir, ".current/bin", "bin", e) || !make_link(dir, ".current/lib", "lib", e)))
        return false;
    /* pyvenv.cfg last: with it the directory is an environment. */
    return make_link(dir, "lib", "lib64", e) && write_text(dir, "pyvenv.cfg", layout_config_format(spec, &a), e);
}
