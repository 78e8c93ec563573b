/* blast status: the environment on one screen. Nothing is resolved, no process started, no page asked for. */
#include <fcntl.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/cell.h"
#include "cli/activate_cmd.h"
#include "cli/common.h"
#include "cli/daemon_link.h"
#include "cli/ui.h"
#include "codec/json.h"
#include "env/inuse.h"
#include "env/pin.h"
#include "env/status_file.h"
#include "sync/decision.h"
#include "sync/drift.h"
#include "sync/background.h"
#include "sync/env_layer.h"
#include "sync/inputs.h"
#include "sync/lockfile.h"
#include "sync/trust.h"

/* What the daemon says of this project. */
struct watched {
    bool daemon, project;
    uint64_t pid, sessions;
    struct str state, watch, message;
};

struct facts {
    bool there;
    struct env env;
    struct env_packages packages;
    struct generation generation;
    bool has_generation;
    struct str drift; /* what was changed by hand */
    struct str trouble;
    const char *state; /* one word: see state_text() */
    struct str not_enforced;
    struct cell_use *cells;
    size_t n_cells;
    struct trust trust;
    struct watched daemon;
    struct inuse *older; /* processes on older generations */
    size_t n_older;
    struct status_file last;
    struct decision *decisions; /* parked */
    size_t n_decisions;
    struct str notice; /* what the next prompt says */
    size_t wheels; /* in the store */
};

/* Does the lock fit the inputs, and the environment the lock? Resolves nothing. */
static const char *sync_state(struct workspace *w, struct facts *f)
{
    struct err e = { 0 };
    struct request r = *w->request;
    struct workspace look = *w;
    struct sync_outcome o;
    struct timings t = { 0 };
    struct sync_job job = { .command = STR("status"), .timings = &t, .check = true };
    uint32_t pinned;

    if (!f->there)
        return "missing";
    if (f->trouble.n)
        return "broken";
    if (workspace_python(w, &e) && (w->python.major != f->env.python.major || w->python.minor != f->env.python.minor))
        return "drifted"; /* another interpreter is asked for */
    err_clear(&e);
    if (!w->project.found && !w->where.has_requirements)
        return "bare";
    if (f->n_decisions)
        return "pending";
    if (pin_get(&f->env, &pinned))
        return "pinned";
    r.frozen = true;
    r.offline = true;
    look.request = &r;
    if (!sync_run(&look, &job, &o, &e))
        return e.kind == ERR_RESOLUTION ? "stale" : "drifted";
    return o.nothing_to_do || !o.would_change ? "synced" : "drifted";
}

static const char *state_text(const char *state)
{
    static const char *const text[][2] = {
        { "synced", "lock and environment are what the project asks for" },
        { "stale", "the lock does not fit the project; blast sync makes it anew" },
        { "drifted", "the environment is not what the project asks for; blast sync makes it so" },
        { "pending", "a decision is due; blast resolve shows the choices" },
        { "pinned", "an undo or rollback is in force; blast resume follows the project again" },
        { "missing", "there is no environment; blast start makes it" },
        { "broken", "blast doctor looks closer" },
        { "bare", "nothing says what should be installed; blast install NAME begins a project" },
    };

    for (size_t i = 0; i < COUNT(text); i++)
        if (strcmp(text[i][0], state) == 0)
            return text[i][1];
    return "";
}

/* ------------------------------------------------------------ around the environment */

static void read_project(struct json *j, struct watched *d)
{
    struct str key;

    if (!json_object_begin(j))
        return;
    d->project = true;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("state")))
            (void)json_string(j, &d->state);
        else if (str_eq(key, STR("watch")))
            (void)json_string(j, &d->watch);
        else if (str_eq(key, STR("sessions")))
            (void)json_u64(j, &d->sessions);
        else if (str_eq(key, STR("message")) && !json_take_null(j))
            (void)json_string(j, &d->message);
    }
}

