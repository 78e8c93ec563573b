#include "sync/inputs.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "build_config.h"
#include "config/reqfile.h"
#include "net/url.h"
#include "pep/name.h"
#include "sync/origin.h"
#include "sync/workspace.h"

#define DIGEST_TEXT_MAX ((size_t)16 << 20)

/* ------------------------------------------------------------ requirements */

/* `line` is text, origin and whether it is a constraint; the rest is read from the text. */
static bool add_root(struct workspace *w, struct inputs *in, const struct source_root *line, uint64_t list,
                     struct err *e)
{
    struct source_root r = *line;

    if (!req_parse(w->a, r.text, &r.req, e))
        return err_as(e, ERR_CONFIG, STR_FMT ": requirement '" STR_FMT "'", STR_ARG(r.origin), STR_ARG(r.text));
    VEC_PUSH_IN(w->a, &in->roots, r);
    VEC_PUSH_IN(w->a, &in->lists, list);
    return true;
}

static bool add_list(struct workspace *w, struct inputs *in, const struct project_list *l, unsigned bit, struct err *e)
{
    for (size_t i = 0; i < l->reqs.n; i++) {
        struct source_root r = {
            .text = l->reqs.p[i].text,
            .origin = arena_printf(w->a, "pyproject.toml:%u", l->reqs.p[i].line),
        };

        if (!add_root(w, in, &r, (uint64_t)1 << bit, e))
            return false;
    }
    return true;
}

/* "name[extras] @ file:..." of a directory; the digest knows it by its path from the project. */
static bool add_editable(struct workspace *w, struct inputs *in, struct str name, struct str path, struct str origin,
                         struct err *e)
{
    struct str bare, extras;
    const char *full;

    origin_split_extras(path, &bare, &extras);
    full = bare.n && bare.p[0] == '/' ? arena_cstr(w->a, bare)
                                      : arena_printf(w->a, "%s/" STR_FMT, w->where.dir, STR_ARG(bare)).p;
    char *real = realpath(full, NULL);

    if (!real) {
        (void)err_sys(e, "find '%s'", full);
        return err_as(e, ERR_CONFIG, STR_FMT ": editable '" STR_FMT "'", STR_ARG(origin), STR_ARG(name));
    }
    struct source_root r = {
        .text = arena_printf(w->a, STR_FMT STR_FMT " @ " STR_FMT, STR_ARG(name), STR_ARG(extras),
                             STR_ARG(url_from_path(w->a, str_of(real)))),
        .origin = origin,
        .editable = true,
        .place = arena_printf(w->a, STR_FMT STR_FMT " @ " STR_FMT, STR_ARG(name), STR_ARG(extras), STR_ARG(bare)),
    };

    free(real);
    err_clear(e);
    return add_root(w, in, &r, 1, e);
}

static bool add_editables(struct workspace *w, struct inputs *in, struct err *e)
{
    const struct project *p = &w->project;

    if (p->has_project && p->has_build_system && !p->package_off && p->name.n &&
        !add_editable(w, in, p->name, STR("."), STR("pyproject.toml: the project itself"), e))
        return false;
    for (size_t i = 0; i < p->editables.n; i++) {
        struct str origin = arena_printf(w->a, "pyproject.toml:%u", p->editables.p[i].line);

        if (!add_editable(w, in, p->editables.p[i].name, p->editables.p[i].path, origin, e))
            return false;
    }
    return true;
}

static bool from_project(struct workspace *w, struct inputs *in, struct err *e)
{
    const struct project *p = &w->project;
    unsigned bit = 1;

    if (p->extras.n + p->groups.n > INPUT_LISTS_MAX - 1)
        return err_set(e, ERR_CONFIG, "pyproject.toml has %zu extras and groups, the limit is %d",
                       p->extras.n + p->groups.n, INPUT_LISTS_MAX - 1);
    in->from_project = true;
    in->source = STR("pyproject.toml");
    if (!add_list(w, in, &p->dependencies, 0, e) || !add_editables(w, in, e))
        return false;
    for (size_t i = 0; i < p->extras.n; i++) {
        VEC_PUSH_IN(w->a, &in->extras, p->extras.p[i].normalized);
        if (!add_list(w, in, &p->extras.p[i], bit++, e))
            return false;
    }
    for (size_t i = 0; i < p->groups.n; i++) {
        VEC_PUSH_IN(w->a, &in->groups, p->groups.p[i].normalized);
        if (!add_list(w, in, &p->groups.p[i], bit++, e))
            return false;
    }
    for (size_t i = 0; i < p->default_groups.n; i++)
        VEC_PUSH_IN(w->a, &in->default_groups, p->default_groups.p[i]);
    for (size_t i = 0; i < p->constraints.n; i++) {
        struct source_root r = {
            .text = p->constraints.p[i].text,
            .origin = arena_printf(w->a, "pyproject.toml:%u", p->constraints.p[i].line),
            .constraint = true,
        };

        if (!add_root(w, in, &r, 0, e))
            return false;
    }
    if (p->dynamic_dependencies && (!p->has_build_system || p->package_off))
        workspace_warn(w, "pyproject.toml: the dependencies are dynamic, which only a build of the project can tell; "
                          "they are not installed");
    for (size_t i = 0; i < p->overrides.n; i++) {
        struct source_root r = {
            .text = p->overrides.p[i].text,
            .origin = arena_printf(w->a, "pyproject.toml:%u", p->overrides.p[i].line),
            .constraint = true,
            .override = true,
        };

        if (!add_root(w, in, &r, 0, e))
            return false;
    }
    return true;
}

