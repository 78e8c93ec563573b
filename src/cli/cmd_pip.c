/* blast pip: pip's commands on the environment of a project. What `pip` and `python -m pip` inside it run.
 *
 * What is installed or removed so is no change of the project: pyproject.toml and the lock stay, and the change lasts
 * until the lock changes (a generation of the kind "scratch"). pip's output shapes and exit codes are kept, because
 * programs read them. `--real` as the first word runs the pip that comes with the interpreter.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/err.h"
#include "build_config.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "cli/pip_info.h"
#include "cli/pip_words.h"
#include "cli/ui.h"
#include "config/reqfile.h"
#include "env/env.h"
#include "pep/name.h"
#include "pep/req.h"
#include "sync/download.h"
#include "sync/env_layer.h"
#include "sync/remove.h"

#define SPOKEN "25.0" /* the version of pip whose command line this is; also in install/boot/pip.py */

/* The wheel of pip that ensurepip has: beside it, or where Debian keeps such wheels. */
static const char real_pip[] =
    "import glob, os, runpy, sys, sysconfig\n"
    "try:\n"
    "    import ensurepip\n"
    "    places = [os.path.join(os.path.dirname(ensurepip.__file__), '_bundled')]\n"
    "except ImportError:\n"
    "    places = []\n"
    "places += [sysconfig.get_config_var('WHEEL_PKG_DIR') or '', '/usr/share/python-wheels']\n"
    "found = [w for p in places for w in glob.glob(os.path.join(p, 'pip-*.whl'))]\n"
    "if not found:\n"
    "    sys.exit('pip: this Python comes without pip (ensurepip)')\n"
    "sys.path.insert(0, found[0])\n"
    "sys.argv[0] = 'pip'\n"
    "runpy.run_module('pip', run_name='__main__', alter_sys=True)\n";

struct pip {
    struct cmd *c;
    struct request r;
    struct workspace w;
    struct pip_words words;
    bool open;
};

/* pip ends with 1 for what went wrong; 2 is for wrong options. */
static bool fail(struct err *e)
{
    return err_exit(e, e->exit_code == 2 ? 2 : 1);
}

/* ------------------------------------------------------------ install */

static void say_satisfied(struct pip *p, const struct sync_outcome *o)
{
    struct env_packages list;
    struct err ignored = { 0 };
    struct env env;

    if ((!o->nothing_to_do && o->apply.changed) || !env_layer_read(&p->w, &env, &ignored))
        return;
    if (env_installed(&env, p->c->a, &list, &ignored)) {
        for (size_t i = 0; i < p->words.word.n; i++) {
            struct req q;

            for (size_t k = 0; req_parse(p->c->a, p->words.word.p[i], &q, &ignored) && k < list.n; k++)
                if (!ui.quiet && name_eq(list.p[k].name, q.name))
                    ui_out("Requirement already satisfied: " STR_FMT " in %s (" STR_FMT ")\n",
                           STR_ARG(p->words.word.p[i]), env_path(&env, env.site.p), STR_ARG(list.p[k].version));
        }
    }
    env_close(&env);
}

static void say_installed(struct pip *p, const struct sync_outcome *o)
{
    struct str text = STR("");

    for (size_t i = 0; i < o->apply.plan.n; i++) {
        const struct plan_step *s = &o->apply.plan.steps[i];

        if (s->kind == PLAN_ADD || s->kind == PLAN_REPLACE)
            text = arena_printf(p->c->a, STR_FMT " " STR_FMT "-" STR_FMT, STR_ARG(text), STR_ARG(s->want->name),
                                STR_ARG(s->want->version));
    }
    if (!text.n)
        return;
    if (!ui.quiet)
        ui_out("%s" STR_FMT "\n", p->r.dry_run ? "Would install" : "Successfully installed", STR_ARG(text));
    if (p->r.dry_run || (!p->w.project.found && !p->w.where.has_requirements))
        return;
    ui_note("blast: beside the project, until its lock changes; into it with: blast install NAME%s",
            command_find(STR("drift")) ? ", or blast drift keep" : "");
}

/* Requirements of files are wanted, too; those of them that are named are what -U means. */
static bool name_upgrades(struct pip *p, struct err *e)
{
    VEC(struct str) names = { 0 };
    struct reqfile f = { 0 };
    struct req q;

    for (size_t i = 0; i < p->r.requirement.n; i++)
        if (!reqfile_read(arena_cstr(p->c->a, p->r.requirement.p[i]), false, NULL, p->c->a, &f, e))
            return false;
    for (size_t i = 0; i < f.entries.n; i++)
        if (req_parse(p->c->a, f.entries.p[i].text, &q, e))
            VEC_PUSH_IN(p->c->a, &names, q.key);
    for (size_t i = 0; i < p->words.word.n; i++)
        if (req_parse(p->c->a, p->words.word.p[i], &q, e))
            VEC_PUSH_IN(p->c->a, &names, q.key);
    err_clear(e); /* paths and URLs have no pin to give up */
    p->r.upgrade = false;
    p->r.upgrade_only = (struct str_list){ names.p, names.n };
    return true;
}