/* Asked only when one runs; what it does not know of the project is no error. */
static void ask_daemon(struct cmd *c, const struct workspace *w, struct watched *out)
{
    AUTO_WIRE client = { .fd = -1 };
    AUTO_BUF params = { .limit = 64u << 10 };
    struct err ignored = { 0 };
    struct json_write jw;
    struct json j;
    struct str result, key;

    if (!daemon_link_allowed(c) || !wire_connect(&w->dirs, WIRE_IF_RUNNING, &client, &ignored) || client.fd < 0)
        return;
    out->daemon = true;
    out->pid = client.pid;
    json_write_init(&jw, &params, false);
    json_write_object_begin(&jw);
    json_write_member_cstr(&jw, "path", w->where.dir);
    json_write_object_end(&jw);
    if (!json_write_end(&jw) || !wire_call(&client, "project.status", buf_done(&params), c->a, &result, &ignored))
        return;
    json_init(&j, result, c->a, &ignored);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            if (str_eq(key, STR("project")))
                read_project(&j, out);
    if (!json_end(&j))
        out->project = false;
}

/* Entries, not bytes: adding these up would open every one. */
static size_t count_wheels(const struct workspace *w)
{
    AUTO_FD trees = -1;
    struct err ignored = { 0 };
    size_t n = 0;
    bool there;

    if (!fd_open_if_there(AT_FDCWD, arena_printf(w->a, "%s/trees-v1", w->dirs.store).p, O_RDONLY | O_DIRECTORY, &trees,
                          &there, &ignored) || !there)
        return 0;
    for (unsigned i = 0; i < 256; i++) {
        AUTO_FILE_LIST list = { NULL };
        const struct dirent *d;
        char name[3];

        (void)snprintf(name, sizeof name, "%02x", i);
        if (faccessat(trees, name, F_OK, 0) < 0 || !file_list_open(trees, name, &list, &ignored))
            continue;
        while (file_list_next(&list, &d, &ignored))
            n++;
    }
    return n;
}

static bool gather_env(struct cmd *c, struct workspace *w, struct facts *f, struct err *e)
{
    struct stamp_changes changes;
    struct err ignored = { 0 };
    bool there;

    if (!env_layer_read(w, &f->env, e))
        return false;
    f->there = true;
    if (!env_installed(&f->env, c->a, &f->packages, e))
        return false;
    f->trouble = env_trouble(&f->env);
    if (f->env.current && !generation_load(&f->env, f->env.current, c->a, &f->generation, &f->has_generation, e))
        return false;
    if (f->env.layout != ENV_GENERATIONS)
        return true;
    if (!inuse_list(&f->env, c->a, &f->older, &f->n_older, &ignored))
        f->n_older = 0; /* a machine that does not let us look */
    if (drift_look(w, &f->env, &changes, &ignored))
        f->drift = drift_text(w, &changes);
    return status_file_read(f->env.dir, c->a, &f->last, &there, e);
}

static bool gather(struct cmd *c, struct workspace *w, struct facts *f, struct err *e)
{
    struct err ignored = { 0 };

    f->not_enforced = env_layer_unenforced(w);
    f->cells = cell_look(w, c->a, &f->n_cells);
    if (env_is_there(w->env_path) && !gather_env(c, w, f, e))
        return false;
    if (f->there && !decision_list(w, &f->decisions, &f->n_decisions, &ignored))
        f->n_decisions = 0;
    if (f->last.word != STATUS_FAILED)
        f->notice = f->last.notice;
    f->state = sync_state(w, f);
    if (option_flag(&c->options, OPT_SHORT))
        return true;
    f->wheels = count_wheels(w);
    ask_daemon(c, w, &f->daemon);
    return trust_state(w, &f->trust, e);
}

/* ------------------------------------------------------------ printing */

static struct str age(struct arena *a, int64_t seconds)
{
    static const struct {
        int64_t n;
        const char *word;
    } units[] = { { 86400, "day" }, { 3600, "hour" }, { 60, "minute" } };

    for (size_t i = 0; i < COUNT(units); i++)
        if (seconds >= units[i].n)
            return arena_printf(a, "%lld %s%s ago", (long long)(seconds / units[i].n), units[i].word,
                                seconds / units[i].n == 1 ? "" : "s");
    return STR("just now");
}

static void line(const char *name, struct str value)
{
    ui_out("%s%-13s%s" STR_FMT "\n", ui_on(stdout, UI_BOLD), name, ui_on(stdout, UI_PLAIN), STR_ARG(value));
}

