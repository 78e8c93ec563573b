#include "sync/lockfile.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "codec/toml.h"
#include "lock/export.h"
#include "pep/name.h"
#include "pep/req.h"
#include "sync/workspace.h"

struct pins {
    VEC(struct pkg_pin) pin;
};

static bool is_upgraded(const struct workspace *w, struct str name)
{
    const struct str_list *only = &w->request->upgrade_only;

    for (size_t i = 0; i < only->n; i++)
        if (name_eq(only->p[i], name))
            return true;
    return false;
}

static void pin(struct workspace *w, struct pins *p, struct str name, struct str version)
{
    if (name.n && version.n && !is_upgraded(w, name))
        VEC_PUSH_IN(w->a, &p->pin, (struct pkg_pin){ name, version });
}

static struct str text_of(const struct toml_doc *doc, const struct toml_node *table, struct str key)
{
    const struct toml_node *n = table->type == TOML_TABLE ? toml_get(doc, table, key) : NULL;

    return n && n->type == TOML_STRING ? n->text : STR("");
}

/* uv, Poetry and PDM write [[package]] tables with name and version. */
static void pins_of_other_tools(struct workspace *w, struct pins *p)
{
    static const char *const files[] = { "uv.lock", "poetry.lock", "pdm.lock" };

    for (size_t i = 0; i < COUNT(files) && p->pin.n == 0; i++) {
        struct err ignored = { 0 };
        struct toml_doc *doc;
        struct str text;

        if (!fd_read_if_there(w->dir, files[i], LOCK_MAX, w->a, &text, &ignored) || !text.p ||
            !toml_parse(text, files[i], w->a, &doc, &ignored))
            continue;
        const struct toml_node *list = toml_find(doc, "package");

        for (const struct toml_node *one = list ? list->first : NULL; one; one = one->next)
            pin(w, p, text_of(doc, one, STR("name")), text_of(doc, one, STR("version")));
        if (p->pin.n)
            workspace_warn(w, "the versions of %s are kept where they fit", files[i]);
    }
}

/* "name==version" lines of a requirements file that was written before. */
static void pins_of_text(struct workspace *w, struct str text, struct pins *p)
{
    struct str line;

    while (str_next_line(&text, &line)) {
        struct req r;
        struct err ignored;

        line = str_trim(str_sub(line, 0, MIN(str_find(line, '#'), str_search(line, STR(" --hash")))));
        (void)str_cut_suffix(&line, STR("\\"));
        line = str_trim(line);
        if (line.n == 0 || line.p[0] == '-' || !req_parse(w->a, line, &r, &ignored))
            continue;
        if (r.spec.n == 1 && r.spec.clause[0].op == SPEC_EQ && !r.spec.clause[0].wildcard)
            pin(w, p, r.name, r.spec.clause[0].text);
    }
}

static bool wants_text_format(struct str path)
{
    return str_ends(path, STR(".txt")) || str_ends(path, STR(".in")) || str_ends(path, STR(".out"));
}

static bool format(struct workspace *w, struct lockfile *l, bool as_text, struct err *e)
{
    AUTO_BUF b;
    struct export_options o = { .hashes = w->request->require_hashes };

    buf_init(&b, LOCK_MAX);
    if (as_text ? !export_requirements(&l->lock, &o, &b, e) : !lock_format(&l->lock, &b))
        return b.full ? err_set(e, ERR_PACKAGE, "the lock would have more than %d bytes", LOCK_MAX) : false;
    l->text = arena_str(w->a, buf_done(&b));
    l->changed = !l->old_text.p || !str_eq(l->old_text, l->text);
    return true;
}

static bool frozen(const struct lockfile *l, struct err *e)
{
    if (!l->old_text.p)
        (void)err_set(e, ERR_RESOLUTION, "--frozen: there is no lock at '" STR_FMT "'", STR_ARG(l->path));
    else
        (void)err_set(e, ERR_RESOLUTION, "--frozen: '" STR_FMT "' does not fit the inputs any more", STR_ARG(l->path));
    return err_hint(e, "run blast lock and commit the result");
}

bool lockfile_make(const struct pkg_job *job, const char *path, struct lockfile *out, struct err *e)
{
    struct workspace *w = job->w;
    const struct request *r = w->request;
    struct lock_origin origin, ready;
    struct pins p = { 0 };

    *out = (struct lockfile){ 0 };
    out->path = path ? str_of(path) : arena_printf(w->a, "%s/" LOCKFILE, w->where.dir);
    bool as_text = path && wants_text_format(out->path);

    if (!fd_read_if_there(AT_FDCWD, out->path.p, LOCK_MAX, w->a, &out->old_text, e))
        return err_as(e, ERR_CONFIG, "read the lock");
    out->text = out->old_text;
    bool peeked = out->old_text.p && !as_text && lock_peek(w->a, out->old_text, &origin);

    if (job->offered.n && lock_peek(w->a, job->offered, &ready) && str_eq(ready.inputs, job->in->digest)) {
        out->text = job->offered;
        out->changed = !out->old_text.p || !str_eq(out->old_text, out->text);
        return true;
    }
    if (peeked && str_eq(origin.inputs, job->in->digest) && !r->upgrade && r->upgrade_only.n == 0) {
        out->fresh = true;
        return true;
    }
    if (r->frozen)
        return frozen(out, e);
    if (out->old_text.p && !as_text && !r->upgrade) {
        if (!lockfile_load(w, out, e))
            return false;
        for (size_t i = 0; i < out->lock.n_package; i++)
            pin(w, &p, out->lock.package[i].name, out->lock.package[i].version);
        out->loaded = false;
    } else if (out->old_text.p && !r->upgrade) {
        pins_of_text(w, out->old_text, &p);
    } else if (!out->old_text.p && job->in->from_project) {
        pins_of_other_tools(w, &p);
    }
    if (!pkg_resolve(job, p.pin.p, p.pin.n, &out->lock, e))
        return false;
    out->loaded = true;
    if ((!as_text || r->require_hashes) && !pkg_hash_missing(job, &out->lock, e))
        return false;
    return format(w, out, as_text, e);
}

bool lockfile_load(struct workspace *w, struct lockfile *l, struct err *e)
{
    if (l->loaded)
        return true;
    if (!lock_parse(w->a, l->text, &l->lock, e))
        return err_wrap(e, "read '" STR_FMT "'", STR_ARG(l->path));
    l->loaded = true;
    return true;
}

bool lockfile_write(const struct lockfile *l, struct err *e)
{
    AUTO_FD dir = -1;
    size_t slash = str_rfind(l->path, '/');
    AUTO_ARENA a = { 0 };
    const char *folder = slash == l->path.n ? "." : arena_cstr(&a, str_sub(l->path, 0, MAX(slash, 1u)));
    const char *name = slash == l->path.n ? l->path.p : l->path.p + slash + 1;

    if (!l->changed)
        return true;
    return (fd_open_dir(AT_FDCWD, folder, &dir, e) && file_replace(dir, name, l->text, 0666, FILE_NO_SYNC, e)) ||
           err_as(e, ERR_ENVIRONMENT, "write the lock '" STR_FMT "'", STR_ARG(l->path));
}
