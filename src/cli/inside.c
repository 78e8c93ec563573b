#include "cli/inside.h"

#include <limits.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "cli/cell.h"
#include "cli/common.h"
#include "cli/observe.h"
#include "cli/outside.h"
#include "cli/ui.h"
#include "jail/compile.h"
#include "jail/run.h"
#include "sync/trust.h"

#define MARK "BLAST_SANDBOX" /* the environment whose sandbox it is */

bool inside_wanted(struct cmd *c, struct workspace *w, bool *wanted, struct err *e)
{
    struct trust trust;

    *wanted = jail_is_wanted(&w->config);
    if (!*wanted || !option_flag(&c->options, OPT_NO_SANDBOX))
        return true;
    *wanted = false;
    if (w->config.security_default_policy == CONFIG_POLICY_PERMISSIVE)
        return true;
    if (!trust_state(w, &trust, e))
        return false;
    if (trust.level == TRUST_FULL && trust.full)
        return true;
    (void)err_set(e, ERR_CONFIG, "--no-sandbox is for projects with a permissive policy, or that you trust");
    (void)err_hint(e, "blast trust, or [security] default_policy = \"permissive\"");
    return err_exit(e, 5);
}

/* ------------------------------------------------------------ the policy */

/* The directory above the one of the interpreter holds its library; where that would be the home directory or the root,
 * only what Python keeps there. */
static void add_prefix(struct arena *a, const char *executable, const char *home, const char *out[8], size_t *n)
{
    struct str path = str_of(executable), bin = str_sub(path, 0, str_rfind(path, '/'));
    size_t cut = str_rfind(bin, '/');
    struct str prefix = cut < bin.n ? str_sub(bin, 0, cut) : STR("");

    if (*n + 3 >= 8 || bin.n == path.n || bin.n == 0)
        return;
    if (prefix.n == 0 || str_eq(prefix, str_of(home))) {
        out[(*n)++] = arena_cstr(a, bin);
        out[(*n)++] = arena_printf(a, STR_FMT "/lib", STR_ARG(prefix)).p;
    } else {
        out[(*n)++] = arena_cstr(a, prefix);
    }
}

/* What the environment's python is, by the link in it and by the file that it ends at. */
static void find_interpreter(struct cmd *c, const struct workspace *w, const char *out[8])
{
    char real[PATH_MAX], link[PATH_MAX];
    const char *python = arena_printf(c->a, "%s/bin/python", w->env_path).p;
    ssize_t k = readlink(python, link, sizeof link - 1);
    size_t n = 0;

    if (k > 0 && link[0] == '/')
        add_prefix(c->a, arena_text(c->a, link, (size_t)k), w->dirs.home, out, &n);
    if (realpath(python, real))
        add_prefix(c->a, real, w->dirs.home, out, &n);
    out[n] = NULL;
}

bool inside_policy(struct cmd *c, const struct workspace *w, struct jail_policy *out, struct err *e)
{
    const char *interpreter[8] = { NULL };
    struct jail_place at = {
        .project = w->where.dir,
        .environment = w->env_path,
        .store = w->dirs.store,
        .home = w->dirs.home,
        .keep = arena_printf(c->a, "%s/" CELL_DIR, w->dirs.state).p,
        .interpreter = interpreter,
        .index_hosts = outside_index_hosts(c, w),
    };

    find_interpreter(c, w, interpreter);
    return jail_compile(&w->config, &at, c->a, out, e) && observe_policy(c, w, out, e);
}

/* ------------------------------------------------------------ what is said */

/* Behind what is said while the launcher holds the terminal raw: there a line end does not go back to the left. */
static const char *line_end(void)
{
    return ui.tty ? "\r" : "";
}

static void list_rows(struct buf *b, const struct jail_report *r, enum jail_state state)
{
    unsigned n = 0;

    for (unsigned s = 0; s < JAIL_SETTING_COUNT; s++)
        if (r->row[s].state == state)
            (void)buf_printf(b, "%s%s", n++ ? ", " : "", jail_setting_name((enum jail_setting)s));
}

struct str inside_summary(struct arena *a, const struct jail_policy *p, const struct jail_report *r)
{
    AUTO_BUF lacks = { .limit = 1024 };

    list_rows(&lacks, r, JAIL_NOT_ENFORCED);
    return arena_printf(a, "%s, network %s%s" STR_FMT, jail_level_word(r->level), jail_network_word(p->network),
                        lacks.n ? "; not enforced: " : "", STR_ARG(buf_done(&lacks)));
}