/* A directory, an archive or a repository without a name: name @ url. */
static bool add_unnamed(struct workspace *w, struct inputs *in, struct str text, bool editable, struct str origin,
                        struct err *e)
{
    struct source_root r = { .origin = origin, .editable = editable };

    if (!origin_requirement(w, text, editable, &r.text, e))
        return err_wrap(e, STR_FMT ": requirement '" STR_FMT "'", STR_ARG(origin), STR_ARG(text));
    return add_root(w, in, &r, 1, e);
}

/* "./x.whl" or "https://.../x.whl" as a requirement: name @ url. */
static bool add_file(struct workspace *w, struct inputs *in, struct str text, struct str origin, bool constraint,
                     struct err *e)
{
    struct str url = text, path, extras;

    if (constraint)
        return err_set(e, ERR_CONFIG, STR_FMT ": a constraint needs a name, not '" STR_FMT "'", STR_ARG(origin),
                       STR_ARG(text));
    origin_split_extras(text, &path, &extras);
    if (origin_is(path))
        return add_unnamed(w, in, text, false, origin, e);
    if (!url_is(text)) {
        char *real = realpath(arena_cstr(w->a, text), NULL);

        if (!real) {
            (void)err_sys(e, "find '" STR_FMT "'", STR_ARG(text));
            return err_as(e, ERR_CONFIG, STR_FMT ": requirement '" STR_FMT "'", STR_ARG(origin), STR_ARG(text));
        }
        url = url_from_path(w->a, arena_str(w->a, str_of(real)));
        free(real);
    }
    struct str fragment, bare = url_without_fragment(url, &fragment);
    struct str file;

    if (!url_file_name(w->a, bare, &file, e))
        return false;
    struct str name = str_sub(file, 0, str_find(file, '-'));
    struct source_root r = {
        .text = arena_printf(w->a, STR_FMT " @ " STR_FMT, STR_ARG(name), STR_ARG(url)),
        .origin = origin,
    };

    return add_root(w, in, &r, 1, e);
}

static bool add_entry(struct workspace *w, struct inputs *in, const struct reqfile_entry *r, struct err *e)
{
    struct str origin = arena_printf(w->a, "%s:%u", r->file, r->line);

    if (r->kind == REQFILE_EDITABLE)
        return add_unnamed(w, in, r->text, true, origin, e);
    if (r->kind != REQFILE_NAMED)
        return add_file(w, in, r->text, origin, r->constraint, e);
    struct source_root root = { .text = r->text, .origin = origin, .constraint = r->constraint };

    if (!add_root(w, in, &root, 1, e))
        return false;
    const struct req *req = &in->roots.p[in->roots.n - 1].req;

    for (size_t i = 0; i < r->hashes; i++) {
        struct input_hash h = { .name = req->key, .hash = r->hash[i] };

        if (req->spec.n == 1 && (req->spec.clause[0].op == SPEC_EQ || req->spec.clause[0].op == SPEC_SAME))
            h.version = req->spec.clause[0].text;
        VEC_PUSH_IN(w->a, &in->hashes, h);
    }
    if (r->hashes)
        in->require_hashes = true;
    return true;
}

static bool add_files(struct workspace *w, struct reqfile *f, struct err *e)
{
    const struct request *r = w->request;

    for (size_t i = 0; i < r->requirement.n; i++)
        if (!reqfile_read(arena_cstr(w->a, r->requirement.p[i]), false, NULL, w->a, f, e))
            return false;
    for (size_t i = 0; i < r->constraint.n; i++)
        if (!reqfile_read(arena_cstr(w->a, r->constraint.p[i]), true, NULL, w->a, f, e))
            return false;
    return true;
}

