#include "cli/edit.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/settle.h"
#include "cli/ui.h"
#include "codec/toml_edit.h"
#include "config/project.h"
#include "net/url.h"
#include "pep/name.h"
#include "pep/req.h"
#include "sync/inputs.h"
#include "sync/journal.h"
#include "sync/origin.h"

#define FILE_NAME "pyproject.toml"

struct str edit_command_line(const struct cmd *c)
{
    struct str line = str_of(c->command->name);

    for (size_t i = 0; i < c->options.words.n; i++)
        line = arena_printf(c->a, STR_FMT " " STR_FMT, STR_ARG(line), STR_ARG(c->options.words.p[i]));
    return line;
}

/* The file's text, or that of a new one: with the requirements of requirements.txt when the project has that. */
static bool begin(struct cmd *c, struct workspace *w, struct toml_edit *ed, struct str *old, struct err *e)
{
    if (!fd_read_if_there(w->dir, FILE_NAME, PROJECT_FILE_MAX, c->a, old, e))
        return err_as(e, ERR_CONFIG, "read " FILE_NAME);
    *ed = (struct toml_edit){ .a = c->a, .name = FILE_NAME, .text = *old };
    if (old->p)
        return true;
    ed->text = STR("");
    if (!project_ensure(ed, workspace_name(w), STR(""), e))
        return false;
    if (!w->where.has_requirements)
        return true;
    struct inputs in;

    if (!workspace_python(w, e) || !inputs_gather(w, &in, e))
        return false;
    for (size_t i = 0; i < in.roots.n; i++)
        if (!in.roots.p[i].constraint &&
            !project_add_requirement(ed, (struct project_target){ .where = PROJECT_DEPENDENCIES }, in.roots.p[i].text,
                                     NULL, e))
            return false;
    ui_note("the requirements of requirements.txt go into a new " FILE_NAME);
    return true;
}

/* Makes the workspace see the edited text. */
static bool look_at(struct cmd *c, struct workspace *w, struct str text, struct err *e)
{
    return project_parse(text, FILE_NAME, c->a, &w->project, e);
}

static struct project_target target_of(const struct cmd *c)
{
    struct str extra = option_value(&c->options, OPT_OPTIONAL), group = option_value(&c->options, OPT_GROUP);

    if (option_flag(&c->options, OPT_DEV))
        return (struct project_target){ .where = PROJECT_GROUP, .name = STR("dev") };
    if (extra.p)
        return (struct project_target){ .where = PROJECT_EXTRA, .name = extra };
    if (group.p)
        return (struct project_target){ .where = PROJECT_GROUP, .name = group };
    return (struct project_target){ .where = PROJECT_DEPENDENCIES };
}

/* "./dir", "x.tar.gz", "git+https://...": names that only looking can tell. A path that is no wheel must begin like one
 * or hold a '/'. */
static bool is_unnamed(struct str word)
{
    struct str path, extras;

    origin_split_extras(word, &path, &extras);
    return url_is(path) || str_find(path, '/') < MIN(path.n, str_find(path, '@')) || str_eq(path, STR(".")) ||
           str_eq(path, STR(".."));
}

/* Words without a name get one; `name @ ./dir` is no requirement, so a directory is named by itself. */
static bool name_words(struct cmd *c, struct workspace *w, struct err *e)
{
    for (size_t i = 0; i < c->options.words.n; i++) {
        struct str *word = &c->options.words.p[i];

        if (is_unnamed(*word) && !origin_requirement(w, *word, false, word, e))
            return err_wrap(e, "install '" STR_FMT "'", STR_ARG(*word));
    }
    return true;
}

static bool check_words(struct cmd *c, struct err *e)
{
    for (size_t i = 0; i < c->options.words.n; i++) {
        struct req q;

        if (!req_parse(c->a, c->options.words.p[i], &q, e)) {
            (void)err_as(e, ERR_CONFIG, "'" STR_FMT "' is no requirement", STR_ARG(c->options.words.p[i]));
            return err_hint(e, "write a name with optional bounds, such as 'httpx>=0.27'");
        }
    }
    return true;
}

