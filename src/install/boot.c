#include "install/boot.h"

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
#include "base/hash.h"
#include "env/env.h"
#include "install/boot_text.h" /* made by meson */
#include "install/scripts.h"
#include "store/store.h"

#define INUSE ".inuse"
#define SHELF "boot-v1" /* in the store: one folder for each set of texts */
#define SHIM_MARK "# `pip` of Blast: blast-pip(1)\n"
#define SETTINGS_MAX (PATH_MAX + 256u)

struct text {
    const char *name; /* below site-packages */
    struct str content;
    unsigned minor; /* from this Python 3 on */
    bool shim;
};

static const struct text texts[] = {
    { "_blast_boot.pth", STR_INIT(BOOT_PTH), 6, false },
    { "_blast_boot.py", STR_INIT(BOOT_PY), 6, false },
    { "_blast_report.py", STR_INIT(BOOT_REPORT), 6, false },
    { "_blast_track.py", STR_INIT(BOOT_TRACK), 8, false },
    { "_blast_boot.start", STR_INIT(BOOT_START), 15, false },
    { "pip.py", STR_INIT(BOOT_PIP), 6, true },
};

_Static_assert(sizeof BOOT_REPORT < (1 << 14), "is_same() reads files of this size");

struct str boot_settings(struct arena *a, const char *hook, const char *pip)
{
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

    if (n < 0 || memchr(self, '\n', (size_t)n))
        n = 0; /* then it is looked for in PATH */
    return arena_printf(a, "hook=%s\npip=%s\nblast=%.*s\n", hook, pip, (int)n, self);
}

/* What must be the same for a tree to be right: the lines before the program's path. */
static struct str settled(struct str settings)
{
    return str_sub(settings, 0, str_search(settings, STR("blast=")));
}

static bool wants_shim(const struct env *env)
{
    return str_search(env->boot, STR("pip=real\n")) == env->boot.n;
}

static bool is_served(const struct env *env)
{
    return env->boot.n && env->layout == ENV_GENERATIONS && env->python.major == 3 && env->python.minor >= 6;
}

struct str boot_settings_of(struct env *env)
{
    struct err ignored = { 0 };
    struct str text;

    if (env->layout != ENV_GENERATIONS ||
        !fd_read_if_there(env->dir, ".current/" INUSE, SETTINGS_MAX, &env->arena, &text, &ignored) || !text.p ||
        !str_starts(text, STR("hook=")))
        return STR("");
    return text;
}

bool boot_fits(struct env *env)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct str text;

    if (!is_served(env))
        return true;
    arena_init(&a);
    return fd_read_if_there(env->dir, ".current/" INUSE, SETTINGS_MAX, &a, &text, &ignored) && text.p &&
           str_eq(settled(text), settled(env->boot));
}

/* ------------------------------------------------------------ the copy in the store */

static bool is_same(int dir, const struct text *t)
{
    char bytes[1 << 14];
    AUTO_FD fd = openat(dir, t->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, bytes, sizeof bytes);

    return n >= 0 && (size_t)n == t->content.n && memcmp(bytes, t->content.p, t->content.n) == 0;
}

void boot_shelf(char out[BOOT_SHELF])
{
    uint64_t sum = 0;

    for (size_t i = 0; i < COUNT(texts); i++)
        sum = sum * 31 + hash_fast(texts[i].content.p, texts[i].content.n);
    (void)snprintf(out, BOOT_SHELF, SHELF "/%016llx", (unsigned long long)sum);
}

/* -1 when there is none to be had: then every tree gets files of its own. */
static int open_shelf(const struct store *store)
{
    char path[BOOT_SHELF];
    struct err ignored = { 0 };
    int dir = -1;

    boot_shelf(path);
    if (fd_open_dir(store->dir, path, &dir, &ignored))
        return dir;
    err_clear(&ignored);
    if (!file_make_dirs(store->dir, path, 0755, &ignored) || !fd_open_dir(store->dir, path, &dir, &ignored))
        return -1;
    return dir;
}

/* A hard link to a copy that holds what it should; else a file. */
static bool put(int shelf, int site, const struct text *t, struct err *e)
{
    struct err ignored = { 0 };

    if (shelf >= 0 && (is_same(shelf, t) || file_replace(shelf, t->name, t->content, 0444, FILE_NO_SYNC, &ignored)) &&
        linkat(shelf, t->name, site, t->name, 0) == 0)
        return true;
    return file_replace(site, t->name, t->content, 0644, FILE_NO_SYNC, e);
}

/* ------------------------------------------------------------ the tree */

