/* blast install: adds requirements to pyproject.toml and installs them; with --env only installs.
 *
 * Files given by -r join the words: in a project their requirements go into pyproject.toml too, for what is installed
 * without being written down would be gone at the next sync. Bounds given by -c hold for this one resolve; the lock
 * keeps the versions that they led to.
 */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "cli/ui.h"
#include "config/reqfile.h"

static bool into_environment(struct workspace *w, struct sync_job *job, struct sync_outcome *o, struct err *e)
{
    if (w->request->package.n == 0 && w->request->requirement.n == 0 && w->request->editable.n == 0) {
        (void)err_set(e, ERR_CONFIG, "nothing to install was named");
        return err_hint(e, "blast install --env DIR NAME..., or -r FILE");
    }
    job->no_lock = true;
    job->keep_others = true;
    return sync_run(w, job, o, e);
}

static void add_constraint(struct cmd *c, struct request *r, struct str file)
{
    struct str *all = ARENA_ARRAY(c->a, struct str, r->constraint.n + 1);

    for (size_t i = 0; i < r->constraint.n; i++) {
        if (str_eq(r->constraint.p[i], file))
            return;
        all[i] = r->constraint.p[i];
    }
    all[r->constraint.n] = file;
    r->constraint = (struct str_list){ all, r->constraint.n + 1 };
}

static void add_editable(struct cmd *c, struct request *r, struct str path)
{
    struct str *all = ARENA_ARRAY(c->a, struct str, r->editable.n + 1);

    for (size_t i = 0; i < r->editable.n; i++)
        all[i] = r->editable.p[i];
    all[r->editable.n] = path;
    r->editable = (struct str_list){ all, r->editable.n + 1 };
}

/* The requirements of -r files become words and editables; bounds in them stay bounds. */
static bool read_files(struct cmd *c, struct request *r, struct err *e)
{
    struct reqfile f = { 0 };

    for (size_t i = 0; i < r->requirement.n; i++)
        if (!reqfile_read(arena_cstr(c->a, r->requirement.p[i]), false, NULL, c->a, &f, e))
            return false;
    for (size_t i = 0; i < f.entries.n; i++) {
        const struct reqfile_entry *one = &f.entries.p[i];

        if (one->constraint)
            add_constraint(c, r, str_of(one->file));
        else if (one->kind == REQFILE_EDITABLE)
            add_editable(c, r, one->text);
        else
            VEC_PUSH_IN(c->a, &c->options.words, one->text);
    }
    if (f.index_url.n || f.extra_index_urls.n || f.find_links.n)
        ui_warn("the indexes that the file names are not used; give --index-url, or set [resolver] in blast.toml");
    r->requirement = (struct str_list){ NULL, 0 };
    return true;
}

static struct str command_line(struct cmd *c, const struct request *r)
{
    struct str line = edit_command_line(c);

    for (size_t i = 0; i < r->requirement.n; i++)
        line = arena_printf(c->a, STR_FMT " -r " STR_FMT, STR_ARG(line), STR_ARG(r->requirement.p[i]));
    return line;
}

/* The lock says what it was made from; the bounds of -c are not part of the project, so it is settled without them. */
static bool settle(struct workspace *w, struct request *r, const struct sync_job *job, struct err *e)
{
    struct sync_job again = *job;
    struct sync_outcome ignored;

    if (r->constraint.n == 0 || r->dry_run)
        return true;
    r->constraint = (struct str_list){ NULL, 0 };
    again.pyproject_old = (struct str){ NULL, 0 };
    again.pyproject_new = STR("");
    return sync_run(w, &again, &ignored, e);
}

bool cmd_install(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct sync_outcome o;
    struct sync_job job = { .watch = &common_watch, .timings = &t };

    common_request(c, &r);
    job.command = command_line(c, &r);
    if (r.env.n)
        r.package = (struct str_list){ c->options.words.p, c->options.words.n };
    else if (!read_files(c, &r, e))
        return false;
    if (!common_open(c, &r, &w, e))
        return false;
    bool ok = r.env.n ? into_environment(&w, &job, &o, e)
                      : edit_install(c, &w, &r, &job, &o, e) && settle(&w, &r, &job, e);

    if (!ok)
        return false;
    common_outcome(c, &w, &o, &t, begun);
    return true;
}