static bool add_all(struct cmd *c, struct toml_edit *ed, struct err *e)
{
    for (size_t i = 0; i < c->options.words.n; i++)
        if (!project_add_requirement(ed, target_of(c), c->options.words.p[i], NULL, e))
            return false;
    return true;
}

/* name[extras]>=version; marker, for requirements given without a version. */
static struct str with_bound(struct cmd *c, const struct req *q, struct str version)
{
    struct req r = *q;
    struct err ignored;

    version = str_sub(version, 0, str_find(version, '+')); /* >= takes no local part */
    r.spec_text = arena_printf(c->a, ">=" STR_FMT, STR_ARG(version));
    if (!spec_parse(r.spec_text, c->a, &r.spec, &ignored))
        return STR("");
    return req_text(c->a, &r);
}

static bool add_bounds(struct cmd *c, struct toml_edit *ed, const struct lock *lock, struct err *e)
{
    for (size_t i = 0; i < c->options.words.n; i++) {
        struct req q;
        const struct lock_package *p;

        if (!req_parse(c->a, c->options.words.p[i], &q, e))
            return false;
        if (q.spec.n || q.url.n || !(p = lock_find(lock, q.key)))
            continue;
        struct str bound = with_bound(c, &q, p->version);

        if (bound.n && !project_add_requirement(ed, target_of(c), bound, NULL, e))
            return false;
    }
    return true;
}

/* The directories of -e go into [tool.blast] editable, as they were written when they are relative to the project. */
static bool add_editables(struct workspace *w, struct toml_edit *ed, struct err *e)
{
    const struct str_list *all = &w->request->editable;

    for (size_t i = 0; i < all->n; i++) {
        struct str text, path, extras;
        struct req q;

        if (!origin_requirement(w, all->p[i], true, &text, e) || !req_parse(w->a, text, &q, e))
            return err_wrap(e, "install '" STR_FMT "' editable", STR_ARG(all->p[i]));
        const struct origin *o = origin_find(w, q.url);

        if (o && o->own)
            return err_set(e, ERR_CONFIG, "'" STR_FMT "' is the project itself, which is installed editable as soon as "
                           "its pyproject.toml has [build-system]", STR_ARG(all->p[i]));
        origin_split_extras(all->p[i], &path, &extras);
        path = arena_printf(w->a, STR_FMT STR_FMT, STR_ARG(origin_path_in_lock(w, o->tree)), STR_ARG(extras));
        if (!project_add_editable(ed, q.name, path, e))
            return false;
    }
    return true;
}

/* Resolves with what the edited file says, without writing anything. */
static bool try_lock(struct workspace *w, struct sync_job *job, struct lockfile *l, struct err *e)
{
    struct inputs in;
    AUTO_PKG_NET net;
    struct pkg_job pkg = { w, &in, &net, job->watch, job->timings };

    pkg_net_init(&net, w);
    return workspace_python(w, e) && inputs_gather(w, &in, e) && lockfile_make(&pkg, NULL, l, e) &&
           lockfile_load(w, l, e);
}

/* The message speaks of lines of pyproject.toml that were never written. */
static bool nothing_changed(const struct cmd *c, struct err *e)
{
    const char *hint = arena_printf(c->a, *e->hint ? "%s (nothing was changed)" : "%snothing was changed", e->hint).p;

    return err_hint(e, "%s", hint);
}

bool edit_install(struct cmd *c, struct workspace *w, struct request *r, struct sync_job *job,
                  struct sync_outcome *out, struct err *e)
{
    AUTO_FD lock = -1; /* two changes at once: the second sees what the first wrote */
    struct toml_edit ed;
    struct lockfile l;

