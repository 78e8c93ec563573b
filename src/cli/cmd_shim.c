/* blast shim: a program of an environment, called by its name in an activated shell: in the sandbox, as blast run has
 * it, but without a look at what the project wants. See install/shims.h for who calls. */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "cli/common.h"
#include "cli/inside.h"
#include "cli/ui.h"
#include "install/boot.h"
#include "install/shims.h"

struct shim {
    struct cmd *c;
    struct workspace *w;
    struct str env, name; /* of what was called: /p/.venv and python */
    const char *program;  /* /p/.venv/bin/python */
    size_t first;         /* of the words that are the program's */
};

static struct str leaf(struct str path)
{
    return str_sub(path, MIN(str_rfind(path, '/') + 1, path.n), path.n);
}

static struct str parent(struct str path)
{
    return str_sub(path, 0, str_rfind(path, '/'));
}

/* Of "/p/.venv/shims/python"; "/p/.venv/.gen/12/shims" for "./python", by who stands in that folder. */
static struct str folder_of(struct arena *a, struct str path)
{
    struct str folder = str_find(path, '/') < path.n ? parent(path) : STR(".");
    char real[PATH_MAX];

    if ((path.n && path.p[0] == '/' && str_eq(leaf(folder), STR(SHIMS_FOLDER))) ||
        !realpath(arena_cstr(a, folder), real))
        return folder;
    return arena_str(a, str_of(real));
}

static bool read_path(struct shim *s, struct err *e)
{
    struct str path = s->c->options.words.n ? s->c->options.words.p[0] : STR("");
    struct str folder = folder_of(s->c->a, path);

    s->name = leaf(path);
    s->env = parent(folder);
    if (str_eq(leaf(parent(s->env)), STR(".gen")))
        s->env = parent(parent(s->env));
    s->first = 1;
    if (s->name.n && str_eq(leaf(folder), STR(SHIMS_FOLDER)) && s->env.n && str_find(s->env, '/') < s->env.n)
        return true;
    (void)err_set(e, ERR_CONFIG, "blast shim is started by the programs in .venv/" SHIMS_FOLDER
                                 ", not for '" STR_FMT "'", STR_ARG(path));
    return err_hint(e, "blast run " STR_FMT, STR_ARG(s->name.n ? s->name : STR("python app.py")));
}

/* The environment's project is the folder around it: what is asked for there counts, wherever the user stands. */
static bool open_project(struct shim *s, struct request *r, struct err *e)
{
    struct stat called, own;
    const char *env = arena_cstr(s->c->a, s->env);

    common_request(s->c, r);
    r->env = STR("");
    r->project = arena_str(s->c->a, parent(s->env));
    if (!common_open(s->c, r, s->w, e))
        return false;
    if (stat(env, &called) < 0)
        return err_sys(e, "stat %s", env);
    if (stat(s->w->env_path, &own) < 0 || own.st_dev != called.st_dev || own.st_ino != called.st_ino)
        return err_set(e, ERR_ENVIRONMENT, "'%s' is not the environment of the project in '%s'", env, s->w->where.dir);
    return true;
}

static bool find_program(struct shim *s, struct err *e)
{
    s->program = arena_printf(s->c->a, "%s/bin/" STR_FMT, s->w->env_path, STR_ARG(s->name)).p;
    if (access(s->program, F_OK) == 0 || errno != ENOENT)
        return true;
    (void)err_set(e, ERR_ENVIRONMENT, "'" STR_FMT "' is not in the environment any more", STR_ARG(s->name));
    return err_exit(e, 127);
}

/* The rest of the words behind `n` others, for exec. */
static char **words_behind(struct shim *s, const char *const *before, size_t n)
{
    const struct options *o = &s->c->options;
    char **argv = ARENA_ARRAY(s->c->a, char *, n + o->words.n + 1);
    size_t k = 0;

    for (; k < n; k++)
        argv[k] = (char *)(uintptr_t)before[k];
    for (size_t i = s->first; i < o->words.n; i++)
        argv[k++] = arena_cstr(s->c->a, o->words.p[i]);
    argv[k] = NULL;
    return argv;
}

static bool become(const char *program, char **argv, struct err *e)
{
    if (!ui_flush())
        return err_sys(e, "write to standard output");
    (void)signal(SIGPIPE, SIG_DFL); /* ours alone: the command gets the usual one */
    (void)execv(program, argv);
    int why = errno;

    (void)err_sys(e, "run '%s'", program);
    return err_exit(e, why == ENOENT ? 127 : 126);
}

/* ------------------------------------------------------------ pip */

static bool is_numbered(struct str name, struct str word)
{
    bool fits = str_cut_prefix(&name, word);

    for (size_t i = 0; fits && i < name.n; i++)
        fits = char_is_digit(name.p[i]) || name.p[i] == '.';
    return fits;
}

/* `pip ...` and `python -m pip ...` change the environment, which is read-only inside. */
static bool is_pip(struct shim *s)
{
    const struct options *o = &s->c->options;

    if (is_numbered(s->name, STR("pip")))
        return true;
    if (!is_numbered(s->name, STR("python")) || o->words.n < 3 || !str_eq(o->words.p[1], STR("-m")) ||
        !str_eq(o->words.p[2], STR("pip")))
        return false;
    const char *pip = arena_printf(s->c->a, "%s/bin/pip", s->w->env_path).p;

    if (access(pip, X_OK) < 0)
        return false;
    s->program = pip;
    s->first = 3;
    return true;
}

/* The one that a package brings has the user's rights, as it would have by its path. */
static bool become_pip(struct shim *s, struct err *e)
{
    const char *own[] = { "blast", "--project", s->w->where.dir, "pip" };

    if (!boot_is_pip(s->program))
        return become(s->program, words_behind(s, &s->program, 1), e);
    if (setenv("BLAST_ACTOR", "pip", 1) < 0)
        return err_sys(e, "set BLAST_ACTOR");
    return become("/proc/self/exe", words_behind(s, own, COUNT(own)), e);
}

/* ------------------------------------------------------------ the rest */

bool cmd_shim(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct shim s = { .c = c, .w = &w };
    bool inside = false;

    if (!read_path(&s, e) || !open_project(&s, &r, e))
        return err_exit(e, 125);
    if (!find_program(&s, e) || !inside_wanted(c, &w, &inside, e))
        return false;
    if (is_pip(&s))
        return become_pip(&s, e);
    char **argv = words_behind(&s, &s.program, 1);

    return inside ? inside_run(c, &w, argv, NULL, e) : become(s.program, argv, e);
}