static bool add_words(struct workspace *w, struct inputs *in, struct err *e)
{
    for (size_t i = 0; i < w->request->package.n; i++) {
        struct source_root r = { .text = w->request->package.p[i], .origin = STR("command line") };
        struct str text = r.text;
        bool file = url_is(text) || str_ends(text, STR(".whl")) ||
                    str_find(text, '/') < MIN(text.n, str_find(text, '@'));
        bool ok = file ? add_file(w, in, text, r.origin, false, e) : add_root(w, in, &r, 1, e);

        if (!ok)
            return false;
    }
    for (size_t i = 0; w->foreign_env && i < w->request->editable.n; i++) /* a project has them in its file */
        if (!add_unnamed(w, in, w->request->editable.p[i], true, STR("command line"), e))
            return false;
    return true;
}

static bool gather_roots(struct workspace *w, struct inputs *in, struct reqfile *f, struct err *e)
{
    bool files = w->request->requirement.n > 0;
    struct request r = *w->request;

    bool own = !files && (!w->foreign_env || r.project_inputs);

    if (own && w->project.found) {
        if (!from_project(w, in, e))
            return false;
    } else if (own && w->where.has_requirements) {
        in->source = STR("requirements.txt");
        const char *path = arena_printf(w->a, "%s/requirements.txt", w->where.dir).p;

        if (!reqfile_read(path, false, NULL, w->a, f, e))
            return false;
    } else {
        in->source = files ? r.requirement.p[0] : STR("the command line");
    }
    if (!add_files(w, f, e))
        return false;
    for (size_t i = 0; i < f->entries.n; i++)
        if (!add_entry(w, in, &f->entries.p[i], e))
            return false;
    return add_words(w, in, e);
}

/* ------------------------------------------------------------ indexes and policy */

/* pip's own setting, for people who have one: PIP_INDEX_URL, then the index-url lines of its files. As for pip,
 * PIP_CONFIG_FILE=/dev/null means that no file counts. */
static struct str pip_index(struct workspace *w)
{
    const char *v = getenv("PIP_INDEX_URL"), *xdg = getenv("XDG_CONFIG_HOME");
    const char *files[] = {
        getenv("PIP_CONFIG_FILE"),
        xdg && *xdg == '/' ? arena_printf(w->a, "%s/pip/pip.conf", xdg).p
                           : arena_printf(w->a, "%s/.config/pip/pip.conf", w->dirs.home).p,
        arena_printf(w->a, "%s/.pip/pip.conf", w->dirs.home).p,
        "/etc/pip.conf",
    };

    if (v && *v)
        return str_of(v);
    if (files[0] && strcmp(files[0], "/dev/null") == 0)
        return STR("");
    for (size_t i = 0; i < COUNT(files); i++) {
        struct err ignored = { 0 };
        struct str text, line;

        if (!files[i] || !fd_read_if_there(AT_FDCWD, files[i], 1 << 20, w->a, &text, &ignored) || !text.p)
            continue;
        while (str_next_line(&text, &line)) {
            size_t eq = str_find(line, '=');

            if (eq < line.n && str_eq(str_trim(str_sub(line, 0, eq)), STR("index-url")))
                return str_trim(str_sub(line, eq + 1, line.n));
        }
    }
    return STR("");
}

static struct str main_index(struct workspace *w, const struct reqfile *f)
{
    if (w->request->index_url.n)
        return w->request->index_url;
    if (f->index_url.n)
        return f->index_url;
    if (w->config.resolver_index_url.n)
        return w->config.resolver_index_url;
    struct str pip = pip_index(w);

    return pip.n ? pip : STR(BLAST_DEFAULT_INDEX);
}

struct url_list {
    VEC(struct str) full, bare;
};

static bool add_index(struct workspace *w, struct url_list *l, struct str url, struct err *e)
{
    struct url parts;
    struct str bare, user, password;

    if (!url_parse(url, &parts, e) || !url_split_credentials(w->a, url, &bare, &user, &password, e))
        return err_as(e, ERR_CONFIG, "use the index '" STR_FMT "'", STR_ARG(url_redacted(w->a, url)));
    bool slash = str_ends(url, STR("/"));

    VEC_PUSH_IN(w->a, &l->full, slash ? url : arena_printf(w->a, STR_FMT "/", STR_ARG(url)));
    VEC_PUSH_IN(w->a, &l->bare, slash ? bare : arena_printf(w->a, STR_FMT "/", STR_ARG(bare)));
    return true;
}

