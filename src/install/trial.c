#include "install/trial.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/env.h"
#include "env/inuse.h"
#include "install/apply.h"
#include "install/scripts.h"
#include "store/store.h"

#define HEAD_MAX (2 * PATH_MAX)
#define SCRIPT_MAX (16u << 20)

struct view {
    struct env *env;
    struct arena *a;
    int from, to;         /* bin of the tree and of the view */
    struct str tree;      /* absolute path of the tree */
    struct str was, is;   /* first lines of a script: the environment's interpreter, the view's */
};

static bool link_to(int dir, const char *name, struct str target, struct err *e)
{
    return symlinkat(target.p, dir, name) == 0 || err_sys(e, "link %s", name);
}

/* A script of ours gets the view's interpreter; *did is false when it is something else. */
static bool rewrite(struct view *v, const char *name, bool *did, struct err *e)
{
    AUTO_FD in = -1, out = -1;
    AUTO_BUF text;
    struct stat st;

    *did = false;
    if (!fd_open(v->from, name, O_RDONLY | O_NONBLOCK, 0, &in, e))
        return false;
    if (fstat(in, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size > SCRIPT_MAX)
        return true;
    buf_init(&text, SCRIPT_MAX + 1);
    if (!fd_read_all(in, &text, name, e))
        return false;
    struct str rest = buf_done(&text);

    if (!str_cut_prefix(&rest, v->was))
        return true;
    *did = true;
    return fd_open(v->to, name, O_WRONLY | O_CREAT | O_EXCL, 0755, &out, e) &&
           fd_write_all(out, v->is.p, v->is.n, name, e) && fd_write_all(out, rest.p, rest.n, name, e);
}

static bool add_program(struct view *v, const struct dirent *d, struct err *e)
{
    char target[PATH_MAX];
    struct str name = str_of(d->d_name);
    bool did;

    if (str_starts(name, STR("python")) || str_starts(name, STR("pypy"))) {
        ssize_t n = readlinkat(v->from, d->d_name, target, sizeof target - 1);

        if (n > 0) {
            target[n] = '\0';
            return link_to(v->to, d->d_name, str_of(target), e);
        }
    }
    if (str_starts(name, STR("activate")))
        return true; /* they lead to the environment itself */
    if (!rewrite(v, d->d_name, &did, e))
        return false;
    return did || link_to(v->to, d->d_name, arena_printf(v->a, STR_FMT "/bin/%s", STR_ARG(v->tree), d->d_name), e);
}

static bool add_programs(struct view *v, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    err_clear(e);
    if (!file_list_open(v->from, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (!add_program(v, d, e))
            return false;
    return e->kind == ERR_NONE;
}

static bool first_lines(struct view *v, const char *view, struct err *e)
{
    AUTO_BUF was, is;

    buf_init(&was, HEAD_MAX);
    buf_init(&is, HEAD_MAX);
    if (!script_shebang(arena_printf(v->a, "%s/bin/python", v->env->path), &was) ||
        !script_shebang(arena_printf(v->a, "%s/%s/bin/python", v->env->path, view), &is))
        return err_set(e, ERR_ENVIRONMENT, "the path of '%s' is too long", v->env->path);
    v->was = arena_str(v->a, buf_done(&was));
    v->is = arena_str(v->a, buf_done(&is));
    return true;
}

bool trial_view(struct env *env, const char *tree, const char *view, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD from = -1, to = -1, dir = -1;

    arena_init(&a);
    struct view v = { .env = env, .a = &a, .tree = arena_printf(&a, "%s/%s", env->path, tree) };

    if (!first_lines(&v, view, e) || !file_remove_tree(env->dir, view, e) ||
        !file_make_dirs(env->dir, arena_printf(&a, "%s/bin", view).p, 0755, e) ||
        !fd_open_dir(env->dir, view, &dir, e) || !fd_open_dir(dir, "bin", &to, e) ||
        !fd_open_dir(env->dir, arena_printf(&a, "%s/bin", tree).p, &from, e))
        return err_as(e, ERR_ENVIRONMENT, "make a view of '%s'", tree);
    v.from = from;
    v.to = to;
    if (!link_to(dir, "pyvenv.cfg", arena_printf(&a, "%s/pyvenv.cfg", env->path), e) ||
        !link_to(dir, "lib", arena_printf(&a, STR_FMT "/lib", STR_ARG(v.tree)), e) ||
        !link_to(dir, "lib64", STR("lib"), e) || !add_programs(&v, e))
        return err_as(e, ERR_ENVIRONMENT, "make a view of '%s'", tree);
    return true;
}

/* ------------------------------------------------------------ of an older generation */

static bool build_aside(struct trial *t, const struct store *store, const struct generation *g, struct arena *a,
                        struct err *e)
{
    struct str tree = arena_printf(a, "%s/tree", t->name);

    return file_make_dirs(t->env->dir, tree.p, 0755, e) && apply_tree(t->env, store, g, tree.p, a, e) &&
           trial_view(t->env, tree.p, arena_printf(a, "%s/view", t->name).p, e);
}

static bool fill(struct trial *t, const struct store *store, const struct generation *g, struct arena *a,
                 struct err *e)
{
    struct str tree = arena_printf(a, ".gen/%u", g->tree);
    AUTO_FD file = -1;

    if (!file_remove_tree(t->env->dir, t->name, e) || !file_make_dirs(t->env->dir, t->name, 0755, e) ||
        !fd_open(t->env->dir, arena_printf(a, "%s/" INUSE_FILE, t->name).p, O_WRONLY | O_CREAT, 0644, &file, e))
        return false;
    (void)!inuse_share(t->env, t->name, &t->held);
    /* held before it is looked at, so that it cannot go in between */
    if (inuse_share(t->env, tree.p, &t->held_tree) && generation_is_hot(t->env, g))
        return trial_view(t->env, tree.p, arena_printf(a, "%s/view", t->name).p, e);
    return build_aside(t, store, g, a, e);
}

bool trial_open(struct env *env, const struct store *store, const struct generation *g, struct arena *a,
                struct trial *out, struct err *e)
{
    struct trial t = { .env = env, .held = -1, .held_tree = -1 };

    if (g->python.major != env->python.major || g->python.minor != env->python.minor)
        return err_set(e, ERR_ENVIRONMENT, "generation %u is for Python %u.%u, the environment has %u.%u", g->seq,
                       g->python.major, g->python.minor, env->python.major, env->python.minor);
    (void)snprintf(t.name, sizeof t.name, ".gen/" GENERATION_TRIAL "%ld", (long)getpid());
    if (!fill(&t, store, g, a, e)) {
        trial_close(&t);
        return false;
    }
    t.view = arena_printf(a, "%s/%s/view", env->path, t.name).p;
    *out = t;
    return true;
}

void trial_close(struct trial *t)
{
    struct err ignored = { 0 }; /* what stays is swept with the next change */

    if (t->name[0])
        (void)!file_remove_tree(t->env->dir, t->name, &ignored);
    fd_close(&t->held);
    fd_close(&t->held_tree);
    t->name[0] = '\0';
}
