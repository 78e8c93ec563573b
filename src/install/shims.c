#include "install/shims.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/activate.h"
#include "env/env.h"

#define CURRENT ".current"
#define TEXT_MAX (PATH_MAX * 6u)

bool shims_is_name(const char *name)
{
    return strcmp(name, SHIMS_FOLDER) == 0 || strcmp(name, SHIMS_PROGRAM) == 0;
}

/* ------------------------------------------------------------ the text */

/* Behind the line that names blast. */
static const char rest[] =
    "\nif [ ! -x \"$blast\" ]; then\n"
    "    printf '%s\\n' \"error: $0 is not run: $blast, which puts it into the sandbox, is not there\" \\\n"
    "        'help: run blast start, by the path of the blast that is there' >&2\n"
    "    exit 125\nfi\n"
    "exec \"$blast\" shim \"$0\" \"$@\"\n";

static bool format(struct buf *out, struct err *e)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self);

    if (n <= 0 || (size_t)n >= sizeof self)
        return err_sys(e, "find the running program");
    struct str path = { self, (size_t)n };

    (void)str_cut_suffix(&path, STR(" (deleted)")); /* replaced by a newer one, which is what is wanted */
    bool fits = buf_str(out, STR("#!/bin/sh\n"
                                 "# A program of the environment, in its sandbox: blast-shim(1)\n"
                                 "blast=")) &&
                activate_quote(ACTIVATE_POSIX, path, out) && buf_str(out, str_of(rest));

    return fits || err_set(e, ERR_ENVIRONMENT, "the path of the program has %zu bytes", path.n);
}

static bool put_program(int env_dir, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b = { .limit = TEXT_MAX };
    struct err ignored = { 0 };
    struct str text;

    arena_init(&a);
    if (!format(&b, e))
        return false;
    if (fd_read_if_there(env_dir, SHIMS_PROGRAM, TEXT_MAX, &a, &text, &ignored) && text.p && str_eq(text, buf_done(&b)))
        return true;
    return file_replace(env_dir, SHIMS_PROGRAM, buf_done(&b), 0755, FILE_NO_SYNC, e);
}

/* ------------------------------------------------------------ the links */

/* bin/ holds texts for shells to read beside the programs. */
static bool is_program(struct str name)
{
    return name.p[0] != '.' && !str_starts(name, STR("activate"));
}

static bool put_links(int tree, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD dir = -1;
    const struct dirent *d;

    if (mkdirat(tree, SHIMS_FOLDER, 0777) < 0 && errno != EEXIST)
        return err_sys(e, "make directory " SHIMS_FOLDER);
    if (!fd_open_dir(tree, SHIMS_FOLDER, &dir, e) || !file_list_open(tree, "bin", &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (is_program(str_of(d->d_name)) && symlinkat("../../../" SHIMS_PROGRAM, dir, d->d_name) < 0 &&
            errno != EEXIST)
            return err_sys(e, "link " SHIMS_FOLDER "/%s", d->d_name);
    return e->kind == ERR_NONE;
}

bool shims_add(struct env *env, int tree, struct err *e)
{
    err_clear(e);
    if (env->boot.n == 0 || env->layout != ENV_GENERATIONS)
        return true;
    return (put_program(env->dir, e) && put_links(tree, e)) || err_wrap(e, "put the programs into the sandbox");
}

static bool link_root(int dir, struct err *e)
{
    return symlinkat(CURRENT "/" SHIMS_FOLDER, dir, SHIMS_FOLDER) == 0 || errno == EEXIST ||
           err_sys(e, "link " SHIMS_FOLDER);
}

bool shims_complete(struct env *env, uint32_t tree, struct err *e)
{
    char path[32];
    AUTO_FD dir = -1;

    (void)snprintf(path, sizeof path, ".gen/%u", tree);
    return env->boot.n == 0 ||
           (fd_open_dir(env->dir, path, &dir, e) && shims_add(env, dir, e) && link_root(env->dir, e));
}

bool shims_settle(const char *env_path, bool *there, struct err *e)
{
    AUTO_FD dir = -1, tree = -1;

    err_clear(e);
    *there = false;
    if (!fd_open_dir(AT_FDCWD, env_path, &dir, e))
        return err_as(e, ERR_ENVIRONMENT, "open the environment '%s'", env_path);
    if (!file_exists(dir, CURRENT))
        return true;
    if (!fd_open_dir(dir, CURRENT, &tree, e) || !put_program(dir, e) || !put_links(tree, e) ||
        !link_root(dir, e))
        return err_as(e, ERR_ENVIRONMENT, "put the programs of '%s' into the sandbox", env_path);
    *there = true;
    return true;
}