static bool gather_indexes(struct workspace *w, struct inputs *in, const struct reqfile *f, struct err *e)
{
    struct url_list l = { 0 };
    const struct str_list *extra = &w->request->extra_index_url;
    const struct config_list *configured = &w->config.resolver_extra_index_urls;

    if (w->request->no_index || f->no_index)
        return true;
    for (size_t i = 0; i < extra->n; i++)
        if (!add_index(w, &l, extra->p[i], e))
            return false;
    for (size_t i = 0; i < f->extra_index_urls.n; i++)
        if (!add_index(w, &l, f->extra_index_urls.p[i], e))
            return false;
    for (size_t i = 0; i < configured->n; i++)
        if (!add_index(w, &l, configured->item[i], e))
            return false;
    struct str index = main_index(w, f);

    if (index.n == 0) {
        (void)err_set(e, ERR_CONFIG, "no package index is known");
        return err_hint(e, "give --index-url URL, or set index_url in [resolver] of blast.toml");
    }
    if (!add_index(w, &l, index, e))
        return false;
    in->index.url = l.full.p;
    in->index.n_url = l.full.n;
    in->bare_url = l.bare.p;
    return true;
}

/* The second list behind the first. */
static struct str_list join(struct arena *a, struct str_list x, const struct str *y, size_t n)
{
    struct str *all = ARENA_ARRAY(a, struct str, x.n + n);

    for (size_t i = 0; i < x.n; i++)
        all[i] = x.p[i];
    for (size_t i = 0; i < n; i++)
        all[x.n + i] = y[i];
    return (struct str_list){ all, x.n + n };
}

/* "2026-11-01", a date-time, or an age: "3d", "12h", "1w". */
static bool moment(struct str text, int64_t *out, struct err *e)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = { { 'm', 60 }, { 'h', 3600 }, { 'd', 86400 }, { 'w', 604800 } };
    uint64_t n;

    if (clock_parse(text, out))
        return true;
    for (size_t i = 0; text.n > 1 && i < COUNT(units); i++) {
        if (text.p[text.n - 1] == units[i].unit && str_to_u64(str_sub(text, 0, text.n - 1), &n) && n < 1000000) {
            *out = clock_now() - (int64_t)n * units[i].seconds;
            return true;
        }
    }
    (void)err_set(e, ERR_CONFIG, "'" STR_FMT "' is no date and no age", STR_ARG(text));
    return err_hint(e, "write 2026-11-01, 2026-11-01T12:00:00Z, or an age such as 3d");
}

static bool gather_policy(struct workspace *w, struct inputs *in, const struct reqfile *f, struct err *e)
{
    const struct request *r = w->request;
    const struct config *c = &w->config;
    static const char *const pre[] = { "if-necessary", "allow", "disallow" };
    static const char *const res[] = { "highest", "lowest", "lowest-direct" };
    size_t i;

    in->index.prerelease = c->resolver_allow_prereleases || f->pre ? PRERELEASE_ALLOW
                                                                   : (enum index_prerelease)c->resolver_prerelease;
    for (i = 0; r->prerelease.n && i < COUNT(pre) && !str_eq(r->prerelease, str_of(pre[i])); i++)
        ;
    if (r->prerelease.n && i == COUNT(pre))
        return err_set(e, ERR_CONFIG, "--prerelease is if-necessary, allow or disallow, not '" STR_FMT "'",
                       STR_ARG(r->prerelease));
    if (r->prerelease.n)
        in->index.prerelease = (enum index_prerelease)i;
    in->index.resolution = (enum index_resolution)c->resolver_resolution;
    for (i = 0; r->resolution.n && i < COUNT(res) && !str_eq(r->resolution, str_of(res[i])); i++)
        ;
    if (r->resolution.n && i == COUNT(res))
        return err_set(e, ERR_CONFIG, "--resolution is highest, lowest or lowest-direct, not '" STR_FMT "'",
                       STR_ARG(r->resolution));
    if (r->resolution.n)
        in->index.resolution = (enum index_resolution)i;
    struct str cutoff = r->exclude_newer.n ? r->exclude_newer : c->resolver_exclude_newer;

    if (cutoff.n && !moment(cutoff, &in->index.exclude_newer, e))
        return false;
    if (!cutoff.n && c->resolver_cooldown)
        in->index.exclude_newer = clock_now() - c->resolver_cooldown;
    in->require_hashes = in->require_hashes || r->require_hashes || f->require_hashes;
    in->index.offline = r->offline;
    in->index.sdists = !r->no_build;
    in->index.refresh = r->refresh;
    in->index.ttl = c->cache_ttl;
    in->index.cache_dir = w->dirs.cache;
    return true;
}

