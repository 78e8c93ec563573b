/* blast run: a command in the environment: same terminal, same signals, its own exit code. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/err.h"
#include "cli/common.h"
#include "cli/inside.h"
#include "cli/settle.h"
#include "cli/ui.h"
#include "sync/env_layer.h"

/* What activation sets, for the child only. */
static bool enter(struct cmd *c, const struct workspace *w, struct err *e)
{
    const char *path = getenv("PATH");
    struct str bin = arena_printf(c->a, "%s/bin:%s", w->env_path, path ? path : "/usr/local/bin:/usr/bin:/bin");

    if (setenv("VIRTUAL_ENV", w->env_path, 1) < 0 || setenv("PATH", bin.p, 1) < 0 || unsetenv("PYTHONHOME") < 0 ||
        setenv("VIRTUAL_ENV_PROMPT", arena_cstr(c->a, workspace_name(w)), 1) < 0)
        return err_sys(e, "set the environment of the command");
    return true;
}

static bool sync_first(struct cmd *c, struct workspace *w, struct err *e)
{
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = { .command = STR("run"), .leave_hand = true, .watch = &common_watch, .timings = &t };

    uint32_t seq;

    if (!w->project.found && !w->where.has_requirements && env_is_there(w->env_path))
        return true; /* nothing says what it should be */
    if (common_pinned(w, &seq)) {
        ui_note("generation %u stays, as an undo or rollback left it; blast sync follows the project again", seq);
        return true;
    }
    if (settle_leaves(w))
        return true;
    if (!settle_sync(c, w, true, &job, &o, e))
        return false;
    const struct plan *p = &o.apply.plan;

    if (p->add + p->remove + p->replace)
        ui_note("synced the environment: " STR_FMT, STR_ARG(common_counts(w->a, p)));
    return true;
}

bool cmd_run(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    size_t n = c->options.words.n;

    common_request(c, &r);
    if (n == 0) {
        (void)err_set(e, ERR_CONFIG, "no command to run was given");
        (void)err_hint(e, "blast run python app.py");
        return err_exit(e, 125);
    }
    if (!common_open(c, &r, &w, e) || !common_check_lists(c, &w, e))
        return err_exit(e, 125);
    bool within = inside_is(&w); /* called by what runs in the sandbox already */
    bool ready = within || option_flag(&c->options, OPT_NO_SYNC) ? env_is_there(w.env_path) : sync_first(c, &w, e);

    if (!ready && e->kind == ERR_NONE) {
        (void)err_set(e, ERR_ENVIRONMENT, "there is no environment at '%s'", w.env_path);
        (void)err_hint(e, "make it with: blast start");
    }
    if (!ready || !enter(c, &w, e))
        return err_exit(e, 125);
    bool inside = false;

    if (!within && !inside_wanted(c, &w, &inside, e))
        return false;
    common_warnings(&w);
    char **argv = ARENA_ARRAY(c->a, char *, n + 1);

    for (size_t i = 0; i < n; i++)
        argv[i] = arena_cstr(c->a, c->options.words.p[i]);
    if (!ui_flush())
        return err_sys(e, "write to standard output") || err_exit(e, 125);
    if (!inside && option_flag(&c->options, OPT_LEARN)) {
        (void)err_set(e, ERR_CONFIG, "--learn needs a sandbox, and this command runs in none");
        (void)err_hint(e, "a blast.toml makes one: blast init");
        return err_exit(e, 125);
    }
    if (inside)
        return inside_run(c, &w, argv, NULL, e);
    (void)signal(SIGPIPE, SIG_DFL); /* ours alone: the command gets the usual one */
    execvp(argv[0], argv);
    int why = errno;

    (void)err_sys(e, "run '%s'", argv[0]);
    return err_exit(e, why == ENOENT ? 127 : 126);
}