static void print_generation(struct arena *a, const struct facts *f)
{
    const struct generation *g = &f->generation;

    if (f->has_generation)
        line("generation", arena_printf(a, "%u  " STR_FMT "  " STR_FMT "%s" STR_FMT, g->seq,
                                        STR_ARG(age(a, clock_now() - g->created)), STR_ARG(g->reason.command),
                                        g->reason.why.n ? ": " : "", STR_ARG(g->reason.why)));
    else if (f->env.layout == ENV_PLAIN)
        line("generation", STR("none: made by another tool, changed in place, no undo"));
    for (size_t i = 0; i < f->n_older && i < 5; i++)
        line(i ? "" : "older", arena_printf(a, "process %d runs on generation %u: " STR_FMT "  (restart to use %u)",
                                            f->older[i].pid, f->older[i].generation, STR_ARG(f->older[i].command),
                                            f->env.current));
    if (f->n_older > 5)
        line("", arena_printf(a, "and %zu more; they see the new packages when started again", f->n_older - 5));
}

static void print_daemon(struct arena *a, const struct watched *d)
{
    if (!d->daemon)
        line("daemon", STR("none runs: nothing watches the project"));
    else if (!d->project)
        line("daemon", arena_printf(a, "pid %llu, does not look after this project", (unsigned long long)d->pid));
    else if (str_eq(d->watch, STR("off")))
        line("daemon", arena_printf(a, "pid %llu, does not watch: " STR_FMT, (unsigned long long)d->pid,
                                    STR_ARG(d->state)));
    else
        line("daemon", arena_printf(a, "pid %llu, " STR_FMT ", watching by " STR_FMT ", %llu session%s",
                                    (unsigned long long)d->pid, STR_ARG(d->state), STR_ARG(d->watch),
                                    (unsigned long long)d->sessions, d->sessions == 1 ? "" : "s"));
}

static const char *trust_text(const struct trust *t)
{
    if (t->foreign)
        return "the folder belongs to another user: never";
    switch (t->level) {
    case TRUST_NONE:
        return "none: nothing happens in the background";
    case TRUST_SYNC:
        return "packages of the project; it asks for nothing beyond the defaults";
    case TRUST_CHANGED:
        return "packages of the project; what it asks for beyond the defaults is not in force (blast trust)";
    case TRUST_FULL:
        return "full: what it asks for beyond the defaults was accepted";
    }
    return "";
}

static struct str cell_text(struct arena *a, const struct cell_use *u)
{
    if (u->commands.n == 0)
        return STR("nothing; the sandbox stays for the shells in which the environment is active");
    return arena_printf(a, STR_FMT "  in the sandbox: %llu processes, %.1f MB, %.1f s of processor",
                        STR_ARG(u->commands), (unsigned long long)u->processes, (double)u->memory / 1e6,
                        (double)u->cpu_us / 1e6);
}

static void print_text(struct cmd *c, const struct workspace *w, const struct facts *f)
{
    struct arena *a = c->a;

    line("project", arena_printf(a, STR_FMT "  %s", STR_ARG(workspace_name(w)), w->where.dir));
    line("environment", f->there ? arena_printf(a, "%s%s", w->env_path, activate_is_active(w) ? "  (active)" : "")
                                 : STR("none; make it with blast start"));
    if (f->there) {
        line("python", arena_printf(a, STR_FMT "  " STR_FMT, STR_ARG(f->env.python.version),
                                    STR_ARG(f->env.python.executable)));
        line("packages", arena_printf(a, "%zu", f->packages.n));
        print_generation(a, f);
    }
    line("state", arena_printf(a, "%s  %s", f->state, state_text(f->state)));
    if (f->trouble.n)
        line("trouble", f->trouble);
    for (size_t i = 0; i < f->n_decisions; i++)
        line("to decide", decision_notice(&f->decisions[i], 0, a));
    if (f->notice.n && f->n_decisions == 0) /* the news is a decision then */
        line("news", f->notice);
    if (f->drift.n)
        line("by hand", arena_printf(a, STR_FMT "; blast drift says what can be done", STR_ARG(f->drift)));
    if (f->last.word == STATUS_FAILED)
        line("last error", f->last.notice.n ? f->last.notice : STR("the last background sync went wrong"));
    print_daemon(a, &f->daemon);
    line("sandbox", f->not_enforced.n
                        ? arena_printf(a, STR_FMT " are inside; outside: " STR_FMT,
                                       STR_ARG(env_layer_enforced(w)), STR_ARG(f->not_enforced))
                        : w->config.found ? STR("all that blast.toml asks for is enforced")
                                          : STR("no blast.toml: nothing is asked for, nothing is enforced"));
    for (size_t i = 0; i < f->n_cells; i++)
        line(i ? "" : "running", cell_text(a, &f->cells[i]));
    line("trust", str_of(trust_text(&f->trust)));
    line("store", arena_printf(a, "%zu wheel%s (blast cache size measures it)", f->wheels, f->wheels == 1 ? "" : "s"));
}

