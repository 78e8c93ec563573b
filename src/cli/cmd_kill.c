/* blast kill: leaves the environment and ends what was started in it; --purge deletes it. */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/err.h"
#include "base/file.h"
#include "cli/activate_cmd.h"
#include "cli/cell.h"
#include "cli/common.h"
#include "cli/daemon_link.h"
#include "cli/directive.h"
#include "cli/processes.h"
#include "cli/ui.h"
#include "env/env.h"
#include "env/registry.h"
#include "sync/audit.h"

struct killed {
    size_t ended, left; /* processes */
    size_t sandboxes;   /* ended with all that ran in them */
    bool purged, deactivated;
};

/* The environment of this shell rather than the one of the folder: that is what one wants to leave. Deleting is for
 * what one stands in, or has named. */
static bool choose(struct cmd *c, struct request *r, struct err *e)
{
    struct activate_told told = activate_told();

    common_request(c, r);
    if (r->project.n || !told.project.n)
        return true;
    if (option_flag(&c->options, OPT_PURGE)) {
        AUTO_WORKSPACE here = { 0 };

        if (!common_open(c, r, &here, e))
            return false;
        if (!str_eq(str_of(here.env_path), told.env)) {
            (void)err_set(e, ERR_CONFIG, "the environment of this shell is '" STR_FMT "', the one of this folder '%s'",
                          STR_ARG(told.env), here.env_path);
            return err_hint(e, "name the one to delete with --project");
        }
    }
    r->project = told.project;
    return true;
}

/* The project is gone; the shell can still be put right. */
static bool leave_what_is_gone(struct err *e)
{
    struct activate_told told = activate_told();

    if (!told.env.n || !directive_is_heard() || file_exists(AT_FDCWD, told.env.p))
        return false;
    ui_note("left '" STR_FMT "', which is not there any more", STR_ARG(told.env));
    return activate_leave_here(e);
}

static bool find(struct cmd *c, const struct workspace *w, struct processes *list, struct err *e)
{
    struct registry_env *known;
    struct str one = str_of(w->env_path), *env = &one;
    size_t n = 1;

    if (option_flag(&c->options, OPT_ALL)) {
        if (!registry_list(w->dirs.state, c->a, &known, &n, e))
            return false;
        env = ARENA_ARRAY(c->a, struct str, n + 1);
        for (size_t i = 0; i < n; i++)
            env[i] = known[i].path;
        env[n++] = one;
    }
    return processes_find(env, n, c->a, list, e);
}

/* Off a terminal kill means it: the word is explicit enough for a script. */
static bool may_end(const struct cmd *c, const struct processes *list, struct str inside)
{
    bool nothing = list->n == 0 && inside.n == 0;

    if (nothing || option_flag(&c->options, OPT_FORCE) || option_flag(&c->options, OPT_YES) || !ui.tty || ui.no_input)
        return true;
    struct str names = processes_text(list, c->a);

    if (list->n == 0)
        return ui_confirm(arena_printf(c->a, "end what runs in the sandbox (" STR_FMT ")?", STR_ARG(inside)).p);
    return ui_confirm(arena_printf(c->a, "end %zu process%s (" STR_FMT ")%s?", list->n, list->n == 1 ? "" : "es",
                                   STR_ARG(names), inside.n ? " and what runs in the sandbox" : "").p);
}

/* What runs in the project's sandboxes. */
static struct str inside_text(const struct workspace *w, struct arena *a)
{
    size_t cells;
    const struct cell_use *use = cell_look(w, a, &cells);
    struct str text = STR("");

    for (size_t i = 0; i < cells; i++)
        if (use[i].commands.n)
            text = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(text), text.n ? ", " : "", STR_ARG(use[i].commands));
    return text;
}