static bool run_install(struct pip *p, struct err *e)
{
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = { .command = edit_command_line(p->c), .no_lock = true, .keep_others = true,
                            .watch = &common_watch, .timings = &t };

    if (p->words.word.n == 0 && p->r.requirement.n == 0 && p->r.editable.n == 0) {
        (void)err_set(e, ERR_CONFIG, "no requirement to install was given: at least one requirement is needed");
        return false;
    }
    if (p->r.upgrade && !name_upgrades(p, e))
        return false;
    if (!sync_run(&p->w, &job, &o, e))
        return false;
    common_warnings(&p->w);
    say_satisfied(p, &o);
    say_installed(p, &o);
    return true;
}

/* ------------------------------------------------------------ uninstall */

static bool confirm(struct pip *p, struct str names, struct err *e)
{
    if (p->words.own[PIP_YES].n)
        return true;
    if (ui.tty && !ui.no_input)
        return ui_confirm(arena_printf(p->c->a, "Uninstall" STR_FMT "?", STR_ARG(names)).p);
    (void)err_set(e, ERR_CONFIG, "there is no terminal to ask on");
    return err_hint(e, "pip uninstall -y");
}

static bool add_file_names(struct pip *p, struct err *e)
{
    struct reqfile f = { 0 };

    for (size_t i = 0; i < p->r.requirement.n; i++)
        if (!reqfile_read(arena_cstr(p->c->a, p->r.requirement.p[i]), false, NULL, p->c->a, &f, e))
            return false;
    for (size_t i = 0; i < f.entries.n; i++) {
        struct req q;

        if (!req_parse(p->c->a, f.entries.p[i].text, &q, e))
            return err_as(e, ERR_CONFIG, "%s:%u", f.entries.p[i].file, f.entries.p[i].line);
        VEC_PUSH_IN(p->c->a, &p->words.word, q.name);
    }
    p->r.requirement = (struct str_list){ NULL, 0 };
    return true;
}

/* The names that are installed; the others are warned about. */
static bool installed_names(struct pip *p, struct str_list *out, struct str *text, struct err *e)
{
    struct str *name = ARENA_ARRAY(p->c->a, struct str, p->words.word.n + 1);
    struct env_packages list;
    struct env env;
    size_t n = 0;

    if (!env_layer_read(&p->w, &env, e))
        return false;
    bool ok = env_installed(&env, p->c->a, &list, e);

    for (size_t i = 0; ok && i < p->words.word.n; i++) {
        bool found = false;

        for (size_t k = 0; k < list.n && !found; k++) {
            found = name_eq(list.p[k].name, p->words.word.p[i]);
            if (!found)
                continue;
            name[n++] = list.p[k].name;
            *text = arena_printf(p->c->a, STR_FMT " " STR_FMT "-" STR_FMT, STR_ARG(*text), STR_ARG(list.p[k].name),
                                 STR_ARG(list.p[k].version));
        }
        if (!found)
            ui_warn("Skipping " STR_FMT " as it is not installed.", STR_ARG(p->words.word.p[i]));
    }
    env_close(&env);
    *out = (struct str_list){ name, n };
    return ok;
}

static bool run_uninstall(struct pip *p, struct err *e)
{
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = { .command = edit_command_line(p->c), .watch = &common_watch, .timings = &t };
    struct str_list names;
    struct str text = STR("");

    if (!add_file_names(p, e))
        return false;
    if (p->words.word.n == 0)
        return err_set(e, ERR_CONFIG, "no requirement to uninstall was given: at least one requirement is needed");
    if (!installed_names(p, &names, &text, e))
        return false;
    if (names.n == 0)
        return true;
    if (!confirm(p, text, e))
        return e->kind == ERR_NONE; /* answered with no */
    if (!sync_remove(&p->w, &names, &job, &o, e))
        return false;
    common_warnings(&p->w);
    for (size_t i = 0; i < o.apply.plan.n && !ui.quiet; i++) {
        const struct plan_step *s = &o.apply.plan.steps[i];

        if (s->kind == PLAN_REMOVE)
            ui_out("Found existing installation: " STR_FMT " " STR_FMT "\nUninstalling " STR_FMT "-" STR_FMT
                   ":\n  Successfully uninstalled " STR_FMT "-" STR_FMT "\n",
                   STR_ARG(s->have->name), STR_ARG(s->have->version), STR_ARG(s->have->name),
                   STR_ARG(s->have->version), STR_ARG(s->have->name), STR_ARG(s->have->version));
    }
    return true;
}

/* ------------------------------------------------------------ download */

static bool run_download(struct pip *p, struct err *e)
{
    struct timings t = { 0 };
    struct str dir = pip_words_value(&p->words, PIP_DEST);
    struct str_list names;

    if (p->words.word.n == 0 && p->r.requirement.n == 0)
        return err_set(e, ERR_CONFIG, "no requirement to download was given: at least one requirement is needed");
    struct env env;

    if (!env_layer_read(&p->w, &env, e))
        return false;
    bool ok = workspace_python_of(&p->w, &env, e) &&
              sync_download(&p->w, dir.p ? arena_cstr(p->c->a, dir) : ".", &common_watch, &t, &names, e);

    env_close(&env);
    if (!ok)
        return false;
    common_warnings(&p->w);
    for (size_t i = 0; i < names.n; i++)
        ui_note("Saved " STR_FMT, STR_ARG(names.p[i]));
    ui_out("Successfully downloaded");
    for (size_t i = 0; i < names.n; i++)
        ui_out(" " STR_FMT, STR_ARG(str_sub(names.p[i], 0, str_find(names.p[i], '-'))));
    ui_out("\n");
    return true;
}