static void json_daemon(struct json_write *j, const struct watched *d)
{
    json_write_key(j, STR("daemon"));
    if (!d->daemon) {
        json_write_null(j);
        return;
    }
    json_write_object_begin(j);
    json_write_member_u64(j, "pid", d->pid);
    json_write_member_bool(j, "watches", d->project);
    json_write_member(j, "state", d->state);
    json_write_member(j, "watch", d->watch);
    json_write_member_u64(j, "sessions", d->sessions);
    json_write_member(j, "message", d->message);
    json_write_object_end(j);
}

static void json_older(struct json_write *j, const struct facts *f)
{
    json_write_key(j, STR("older_processes"));
    json_write_array_begin(j);
    for (size_t i = 0; i < f->n_older; i++) {
        json_write_object_begin(j);
        json_write_member_u64(j, "pid", (uint64_t)f->older[i].pid);
        json_write_member_u64(j, "generation", f->older[i].generation);
        json_write_member(j, "command", f->older[i].command);
        json_write_object_end(j);
    }
    json_write_array_end(j);
}

static void print_json(const struct workspace *w, const struct facts *f)
{
    static const char *const trust[] = { [TRUST_NONE] = "none", [TRUST_SYNC] = "sync", [TRUST_CHANGED] = "changed",
                                         [TRUST_FULL] = "full" };
    struct json_result r;
    char when[CLOCK_TEXT];

    clock_format(f->generation.created, when);
    json_result_begin(&r, "blast.status/1");
    json_write_member(&r.w, "project", workspace_name(w));
    json_write_member_cstr(&r.w, "directory", w->where.dir);
    json_write_member_cstr(&r.w, "environment", f->there ? w->env_path : NULL);
    json_write_member_bool(&r.w, "active", activate_is_active(w));
    json_write_member(&r.w, "python", f->there ? f->env.python.version : STR(""));
    json_write_member_u64(&r.w, "packages", f->packages.n);
    json_write_member_u64(&r.w, "generation", f->there ? f->env.current : 0);
    json_write_member_cstr(&r.w, "created", f->has_generation ? when : NULL);
    json_write_member_cstr(&r.w, "state", f->state);
    json_write_member(&r.w, "trouble", f->trouble);
    json_write_member_u64(&r.w, "decisions", f->n_decisions);
    json_write_member(&r.w, "notice", f->notice);
    json_write_member(&r.w, "drift", f->drift);
    json_write_key(&r.w, STR("older"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < f->n_older; i++) {
        json_write_object_begin(&r.w);
        json_write_member_u64(&r.w, "pid", (uint64_t)f->older[i].pid);
        json_write_member_u64(&r.w, "generation", f->older[i].generation);
        json_write_member(&r.w, "command", f->older[i].command);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_write_member(&r.w, "last_error", f->last.word == STATUS_FAILED ? f->last.notice : STR(""));
    json_write_member_cstr(&r.w, "trust", trust[f->trust.level]);
    json_write_member(&r.w, "enforced", env_layer_enforced(w));
    json_write_member(&r.w, "not_enforced", f->not_enforced);
    json_write_key(&r.w, STR("sandboxes"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < f->n_cells; i++)
        json_write_raw(&r.w, f->cells[i].json);
    json_write_array_end(&r.w);
    json_write_member_u64(&r.w, "store_wheels", f->wheels);
    json_older(&r.w, f);
    json_daemon(&r.w, &f->daemon);
    json_result_end(&r);
}

bool cmd_status(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct facts f = { .trouble = STR_INIT(""), .drift = STR_INIT("") };

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !gather(c, &w, &f, e))
        return false;
    common_warnings(&w);
    if (ui.json)
        print_json(&w, &f);
    else if (option_flag(&c->options, OPT_SHORT))
        ui_out(STR_FMT " @%u %s\n", STR_ARG(workspace_name(&w)), f.there ? f.env.current : 0, f.state);
    else
        print_text(c, &w, &f);
    if (f.there)
        env_close(&f.env);
    return true;
}
