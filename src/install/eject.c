#include "install/eject.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/copy.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/env.h"
#include "install/boot.h"
#include "install/shims.h"

#define DEPTH_MAX 128
#define CONFIG_MAX ((size_t)64 << 10)
#define CURRENT ".current/"
#define STAGE ".blast-eject" /* behind the name of the environment */

struct eject {
    struct env *env;
    struct eject_result *result;
    char store[PATH_MAX]; /* without symbolic links */
    bool measure;         /* only count */
};

/* Times are kept: bytecode names the time of its source. */
static bool copy_file(struct eject *x, int from, int to, const char *name, struct err *e)
{
    AUTO_FD in = -1;
    AUTO_FD out = -1;
    struct stat st;

    if (!fd_open(from, name, O_RDONLY, 0, &in, e))
        return false;
    if (fstat(in, &st) < 0)
        return err_sys(e, "stat %s", name);
    x->result->files++;
    x->result->bytes += (uint64_t)st.st_size;
    if (x->measure)
        return true;
    if (!fd_open(to, name, O_WRONLY | O_CREAT | O_EXCL, st.st_mode & 0111 ? 0777 : 0666, &out, e) ||
        !copy_content(in, out, name, e))
        return false;
    if (futimens(out, (struct timespec[]){ st.st_atim, st.st_mtim }) < 0)
        return err_sys(e, "set the times of %s", name);
    return true;
}

static bool copy_entry(struct eject *x, int from, int to, const char *name, unsigned depth, struct err *e);