    if (c->options.words.n == 0 && w->request->editable.n == 0)
        return sync_run(w, job, out, e);
    if (!name_words(c, w, e) || !check_words(c, e) || !journal_lock(w, &lock, e) ||
        !begin(c, w, &ed, &job->pyproject_old, e) || !add_all(c, &ed, e) || !add_editables(w, &ed, e) ||
        !look_at(c, w, ed.text, e))
        return false;
    if (!try_lock(w, job, &l, e))
        return settle_conflict(c, w, ed.text, job, out, e) || (e->kind == ERR_RESOLUTION && nothing_changed(c, e));
    r->refresh = false; /* the pages came just now; the second resolve only takes the bounds in */
    if (!add_bounds(c, &ed, &l.lock, e) || !look_at(c, w, ed.text, e))
        return false;
    job->pyproject_new = ed.text;
    if (job->pyproject_old.p && str_eq(job->pyproject_old, ed.text))
        job->pyproject_new = STR("");
    return sync_run(w, job, out, e);
}

static void add_names(struct arena *a, const struct project_list *l, struct str *all, size_t *n)
{
    for (size_t i = 0; i < l->reqs.n; i++) {
        struct err ignored = { 0 };
        struct req q;

        if (req_parse(a, l->reqs.p[i].text, &q, &ignored))
            all[(*n)++] = q.name;
    }
}

/* The direct requirement, of whatever list, whose name is spelt nearly so. */
static struct str near_requirement(struct workspace *w, struct str name)
{
    const struct project *p = &w->project;
    size_t n = 0, room = p->dependencies.reqs.n;

    for (size_t i = 0; i < p->extras.n; i++)
        room += p->extras.p[i].reqs.n;
    for (size_t i = 0; i < p->groups.n; i++)
        room += p->groups.p[i].reqs.n;
    struct str *all = ARENA_ARRAY(w->a, struct str, room);

    add_names(w->a, &p->dependencies, all, &n);
    for (size_t i = 0; i < p->extras.n; i++)
        add_names(w->a, &p->extras.p[i], all, &n);
    for (size_t i = 0; i < p->groups.n; i++)
        add_names(w->a, &p->groups.p[i], all, &n);
    return common_nearest(w->a, name, all, n);
}

static bool remove_name(struct workspace *w, struct toml_edit *ed, struct str name, struct err *e)
{
    unsigned total = 0, n = 0;

    if (!project_remove_requirement(ed, (struct project_target){ .where = PROJECT_DEPENDENCIES }, name, &n, e))
        return false;
    total += n;
    for (size_t i = 0; i < w->project.extras.n; i++) {
        struct project_target t = { .where = PROJECT_EXTRA, .name = w->project.extras.p[i].name };

        if (!project_remove_requirement(ed, t, name, &n, e))
            return false;
        total += n;
    }
    for (size_t i = 0; i < w->project.groups.n; i++) {
        struct project_target t = { .where = PROJECT_GROUP, .name = w->project.groups.p[i].name };

        if (!project_remove_requirement(ed, t, name, &n, e))
            return false;
        total += n;
    }
    bool removed = false;

    if (!project_remove_editable(ed, name, &removed, e))
        return false;
    if (total || removed)
        return true;
    struct str near = near_requirement(w, name);

    (void)err_set(e, ERR_PACKAGE, "'" STR_FMT "' is not a requirement of this project", STR_ARG(name));
    if (near.p)
        return err_hint(e, "did you mean '" STR_FMT "'?", STR_ARG(near));
    return err_hint(e, "blast why " STR_FMT " tells what needs it", STR_ARG(name));
}

bool edit_remove(struct cmd *c, struct workspace *w, struct request *r, struct sync_job *job,
                 struct sync_outcome *out, struct err *e)
{
    AUTO_FD lock = -1; /* two changes at once: the second sees what the first wrote */
    struct toml_edit ed;