static void end_processes(const struct cmd *c, const struct workspace *w, struct processes *list, struct killed *k)
{
    struct str inside = inside_text(w, c->a);

    if (!may_end(c, list, inside)) {
        k->left = MAX(list->n, 1u);
        ui_note("left running: " STR_FMT, STR_ARG(list->n ? processes_text(list, c->a) : inside));
        return;
    }
    k->sandboxes = cell_stop(w, option_flag(&c->options, OPT_ALL));
    if (k->sandboxes)
        ui_note("ended the sandbox%s of the environment%s", k->sandboxes == 1 ? "" : "es",
                option_flag(&c->options, OPT_ALL) ? "s" : "");
    k->ended = list->n;
    processes_end(list);
    if (k->ended)
        ui_note("ended %zu process%s of the environment%s", k->ended, k->ended == 1 ? "" : "es",
                option_flag(&c->options, OPT_ALL) ? "s" : "");
}

static bool purge(struct cmd *c, struct workspace *w, const struct killed *k, struct err *e)
{
    if (k->left)
        return err_set(e, ERR_ENVIRONMENT, "%zu processes still use %s", k->left, w->env_path);
    if (!option_flag(&c->options, OPT_YES) && !ui_confirm(arena_printf(c->a, "delete %s?", w->env_path).p)) {
        (void)err_set(e, ERR_ENVIRONMENT, "deleting %s was not confirmed", w->env_path);
        return err_hint(e, "blast kill --purge --yes deletes without asking");
    }
    if (!w->foreign_env)
        daemon_forget(c, w);
    if (!file_remove_tree(AT_FDCWD, w->env_path, e))
        return err_as(e, ERR_ENVIRONMENT, "delete %s", w->env_path);
    audit_record(w, AUDIT_PURGED, 0, STR(""));
    ui_note("deleted %s; its history stays, blast start makes it again", w->env_path);
    return true;
}

static void print_json(const struct killed *k)
{
    struct json_result j;

    if (!ui.json)
        return;
    json_result_begin(&j, "blast.kill/1");
    json_write_member_u64(&j.w, "ended", k->ended);
    json_write_member_u64(&j.w, "left", k->left);
    json_write_member_u64(&j.w, "sandboxes", k->sandboxes);
    json_write_member_bool(&j.w, "deactivated", k->deactivated);
    json_write_member_bool(&j.w, "purged", k->purged);
    json_result_end(&j);
}

/* The session at the daemon ends with the shell in any case; here it ends while the shell goes on. */
static bool leave(const struct cmd *c, const struct workspace *w, struct killed *k, struct err *e)
{
    bool here = directive_is_heard() && (activate_is_active(w) || option_flag(&c->options, OPT_ALL));

    if (directive.pid)
        (void)daemon_session_end(c, w, directive.pid);
    if (here && !activate_leave_here(e))
        return false;
    k->deactivated = here;
    if (!here && activate_is_active(w))
        ui_note("it is active in this shell: leave it with `deactivate`");
    else if (!k->ended && !k->sandboxes && !k->left && !here)
        ui_note("nothing of the environment was running");
    return true;
}

/* The shell that start opened ends as if its terminal had gone, and its jobs with it. */
static void leave_subshell(const struct cmd *c, const struct workspace *w)
{
    pid_t shell = directive.pid ? (pid_t)directive.pid : getppid();

    (void)daemon_session_end(c, w, shell);
    ui_note("left the shell that blast start opened");
    (void)!ui_flush(); /* before the terminal is the other shell's again */
    (void)kill(shell, SIGHUP);
}

bool cmd_kill(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    AUTO_PROCESSES list = { 0 };
    struct killed k = { 0 };

    if (!common_no_words(c, e))
        return false;
    if (leave_what_is_gone(e))
        return true;
    if (!choose(c, &r, e) || !common_open(c, &r, &w, e))
        return false;
    if (!env_is_there(w.env_path) && !option_flag(&c->options, OPT_ALL)) {
        print_json(&k);
        ui_note("there is no environment at %s", w.env_path);
        return true;
    }
    if (!find(c, &w, &list, e))
        return false;
    end_processes(c, &w, &list, &k);
    bool subshell = activate_is_active(&w) && activate_is_subshell();

    if (!subshell && !leave(c, &w, &k, e))
        return false;
    if (option_flag(&c->options, OPT_PURGE) && !purge(c, &w, &k, e))
        return false;
    k.purged = option_flag(&c->options, OPT_PURGE);
    print_json(&k);
    if (subshell)
        leave_subshell(c, &w);
    return true;
}
