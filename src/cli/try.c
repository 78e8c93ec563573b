#include "cli/try.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "cli/cli.h"
#include "cli/ui.h"
#include "env/env.h"
#include "install/trial.h"

/* In the child. */
static _Noreturn void become(const char *view, const char *path, char *const *argv)
{
    int why = ENOENT;

    (void)signal(SIGPIPE, SIG_DFL); /* ours alone: the command gets the usual one */
    if (ui.json)
        (void)dup2(STDERR_FILENO, STDOUT_FILENO); /* standard output is for the result */
    if (setenv("VIRTUAL_ENV", view, 1) == 0 && setenv("PATH", path, 1) == 0 && unsetenv("PYTHONHOME") == 0) {
        (void)execvp(argv[0], argv);
        why = errno;
    }
    (void)dprintf(STDERR_FILENO, "blast: run '%s': %s\n", argv[0], strerror(why));
    _exit(why == ENOENT ? 127 : 126);
}

bool try_run(struct cmd *c, const char *view, char *const *argv, int *status, struct err *e)
{
    const char *old = getenv("PATH");
    struct str path = arena_printf(c->a, "%s/bin:%s", view, old ? old : "/usr/local/bin:/usr/bin:/bin");
    int s;

    if (!ui_flush())
        return err_sys(e, "write to standard output");
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "start '%s'", argv[0]);
    if (pid == 0)
        become(view, path.p, argv);
    while (waitpid(pid, &s, 0) < 0)
        if (errno != EINTR)
            return err_sys(e, "wait for '%s'", argv[0]);
    *status = WIFEXITED(s) ? WEXITSTATUS(s) : 128 + WTERMSIG(s);
    return true;
}

bool try_tree(void *ctx, struct env *env, const char *tree, struct err *e)
{
    struct try_job *t = ctx;
    struct str view = arena_printf(t->c->a, "%s/" TRIAL_VIEW, tree);
    char *argv[] = { (char[]){ "sh" }, (char[]){ "-c" }, arena_cstr(t->c->a, t->command), NULL };
    int status;

    if (!trial_view(env, tree, view.p, e) ||
        !try_run(t->c, arena_printf(t->c->a, "%s/" STR_FMT, env->path, STR_ARG(view)).p, argv, &status, e))
        return false;
    if (status == 0) {
        ui_note("the trial ended with 0: " STR_FMT, STR_ARG(t->command));
        return true;
    }
    return err_set(e, ERR_ENVIRONMENT, "the trial '" STR_FMT "' ended with %d", STR_ARG(t->command), status);
}

void try_keep_view(struct try_job *t, struct env *env)
{
    struct str tree = arena_printf(t->c->a, ".gen/%u", t->aside);
    struct err ignored = { 0 };

    (void)!trial_view(env, tree.p, arena_printf(t->c->a, STR_FMT "/" TRIAL_VIEW, STR_ARG(tree)).p, &ignored);
}

void try_explain(struct try_job *t, const char *env_path, struct err *e)
{
    struct err ignored = { 0 };
    struct env env;

    if (!t->aside)
        return;
    if (env_open(env_path, NULL, &env, &ignored)) {
        try_keep_view(t, &env);
        env_close(&env);
    }
    (void)err_hint(e, "nothing changed; the new state is kept as %u: blast diff @ %u shows it, "
                      "%s/.gen/%u/" TRIAL_VIEW "/bin/python runs in it, blast rollback %u takes it all the same",
                   t->aside, t->aside, env_path, t->aside, t->aside);
}