    (void)r;
    if (!w->project.found) {
        (void)err_set(e, ERR_CONFIG, "there is no " FILE_NAME " in '%s' to take requirements out of", w->where.dir);
        return err_hint(e, w->where.has_requirements ? "edit requirements.txt, then run blast sync"
                                                     : "blast remove --env DIR NAME works on an environment alone");
    }
    if (!journal_lock(w, &lock, e) || !begin(c, w, &ed, &job->pyproject_old, e))
        return false;
    for (size_t i = 0; i < c->options.words.n; i++)
        if (!remove_name(w, &ed, c->options.words.p[i], e))
            return false;
    job->pyproject_new = ed.text;
    return look_at(c, w, ed.text, e) && sync_run(w, job, out, e);
}

static bool is_named(const struct cmd *c, struct str key)
{
    for (size_t i = 0; i < c->options.words.n; i++)
        if (name_eq(c->options.words.p[i], key))
            return true;
    return c->options.words.n == 0;
}

/* Every requirement of one list with the lower bound of the version locked. */
static bool bump_list(struct cmd *c, struct toml_edit *ed, const struct project_list *l, const struct lock *lock,
                      struct err *e)
{
    struct project_target to = { .where = l->where, .name = l->name };

    for (size_t i = 0; i < l->reqs.n; i++) {
        struct req q;
        const struct lock_package *p;

        if (!req_parse(c->a, l->reqs.p[i].text, &q, e))
            return false;
        if (q.url.n || !is_named(c, q.key) || !(p = lock_find(lock, q.key)))
            continue;
        struct str bound = with_bound(c, &q, p->version);

        if (bound.n && !project_add_requirement(ed, to, bound, NULL, e))
            return false;
    }
    return true;
}

/* The same list without any bounds, to see what is the newest that works. */
static bool loosen_list(struct cmd *c, struct toml_edit *ed, const struct project_list *l, struct err *e)
{
    struct project_target to = { .where = l->where, .name = l->name };

    for (size_t i = 0; i < l->reqs.n; i++) {
        struct req q;

        if (!req_parse(c->a, l->reqs.p[i].text, &q, e))
            return false;
        if (q.url.n || !is_named(c, q.key))
            continue;
        q.spec_text = STR("");
        q.spec = (struct spec){ 0 };
        if (!project_add_requirement(ed, to, req_text(c->a, &q), NULL, e))
            return false;
    }
    return true;
}

struct lists {
    const struct project_list *p[64];
    size_t n;
};

static void all_lists(const struct project *p, struct lists *out)
{
    out->p[out->n++] = &p->dependencies;
    for (size_t i = 0; i < p->extras.n && out->n < COUNT(out->p); i++)
        out->p[out->n++] = &p->extras.p[i];
    for (size_t i = 0; i < p->groups.n && out->n < COUNT(out->p); i++)
        out->p[out->n++] = &p->groups.p[i];
}

bool edit_bump(struct cmd *c, struct workspace *w, struct request *r, struct sync_job *job, struct sync_outcome *out,
               struct err *e)
{
    AUTO_FD lock = -1; /* two changes at once: the second sees what the first wrote */
    struct toml_edit ed;
    struct lists before = { 0 };
    struct project project = w->project;
    struct lockfile l;

    if (!w->project.found)
        return err_set(e, ERR_CONFIG, "there is no " FILE_NAME " whose bounds could be raised");
    if (!journal_lock(w, &lock, e) || !begin(c, w, &ed, &job->pyproject_old, e))
        return false;
    all_lists(&project, &before);
    for (size_t i = 0; i < before.n; i++)
        if (!loosen_list(c, &ed, before.p[i], e))
            return false;
    if (!look_at(c, w, ed.text, e) || !try_lock(w, job, &l, e))
        return false;
    r->refresh = false; /* as in edit_install() */
    ed.text = job->pyproject_old;
    for (size_t i = 0; i < before.n; i++)
        if (!bump_list(c, &ed, before.p[i], &l.lock, e))
            return false;
    if (!str_eq(ed.text, job->pyproject_old))
        job->pyproject_new = ed.text;
    return look_at(c, w, ed.text, e) && sync_run(w, job, out, e);
}