/* ------------------------------------------------------------ the others */

static bool run_info(struct pip *p, struct err *e)
{
    struct env env;
    bool ok = false;

    if (!env_layer_read(&p->w, &env, e))
        return false;
    if (p->words.command == PIP_LIST)
        ok = pip_list(p->c, &p->w, &env, &p->words, e);
    else if (p->words.command == PIP_FREEZE)
        ok = pip_freeze(p->c, &env, &p->words, e);
    else if (p->words.command == PIP_SHOW)
        ok = pip_show(p->c, &p->w, &env, &p->words, e);
    else
        ok = pip_check(p->c, &p->w, &env, e);
    env_close(&env);
    return ok;
}

/* The pip of the interpreter, on this environment. Returns only when it cannot be started. */
static bool become_real(struct pip *p, struct err *e)
{
    struct options *o = &p->c->options;
    char **argv = ARENA_ARRAY(p->c->a, char *, o->words.n + 4);
    size_t n = 0;

    argv[n++] = arena_cstr(p->c->a, arena_printf(p->c->a, "%s/bin/python", p->w.env_path));
    argv[n++] = arena_cstr(p->c->a, STR("-c"));
    argv[n++] = arena_cstr(p->c->a, str_of(real_pip));
    for (size_t i = 1; i < o->words.n; i++)
        argv[n++] = arena_cstr(p->c->a, o->words.p[i]);
    if (!ui_flush())
        return err_sys(e, "write to standard output");
    (void)setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1", 0);
    (void)signal(SIGPIPE, SIG_DFL); /* ours alone: the command gets the usual one */
    execv(argv[0], argv);
    return err_sys(e, "run '%s'", argv[0]);
}

static bool is_blocked(struct pip *p, struct err *e)
{
    if (p->w.config.hooks_pip_mode != CONFIG_PIP_BLOCK)
        return false;
    (void)err_set(e, ERR_CONFIG, "pip is blocked in this project: [hooks] pip_mode (" STR_FMT ")",
                  STR_ARG(p->w.config.origin[CONFIG_KEY_hooks_pip_mode].text));
    (void)err_hint(e, "blast install NAME, blast remove NAME and blast list do the same with the project's files");
    return true;
}

static bool open_workspace(struct pip *p, struct err *e)
{
    struct str first = p->c->options.words.p[0];

    common_request(p->c, &p->r);
    p->r.actor = STR("pip");
    p->r.package = (struct str_list){ p->words.word.p, p->words.word.n };
    if (!common_open(p->c, &p->r, &p->w, e))
        return false;
    p->open = true;
    if (is_blocked(p, e))
        return false;
    if (str_eq(first, STR("--real")))
        return become_real(p, e);
    if (p->r.env.n == 0) { /* what is named, and nothing of the project's lists */
        p->r.env = str_of(p->w.env_path);
        p->w.foreign_env = true;
    }
    return true;
}

static bool run(struct pip *p, struct err *e)
{
    struct str first = p->c->options.words.p[0];

    if (!str_eq(first, STR("--real")) && !pip_words_read(p->c, &p->words, e))
        return false;
    if (p->words.help) {
        pip_words_help();
        return true;
    }
    if (!open_workspace(p, e))
        return false;
    if (p->words.command == PIP_INSTALL)
        return run_install(p, e);
    if (p->words.command == PIP_UNINSTALL)
        return run_uninstall(p, e);
    if (p->words.command == PIP_DOWNLOAD)
        return run_download(p, e);
    return run_info(p, e);
}

/* "pip 25.0 from PATH (python 3.11)": editors look for this. */
static bool say_version(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct env env;

    common_request(c, &r);
    if (!common_open(c, &r, &w, e) || !env_layer_read(&w, &env, e))
        return false;
    ui_out("pip " SPOKEN " from %s/pip.py (python %u.%u), answered by blast " BLAST_VERSION "\n",
           env_path(&env, env.site.p), env.python.major, env.python.minor);
    env_close(&env);
    return true;
}

bool cmd_pip(struct cmd *c, struct err *e)
{
    struct str first = c->options.words.n ? c->options.words.p[0] : STR("help");
    struct pip p = { .c = c };

    if (str_eq(first, STR("help")) || str_eq(first, STR("--help")) || str_eq(first, STR("-h"))) {
        pip_words_help();
        return true;
    }
    if (str_eq(first, STR("--version")) || str_eq(first, STR("-V")))
        return say_version(c, e) || fail(e);
    bool ok = run(&p, e);

    if (p.open)
        workspace_close(&p.w);
    return ok || fail(e);
}