static bool copy_all(struct eject *x, int from, int to, unsigned depth, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    err_clear(e);
    if (!file_list_open(from, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (!copy_entry(x, from, to, d->d_name, depth, e))
            return false;
    return e->kind == ERR_NONE;
}

static bool copy_dir(struct eject *x, int from, int to, const char *name, unsigned depth, struct err *e)
{
    AUTO_FD in = -1;
    AUTO_FD out = -1;

    if (depth > DEPTH_MAX)
        return err_set(e, ERR_ENVIRONMENT, "'%s' lies more than %d folders deep", name, DEPTH_MAX);
    if (!fd_open_dir(from, name, &in, e))
        return false;
    if (!x->measure && mkdirat(to, name, 0777) < 0)
        return err_sys(e, "make directory %s", name);
    if (!x->measure && !fd_open_dir(to, name, &out, e))
        return false;
    return copy_all(x, in, out, depth + 1, e);
}

static bool copy_link(struct eject *x, int from, int to, const char *name, struct err *e)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(from, name, target, sizeof target - 1);

    if (n < 0)
        return err_sys(e, "read the link %s", name);
    target[n] = '\0';
    x->result->links++;
    if (!x->measure && symlinkat(target, to, name) < 0)
        return err_sys(e, "link %s", name);
    return true;
}

/* Does the link end in the store, by whatever way? One that leads nowhere does not. */
static bool leads_to_store(const struct eject *x, int dir, const char *name)
{
    char proc[64], real[PATH_MAX];
    size_t n = strlen(x->store);
    AUTO_FD fd = openat(dir, name, O_PATH | O_CLOEXEC);

    if (fd < 0 || n == 0)
        return false;
    (void)snprintf(proc, sizeof proc, "/proc/self/fd/%d", fd);
    ssize_t got = readlink(proc, real, sizeof real);

    return got > (ssize_t)n && memcmp(real, x->store, n) == 0 && real[n] == '/';
}

static bool copy_entry(struct eject *x, int from, int to, const char *name, unsigned depth, struct err *e)
{
    struct stat st;

    if (fstatat(from, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "stat %s", name);
    if (S_ISLNK(st.st_mode)) {
        if (!leads_to_store(x, from, name))
            return copy_link(x, from, to, name, e);
        if (fstatat(from, name, &st, 0) < 0)
            return err_sys(e, "stat %s", name);
    }
    if (S_ISDIR(st.st_mode))
        return copy_dir(x, from, to, name, depth, e);
    return S_ISREG(st.st_mode) ? copy_file(x, from, to, name, e) : true; /* sockets and the like stay behind */
}

/* Names of the environment's root that only the generations need, or that are written anew. */
static bool is_ours(const char *name)
{
    static const char *const ours[] = { ".gen", ".current", ".current.tmp", ".lock", "pyvenv.cfg" };

    for (size_t i = 0; i < COUNT(ours); i++)
        if (strcmp(name, ours[i]) == 0)
            return true;
    return shims_is_name(name);
}

static bool copy_root(struct eject *x, int to, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD current = -1;
    const struct dirent *d;

    if (!fd_open_dir(x->env->dir, ".current", &current, e) || !file_list_open(x->env->dir, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        char target[PATH_MAX];
        ssize_t n = is_ours(d->d_name) ? -1 : readlinkat(x->env->dir, d->d_name, target, sizeof target - 1);
        bool leads_in = n > (ssize_t)sizeof CURRENT - 1 && memcmp(target, CURRENT, sizeof CURRENT - 1) == 0;

        if (is_ours(d->d_name))
            continue;
        if (!copy_entry(x, leads_in ? current : x->env->dir, to, d->d_name, 0, e))
            return false;
    }
    return e->kind == ERR_NONE;
}

static bool write_config(struct eject *x, int to, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_BUF b;
    struct str text, line;

    arena_init(&a);
    buf_init(&b, CONFIG_MAX);
    if (!fd_read_file(x->env->dir, "pyvenv.cfg", CONFIG_MAX, &a, &text, e))
        return false;
    while (str_next_line(&text, &line)) {
        struct str key = str_trim(str_sub(line, 0, str_find(line, '=')));

        if (!str_eq_nocase(key, STR("blast")))
            (void)buf_printf(&b, STR_FMT "\n", STR_ARG(line)); /* no longer than what was read */
    }
    return file_replace(to, "pyvenv.cfg", buf_done(&b), 0666, FILE_NO_SYNC, e);
}

/* Exchange rather than rename: a rename refuses a directory that is not empty. File systems that cannot exchange
 * get two renames, and the first is taken back when the second fails. */
static bool publish(const char *stage, const char *path, struct err *e)
{
    char aside[PATH_MAX];

    if (renameat2(AT_FDCWD, stage, AT_FDCWD, path, RENAME_EXCHANGE) == 0)
        return true;
    if (errno != EINVAL && errno != ENOSYS)
        return err_sys(e, "exchange %s and %s", stage, path);
    if (snprintf(aside, sizeof aside, "%s.old", path) >= (int)sizeof aside)
        return err_set(e, ERR_ENVIRONMENT, "the path of the environment is too long");
    if (rename(path, aside) < 0)
        return err_sys(e, "move %s aside", path);
    if (rename(stage, path) == 0)
        return rename(aside, stage) == 0 || err_sys(e, "rename %s", aside);
    (void)err_sys(e, "rename %s to %s", stage, path);
    (void)!rename(aside, path); /* back; when that fails too the error names where it lies */
    return false;
}

static void begin(struct eject *x, struct env *env, const char *store, struct eject_result *out)
{
    *out = (struct eject_result){ 0 };
    *x = (struct eject){ .env = env, .result = out };
    if (!realpath(store, x->store))
        x->store[0] = '\0'; /* there is no store: then no link leads into it */
}

bool eject_measure(struct env *env, const char *store, struct eject_result *out, struct err *e)
{
    struct eject x;

    begin(&x, env, store, out);
    x.measure = true;
    return copy_root(&x, -1, e) || err_as(e, ERR_ENVIRONMENT, "look at the environment '%s'", env->path);
}

static bool make_stage(struct eject *x, const char *stage, struct err *e)
{
    AUTO_FD to = -1;

    if (!file_remove_tree(AT_FDCWD, stage, e))
        return false;
    if (mkdir(stage, 0777) < 0)
        return err_sys(e, "make directory %s", stage);
    if (!fd_open_dir(AT_FDCWD, stage, &to, e) || !copy_root(x, to, e) ||
        !boot_remove(to, x->env->site, e) || !write_config(x, to, e))
        return false;
    if (syncfs(to) < 0) /* the old tree goes for good after this */
        return err_sys(e, "flush %s", stage);
    return true;
}

static bool stage_name(const struct env *env, char out[PATH_MAX], struct err *e)
{
    if (snprintf(out, PATH_MAX, "%s" STAGE, env->path) < PATH_MAX)
        return true;
    return err_set(e, ERR_ENVIRONMENT, "the path of the environment is too long");
}

bool eject_sweep(struct env *env, struct err *e)
{
    char stage[PATH_MAX];

    return stage_name(env, stage, e) && file_remove_tree(AT_FDCWD, stage, e);
}

bool eject_run(struct env *env, const char *store, struct eject_result *out, struct err *e)
{
    char stage[PATH_MAX];
    struct eject x;
    struct err ignored = { 0 };

    begin(&x, env, store, out);
    if (!stage_name(env, stage, e))
        return false;
    if (!make_stage(&x, stage, e) || !publish(stage, env->path, e)) {
        (void)!file_remove_tree(AT_FDCWD, stage, &ignored); /* the first error is the one to report */
        return err_as(e, ERR_ENVIRONMENT, "make '%s' a plain environment", env->path);
    }
    return file_remove_tree(AT_FDCWD, stage, e) || err_as(e, ERR_ENVIRONMENT, "remove the old tree");
}
