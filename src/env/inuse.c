#include "env/inuse.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "env/env.h"
#include "env/generation.h"

#define COMMAND_MAX 200

struct tree {
    uint32_t number;
    dev_t device;
    ino_t inode;
};

struct search {
    struct arena *a;
    VEC(struct tree) trees;
    VEC(struct inuse) found;
};

/* flock, not base/fd's lock: it is what Python's fcntl.flock takes. */
static bool hold(struct env *env, const char *path, int how, int *fd)
{
    char name[PATH_MAX];
    int n = snprintf(name, sizeof name, "%s/" INUSE_FILE, path);

    *fd = -1;
    if (n < 0 || (size_t)n >= sizeof name)
        return false;
    int lock = openat(env->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

    if (lock < 0)
        return errno == ENOENT;
    if (flock(lock, how | LOCK_NB) < 0) {
        fd_close(&lock);
        return false;
    }
    *fd = lock;
    return true;
}

bool inuse_take(struct env *env, const char *path, int *fd)
{
    return hold(env, path, LOCK_EX, fd);
}

bool inuse_share(struct env *env, const char *path, int *fd)
{
    return hold(env, path, LOCK_SH, fd);
}

/* Older trees with a lock on them: mostly none, and then no process is looked at. */
static bool find_trees(struct env *env, struct search *s, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    err_clear(e);
    if (!file_list_open(env->dir, ".gen", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        char path[64];
        struct stat st;
        uint64_t v;
        AUTO_FD taken = -1;

        if (!str_to_u64(str_of(d->d_name), &v) || v == env->tree || d->d_type == DT_LNK)
            continue;
        (void)snprintf(path, sizeof path, ".gen/%u", (unsigned)v);
        if (inuse_take(env, path, &taken))
            continue;
        (void)snprintf(path, sizeof path, ".gen/%u/" INUSE_FILE, (unsigned)v);
        if (fstatat(env->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0)
            VEC_PUSH_IN(s->a, &s->trees, (struct tree){ (uint32_t)v, st.st_dev, st.st_ino });
    }
    return e->kind == ERR_NONE;
}

static struct str command_of(int proc, struct arena *a)
{
    char text[COMMAND_MAX];
    AUTO_FD fd = openat(proc, "cmdline", O_RDONLY | O_CLOEXEC);
    ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text);

    while (n > 0 && text[n - 1] == '\0')
        n--;
    for (ssize_t i = 0; i < n; i++)
        if ((unsigned char)text[i] < ' ' || text[i] == 127)
            text[i] = ' ';
    return n > 0 ? arena_str(a, (struct str){ text, (size_t)n }) : STR("");
}

static void look_at_process(struct search *s, const char *name, int pid)
{
    char path[64];
    AUTO_FD proc = -1;
    AUTO_FILE_LIST list = { NULL };
    struct err ignored = { 0 }; /* another user's, or it ended meanwhile */
    const struct dirent *d;
    struct stat st;

    (void)snprintf(path, sizeof path, "/proc/%.16s", name);
    if (!fd_open_dir(AT_FDCWD, path, &proc, &ignored) || !file_list_open(proc, "fd", &list, &ignored))
        return;
    while (file_list_next(&list, &d, &ignored)) {
        if (!char_is_digit(d->d_name[0]) || fstatat(dirfd(list.handle), d->d_name, &st, 0) < 0)
            continue;
        for (size_t i = 0; i < s->trees.n; i++) {
            const struct tree *t = &s->trees.p[i];

            if (st.st_dev == t->device && st.st_ino == t->inode) {
                VEC_PUSH_IN(s->a, &s->found, (struct inuse){ pid, t->number, t->number, command_of(proc, s->a) });
                return;
            }
        }
    }
}

static bool find_processes(struct search *s, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct err ignored = { 0 };

    if (!file_list_open(AT_FDCWD, "/proc", &list, &ignored))
        return true;
    while (file_list_next(&list, &d, e)) {
        uint64_t pid;

        if (str_to_u64(str_of(d->d_name), &pid) && pid <= INT32_MAX && pid != (uint64_t)getpid())
            look_at_process(s, d->d_name, (int)pid);
    }
    return e->kind == ERR_NONE;
}

/* The newest generation that had each tree: the one the user remembers. */
static bool name_generations(struct env *env, struct search *s, struct err *e)
{
    uint32_t *seq;
    size_t n;

    if (!generation_list(env, s->a, &seq, &n, e))
        return false;
    for (size_t i = 0; i < n; i++) {
        struct err ignored = { 0 };
        struct generation g;
        bool there;

        if (!generation_load(env, seq[i], s->a, &g, &there, &ignored) || !there)
            continue;
        for (size_t k = 0; k < s->found.n; k++)
            if (s->found.p[k].tree == g.tree)
                s->found.p[k].generation = g.seq;
    }
    return true;
}

static int pid_order(const void *a, const void *b)
{
    const struct inuse *x = a, *y = b;

    return (x->pid > y->pid) - (x->pid < y->pid);
}

bool inuse_list(struct env *env, struct arena *a, struct inuse **out, size_t *n, struct err *e)
{
    struct search s = { .a = a };

    *out = NULL;
    *n = 0;
    if (env->layout != ENV_GENERATIONS || env->current == 0)
        return true;
    if (!find_trees(env, &s, e) ||
        (s.trees.n && (!find_processes(&s, e) || (s.found.n && !name_generations(env, &s, e)))))
        return err_as(e, ERR_ENVIRONMENT, "look for processes that use '%s'", env->path);
    if (s.found.n)
        qsort(s.found.p, s.found.n, sizeof *s.found.p, pid_order);
    *out = s.found.p;
    *n = s.found.n;
    return true;
}