/* ------------------------------------------------------------ digest */

static void digest_list(struct buf *b, const char *name, const struct str *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        (void)buf_printf(b, "%s " STR_FMT "\n", name, STR_ARG(p[i]));
}

/* A directory counts by what decides its dependencies, so that the lock fits in another place, too. */
static void digest_root(struct workspace *w, const struct source_root *r, uint64_t lists, struct buf *b)
{
    struct str text = r->place.n ? r->place : r->text, path;
    struct err ignored = { 0 };

    (void)buf_printf(b, "%c %llx " STR_FMT "\n", r->override ? 'o' : r->constraint ? 'c' : r->editable ? 'e' : 'r',
                     (unsigned long long)lists, STR_ARG(text));
    if (!url_is_file(r->req.url) || !origin_is(r->req.url) || !url_to_path(w->a, r->req.url, &path, &ignored))
        return;
    bool own = r->place.n && str_ends(r->place, STR(" @ ."));

    if (!own || w->project.dynamic_dependencies || w->project.dynamic_version)
        (void)buf_printf(b, "tree " STR_FMT "\n", STR_ARG(origin_inputs(w, path.p, own)));
}

static bool make_digest(struct workspace *w, struct inputs *in, struct err *e)
{
    AUTO_BUF b;
    char hex[2 * sizeof(uint64_t) * 2 + 1];
    const struct index_settings *s = &in->index;

    buf_init(&b, DIGEST_TEXT_MAX);
    for (size_t i = 0; i < in->roots.n; i++)
        digest_root(w, &in->roots.p[i], in->lists.p[i], &b);
    for (size_t i = 0; i < in->hashes.n; i++)
        (void)buf_printf(&b, "hash " STR_FMT "\n", STR_ARG(in->hashes.p[i].hash));
    digest_list(&b, "extra", in->extras.p, in->extras.n);
    digest_list(&b, "group", in->groups.p, in->groups.n);
    digest_list(&b, "default", in->default_groups.p, in->default_groups.n);
    digest_list(&b, "index", in->bare_url, s->n_url);
    digest_list(&b, "links", s->find_links, s->n_find_links);
    digest_list(&b, "no-binary", s->no_binary, s->n_no_binary);
    struct str cutoff = w->request->exclude_newer.n ? w->request->exclude_newer : w->config.resolver_exclude_newer;

    (void)buf_printf(&b, "policy %d %d %d " STR_FMT " %lld\n", s->prerelease, s->resolution, w->request->no_deps,
                     STR_ARG(cutoff), (long long)w->config.resolver_cooldown);
    /* Not the patch level, not the libc: a lock made here must fit on a colleague's machine and in CI. Whether its
     * wheels do is seen when they are selected. */
    (void)buf_printf(&b, "python " STR_FMT "%u.%u%s " STR_FMT "\n", STR_ARG(w->python.implementation), w->python.major,
                     w->python.minor, w->python.free_threaded ? "t" : "", STR_ARG(w->python.machine));
    if (b.full)
        return err_set(e, ERR_CONFIG, "the requirements have more than %zu bytes", DIGEST_TEXT_MAX);
    /* not a matter of security, so the fast hash: it need not load libcrypto for a run with nothing to do */
    uint64_t sums[2] = { hash_fast(b.p, b.n), b.n };

    hash_hex((unsigned char *)sums, sizeof sums, hex);
    in->digest = arena_str(w->a, str_of(hex));
    return true;
}

bool inputs_gather(struct workspace *w, struct inputs *out, struct err *e)
{
    struct reqfile f = { 0 };

    *out = (struct inputs){ 0 };
    if (!gather_roots(w, out, &f, e) || !gather_indexes(w, out, &f, e) || !gather_policy(w, out, &f, e))
        return false;
    struct str_list links = join(w->a, w->request->find_links, f.find_links.p, f.find_links.n);
    struct str_list no_binary = join(w->a, w->request->no_binary, f.no_binary.p, f.no_binary.n);

    links = join(w->a, links, w->config.resolver_find_links.item, w->config.resolver_find_links.n);
    out->index.find_links = links.p;
    out->index.n_find_links = links.n;
    out->index.no_binary = no_binary.p;
    out->index.n_no_binary = no_binary.n;
    return make_digest(w, out, e);
}