struct running {
    const struct jail_policy *p;
    bool made; /* else it was said when it was */
};

static void say(void *ctx, const struct jail_report *r)
{
    const struct running *run = ctx;
    const struct jail_policy *p = run->p;

    if (!run->made)
        return;
    if (r->level != p->level)
        ui_warn("the sandbox is at level %s, not %s: %s%s", jail_level_word(r->level), jail_level_word(p->level),
                r->row[JAIL_SET_ISOLATION].reason, line_end());
    for (unsigned s = 0; s < JAIL_SETTING_COUNT; s++) {
        const struct jail_row *row = &r->row[s];

        if (row->state == JAIL_NOT_ENFORCED && s != JAIL_SET_ISOLATION)
            ui_note("sandbox: %s is not enforced: %s%s", jail_setting_name((enum jail_setting)s),
                    row->reason ? row->reason : "no mechanism here", line_end());
    }
}

/* ------------------------------------------------------------ running */

/* Where we are, if that is shown inside; else the project. */
static const char *directory_inside(struct cmd *c, const struct workspace *w, const struct jail_policy *p)
{
    char here[PATH_MAX];

    if (!getcwd(here, sizeof here))
        return w->where.dir;
    for (size_t i = p->n_paths; i-- > 0;) {
        const struct jail_path *x = &p->path[i];

        if (!jail_path_within(str_of(here), x->path) || x->access == JAIL_LINK)
            continue;
        if (x->access == JAIL_READ || x->access == JAIL_WRITE || x->access == JAIL_OVERLAY)
            return arena_cstr(c->a, str_of(here));
        break;
    }
    if (!p->files)
        return arena_cstr(c->a, str_of(here));
    ui_note("sandbox: '%s' is not shown in it, the command starts in '%s'", here, w->where.dir);
    return w->where.dir;
}

bool inside_is(const struct workspace *w)
{
    const char *env = getenv(MARK);

    /* A variable alone takes nobody out of the sandbox: what runs in one can gain no privileges. */
    return env && strcmp(env, w->env_path) == 0 && prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) == 1;
}

/* What activation sets, and the mark for a blast that is called inside. */
static const char *const *variables(struct cmd *c, const struct workspace *w, const char *const *more,
                                    const char *track)
{
    size_t n = 4;

    for (const char *const *v = more; v && *v; v++)
        n++;
    const char **add = ARENA_ARRAY(c->a, const char *, n + 2);

    add[0] = arena_printf(c->a, "PATH=%s/bin:/usr/local/bin:/usr/bin:/bin", w->env_path).p;
    add[1] = arena_printf(c->a, "VIRTUAL_ENV=%s", w->env_path).p;
    add[2] = arena_printf(c->a, "VIRTUAL_ENV_PROMPT=" STR_FMT, STR_ARG(workspace_name(w))).p;
    add[3] = arena_printf(c->a, MARK "=%s", w->env_path).p;
    for (size_t i = 4; i < n; i++)
        add[i] = more[i - 4];
    add[n++] = track; /* or the end */
    add[n] = NULL;
    return add;
}

bool inside_run(struct cmd *c, struct workspace *w, char *const *argv, const char *const *more, struct err *e)
{
    struct jail_policy p;
    struct jail_result r;
    struct running running = { &p, false };
    AUTO_OBSERVE o = { 0 };
    struct err ignored = { 0 }; /* the command ran: its exit code counts */
    const char *track = NULL;

    if (!inside_policy(c, w, &p, e))
        return false;
    observe_init(&o, w, c->a, &p);
    if (!observe_begin(&o, &track, e))
        return false;
    struct jail_command command = {
        .argv = (const char *const *)(uintptr_t)argv,
        .env = jail_environment(&p, (const char *const *)(uintptr_t)environ, variables(c, w, more, track), c->a),
        .cwd = directory_inside(c, w, &p),
        .fd = { 0, 1, 2 },
        .reported = say,
        .ctx = &running,
        .foreground = true,
    };
    struct cell_job job = { &p, &command, &running.made };
    bool ok = cell_run(c, w, &job, &r, e);

    c->exit_code = r.code;
    if (ok && r.limit)
        ui_warn("'%s' was ended by the sandbox: %s", argv[0], r.limit);
    if (!observe_end(&o, c, &ignored))
        ui_warn("%.*s", (int)ignored.n, ignored.text);
    return ok;
}