/* bin/pip, pip3 and pip3.12: one file, three names. */
static bool put_programs(struct env *env, int tree, struct err *e)
{
    char name[32];
    AUTO_FD bin = -1;
    AUTO_FD fd = -1;
    AUTO_BUF b = { .limit = PATH_MAX * 2 };

    (void)script_shebang(str_of(env_path(env, "bin/python")), &b);
    if (!buf_str(&b, STR(SHIM_MARK "import sys\nfrom pip import main\nsys.exit(main())\n")))
        return err_set(e, ERR_ENVIRONMENT, "the path of the environment is too long");
    if (!fd_open_dir(tree, "bin", &bin, e) || !fd_open(bin, "pip", O_WRONLY | O_CREAT | O_EXCL, 0777, &fd, e) ||
        !fd_write_all(fd, b.p, b.n, "bin/pip", e))
        return false;
    (void)snprintf(name, sizeof name, "pip3.%u", env->python.minor);
    if (linkat(bin, "pip", bin, "pip3", 0) < 0 || linkat(bin, "pip", bin, name, 0) < 0)
        return err_sys(e, "link bin/%s", name);
    return true;
}

static bool brings_pip(int tree, int site)
{
    return file_exists(site, "pip") || file_exists(site, "pip.py") || file_exists(tree, "bin/pip");
}

/* Bytecode of the shelf (install/compile.h makes it), else of the tree before, so that the first start need not
 * compile. Python compares it with the source. */
static void take_bytecode(struct env *env, int shelf, int site)
{
    static const char *const modules[] = { "_blast_boot", "_blast_report", "_blast_track" };
    bool folder = false;
    char from[PATH_MAX], name[64];

    if (str_eq(env->python.implementation, STR("pypy")))
        return;
    for (size_t i = 0; i < COUNT(modules); i++) {
        (void)snprintf(name, sizeof name, "__pycache__/%s.cpython-3%u.pyc", modules[i], env->python.minor);
        (void)snprintf(from, sizeof from, ".current/%.*s/%s", (int)MIN(env->site.n, (size_t)256), env->site.p, name);
        bool shelved = shelf >= 0 && faccessat(shelf, name, R_OK, 0) == 0;

        if (!shelved && faccessat(env->dir, from, R_OK, 0) < 0)
            continue;
        if (!folder)
            (void)mkdirat(site, "__pycache__", 0777); /* exists when a package brought it */
        folder = true;
        (void)!linkat(shelved ? shelf : env->dir, shelved ? name : from, site, name, 0); /* a convenience */
    }
}

static bool put_all(struct env *env, int shelf, int tree, int site, struct err *e)
{
    bool shim = wants_shim(env) && !brings_pip(tree, site);

    for (size_t i = 0; i < COUNT(texts); i++)
        if (env->python.minor >= texts[i].minor && (shim || !texts[i].shim) && !put(shelf, site, &texts[i], e))
            return false;
    take_bytecode(env, shelf, site);
    return !shim || put_programs(env, tree, e);
}

bool boot_add(struct env *env, const struct store *store, int tree, struct err *e)
{
    AUTO_FD site = -1;
    AUTO_FD inuse = -1;

    if (!is_served(env))
        return true;
    AUTO_FD shelf = open_shelf(store);
    bool ok = fd_open_dir(tree, env->site.p, &site, e) && put_all(env, shelf, tree, site, e) &&
              fd_open(tree, INUSE, O_WRONLY | O_CREAT | O_TRUNC, 0644, &inuse, e) &&
              fd_write_all(inuse, env->boot.p, env->boot.n, INUSE, e);

    return ok || err_wrap(e, "put Blast's own files into the environment");
}

/* ------------------------------------------------------------ leaving */

static bool has_mark(int dir, const char *name)
{
    char head[PATH_MAX + 512];
    AUTO_FD fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    ssize_t n = fd < 0 ? -1 : read(fd, head, sizeof head);
    struct str text = { head, n < 0 ? 0 : (size_t)n };

    return str_search(text, STR(SHIM_MARK)) < text.n;
}

bool boot_is_pip(const char *program)
{
    return has_mark(AT_FDCWD, program);
}

static bool drop(int dir, const char *name, struct err *e)
{
    return unlinkat(dir, name, 0) == 0 || errno == ENOENT || err_sys(e, "remove %s", name);
}

static bool drop_programs(int prefix, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD bin = -1;
    const struct dirent *d;

    if (!fd_open_dir(prefix, "bin", &bin, e) || !file_list_open(bin, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (strncmp(d->d_name, "pip", 3) == 0 && has_mark(bin, d->d_name) && !drop(bin, d->d_name, e))
            return false;
    return e->kind == ERR_NONE;
}

bool boot_remove(int prefix, struct str site, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FILE_LIST cache = { NULL };
    AUTO_FD dir = -1;
    const struct dirent *d;
    struct err ignored = { 0 };

    arena_init(&a);
    err_clear(e);
    if (!fd_open_dir(prefix, arena_cstr(&a, site), &dir, e))
        return false;
    for (size_t i = 0; i < COUNT(texts); i++)
        if ((!texts[i].shim || is_same(dir, &texts[i])) && !drop(dir, texts[i].name, e))
            return false;
    if (file_list_open(dir, "__pycache__", &cache, &ignored))
        while (file_list_next(&cache, &d, &ignored))
            if (str_starts(str_of(d->d_name), STR("_blast_")))
                (void)unlinkat(dirfd(cache.handle), d->d_name, 0);
    return drop_programs(prefix, e);
}
