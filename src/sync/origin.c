#include "sync/origin.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/hash.h"
#include "config/project.h"
#include "index/sdist_meta.h"
#include "install/fetch.h"
#include "net/url.h"
#include "pep/direct_url.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/sdist_name.h"
#include "pep/wheel_name.h"
#include "sync/build.h"
#include "sync/origin_git.h"
#include "sync/origin_state.h"
#include "sync/origin_text.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

bool origin_is(struct str url)
{
    struct str fragment;

    return url.n && !str_ends(url_without_fragment(url, &fragment), STR(".whl"));
}

void origin_split_extras(struct str text, struct str *path, struct str *extras)
{
    size_t open = str_rfind(text, '[');
    bool has = open < text.n && text.p[text.n - 1] == ']';

    *path = str_sub(text, 0, has ? open : text.n);
    *extras = has ? str_sub(text, open, text.n) : STR("");
}

/* ------------------------------------------------------------ what a URL leads to */

static bool describe_tree(struct workspace *w, struct str path, struct origin *o, struct err *e)
{
    struct stat st;
    char *real = realpath(arena_cstr(w->a, path), NULL);

    if (!real)
        return err_sys(e, "find '" STR_FMT "'", STR_ARG(path)) || err_as(e, ERR_PACKAGE, "look at a source tree");
    o->tree = arena_str(w->a, str_of(real)).p;
    free(real);
    err_clear(e);
    if (stat(o->tree, &st) < 0)
        return err_sys(e, "stat '%s'", o->tree) || err_as(e, ERR_PACKAGE, "look at a source tree");
    if (S_ISREG(st.st_mode)) {
        struct str file;

        o->kind = ORIGIN_ARCHIVE;
        if (!url_file_name(w->a, o->url, &file, e))
            return false;
        o->archive = (struct lock_file){ .name = file, .path = str_of(o->tree), .size = (uint64_t)st.st_size };
        o->tree = NULL;
        return true;
    }
    o->own = w->dir >= 0 && origin_is_project(w, o->tree);
    struct str key = origin_key(w, o->tree, o->editable, o->own);

    o->key = o->subdirectory.n ? arena_printf(w->a, STR_FMT " " STR_FMT, STR_ARG(key), STR_ARG(o->subdirectory)) : key;
    return true;
}

static bool describe_git(struct workspace *w, struct str url, struct str commit, struct origin *o, struct err *e)
{
    struct git_source s;
    struct str bare, user, password;

    if (!git_source_parse(url, &s, e))
        return false;
    s.commit = commit.n ? commit : origin_locked_commit(w, s.url, s.revision);
    o->kind = ORIGIN_GIT;
    if (!git_checkout(w, &s, &o->git.commit_id, &o->tree, e))
        return false;
    if (!url_split_credentials(w->a, s.url, &bare, &user, &password, e))
        return false;
    o->git.type = STR("git");
    o->git.url = password.p ? bare : s.url; /* a name alone is how ssh is addressed */
    o->git.requested_revision = s.revision;
    o->git.subdirectory = o->subdirectory;
    o->key = arena_printf(w->a, "git " STR_FMT " " STR_FMT, STR_ARG(o->git.commit_id), STR_ARG(o->subdirectory));
    return true;
}

static bool describe(struct workspace *w, struct str url, struct origin *o, struct err *e)
{
    struct str fragment, path, bare = url_without_fragment(url, &fragment);

    o->url = bare;
    o->subdirectory = STR("");
    if (fragment.p && !url_fragment_get(fragment, STR("subdirectory"), &o->subdirectory))
        o->subdirectory = STR("");
    if (o->subdirectory.n && !origin_path_stays(o->subdirectory))
        return err_set(e, ERR_PACKAGE, "the subdirectory '" STR_FMT "' leads out of the source",
                       STR_ARG(o->subdirectory));
    if (o->subdirectory.n)
        o->url = arena_printf(w->a, STR_FMT "#subdirectory=" STR_FMT, STR_ARG(bare), STR_ARG(o->subdirectory));
    if (str_starts(bare, STR("git+")))
        return describe_git(w, bare, STR(""), o, e);
    if (url_is_file(bare))
        return url_to_path(w->a, bare, &path, e) && describe_tree(w, path, o, e);
    if (!url_is_http(bare)) {
        (void)err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no place that can be fetched from",
                      STR_ARG(url_redacted(w->a, bare)));
        return err_hint(e, "http(s) URLs, file: URLs and git+... are taken");
    }
    struct str file;

    o->kind = ORIGIN_ARCHIVE;
    if (!url_file_name(w->a, bare, &file, e))
        return false;
    o->archive = (struct lock_file){ .name = file, .url = bare, .size = LOCK_NO_SIZE };
    return true;
}

/* ------------------------------------------------------------ its metadata */

static struct build_source source_of(const struct origin *o, struct str bytes)
{
    return (struct build_source){
        .label = o->archive.name.n ? o->archive.name : o->name.n ? o->name : STR("source"),
        .key = o->key,
        .file = o->archive.name,
        .bytes = bytes,
        .tree = o->tree,
        .subdirectory = o->subdirectory,
        .editable = o->editable,
    };
}

static bool tree_metadata(const struct pkg_job *job, struct origin *o, struct err *e)
{
    struct workspace *w = job->w;
    struct build_source s;

    if (!origin_static_text(w, o, &o->metadata, e))
        return false;
    if (o->metadata.p)
        return true;
    s = source_of(o, (struct str){ NULL, 0 });
    return build_metadata(job, &s, w->a, &o->metadata, e);
}

static void note_hash(struct workspace *w, struct lock_file *f, struct str hex)
{
    struct lock_hash *h = ARENA_NEW(w->a, struct lock_hash);

    *h = (struct lock_hash){ STR("sha256"), hex };
    f->hash = h;
    f->n_hash = 1;
}

/* The archive comes into the downloads, where the install looks for it. */
static bool get_archive(const struct pkg_job *job, struct str fragment, struct origin *o, int *fd, struct err *e)
{
    struct workspace *w = job->w;
    struct fetch_item item = { .url = o->archive.url.n ? o->archive.url : o->archive.path, .dir = -1 };
    AUTO_FD dir = -1;
    struct str hex = STR("");
    const char *to;

    if (fragment.p && url_fragment_get(fragment, STR("sha256"), &hex)) {
        item.hash_name = STR("sha256");
        item.hash = hex;
    }
    item.name = arena_printf(w->a, "%016llx.source", (unsigned long long)hash_fast(item.url.p, item.url.n));
    if (!pkg_downloads(w, &dir, e) || !pkg_net_open(job->net, job->in, e))
        return false;
    item.dir = dir;
    (void)unlinkat(dir, item.name.p, 0); /* what lies there may be of another day */
    if (!fetch_all(job->net->http, &item, 1, e))
        return err_wrap(e, "get '" STR_FMT "'", STR_ARG(o->archive.name));
    to = arena_printf(w->a, "%s.sdist", item.sha256).p;
    if (renameat(dir, item.name.p, dir, to) < 0)
        return err_sys(e, "rename " STR_FMT " to %s", STR_ARG(item.name), to);
    o->archive.size = item.got;
    o->archive.subdirectory = o->subdirectory;
    note_hash(w, &o->archive, arena_str(w->a, str_of(item.sha256)));
    o->key = origin_archive_key(w, o->archive.hash[0].hex, o->subdirectory);
    return fd_open(dir, to, O_RDONLY, 0, fd, e);
}

static bool archive_metadata(const struct pkg_job *job, struct str fragment, struct origin *o, struct err *e)
{
    AUTO_FD fd = -1;
    struct str map, stem, ext;
    struct build_source s;

    if (!sdist_name_ext(o->archive.name, &stem, &ext) || (!str_eq(ext, STR(".zip")) && !str_ends(ext, STR("gz")))) {
        (void)err_set(e, ERR_PACKAGE, "'" STR_FMT "' is neither a wheel nor a source distribution",
                      STR_ARG(o->archive.name));
        return err_hint(e, "name a .whl, .tar.gz or .zip file, a directory, or git+URL");
    }
    if (!get_archive(job, fragment, o, &fd, e) || !fd_map(fd, o->archive.name.p, &map, e))
        return false;
    s = source_of(o, map);
    bool ok = o->subdirectory.n == 0 && map.n <= SDIST_MAX &&
              sdist_meta_of(map, o->archive.name, job->w->a, &o->metadata, e);

    ok = ok || build_metadata(job, &s, job->w->a, &o->metadata, e);
    if (map.n)
        fd_unmap(&map);
    return ok;
}

static struct origin *find_looked_at(struct workspace *w, struct str url, bool editable)
{
    for (size_t i = 0; i < w->origins.n; i++)
        if (w->origins.p[i]->editable == editable && str_eq(w->origins.p[i]->asked, url) && !w->origins.p[i]->own)
            return w->origins.p[i];
    return NULL;
}

const struct origin *origin_find(const struct workspace *w, struct str url)
{
    for (size_t i = w->origins.n; i-- > 0;) /* the newest: what an edit has just changed */
        if (str_eq(w->origins.p[i]->url, url))
            return w->origins.p[i];
    return NULL;
}

bool origin_look(const struct pkg_job *job, struct str url, bool editable, const struct origin **out, struct err *e)
{
    struct workspace *w = job->w;
    struct str fragment;
    struct origin *o = find_looked_at(w, url, editable);
    struct metadata m;

    (void)url_without_fragment(url, &fragment);
    *out = o;
    if (o)
        return true;
    o = ARENA_NEW(w->a, struct origin);
    *o = (struct origin){ .asked = arena_str(w->a, url), .editable = editable };
    if (!describe(w, o->asked, o, e))
        return false;
    if (editable && o->kind != ORIGIN_TREE)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no directory: only one can be installed editable",
                       STR_ARG(url_redacted(w->a, url)));
    if (!(o->kind == ORIGIN_ARCHIVE ? archive_metadata(job, fragment, o, e) : tree_metadata(job, o, e)) ||
        !metadata_parse(w->a, o->metadata, &m, e))
        return false;
    o->name = name_normalize(w->a, m.name);
    o->version = m.version;
    if (o->own && !w->project.dynamic_dependencies) /* a build knows the file on disk only, not an edit under way */
        o->metadata = arena_printf(w->a, "Metadata-Version: 2.2\nName: " STR_FMT "\nVersion: " STR_FMT "\n",
                                   STR_ARG(m.name), STR_ARG(m.version));
    VEC_PUSH_IN(w->a, &w->origins, o);
    *out = o;
    return true;
}

/* ------------------------------------------------------------ names for what has none */

/* A wheel's file says its name. */
static bool name_wheel(struct workspace *w, struct str url, struct str extras, struct str *out, struct err *e)
{
    struct str file;
    struct wheel_name n;

    if (!url_file_name(w->a, url, &file, e) || !wheel_name_parse(file, &n, e))
        return false;
    *out = arena_printf(w->a, STR_FMT STR_FMT " @ " STR_FMT, STR_ARG(n.project), STR_ARG(extras), STR_ARG(url));
    return true;
}

bool origin_requirement(struct workspace *w, struct str text, bool editable, struct str *out, struct err *e)
{
    struct timings timings = { 0 };
    struct inputs none = { 0 };
    AUTO_PKG_NET net;
    struct pkg_job job = { .w = w, .in = &none, .net = &net, .timings = &timings };
    const struct origin *o;
    struct str path, extras, url;

    pkg_net_init(&net, w);
    origin_split_extras(text, &path, &extras);
    url = path;
    if (!url_is(path)) {
        char *real = realpath(arena_cstr(w->a, path), NULL);

        if (!real)
            return err_sys(e, "find '" STR_FMT "'", STR_ARG(path)) || err_as(e, ERR_CONFIG, "look for a source tree");
        url = url_from_path(w->a, arena_str(w->a, str_of(real)));
        free(real);
        err_clear(e);
    }
    if (!origin_is(url))
        return name_wheel(w, url, extras, out, e);
    if (!workspace_python(w, e) || !origin_look(&job, url, editable, &o, e))
        return false;
    *out = arena_printf(w->a, STR_FMT STR_FMT " @ " STR_FMT, STR_ARG(o->name), STR_ARG(extras), STR_ARG(url));
    return true;
}

/* ------------------------------------------------------------ the lock */

bool origin_has_package(const struct lock_package *p)
{
    return p->directory || p->vcs || (p->archive && !str_ends(p->archive->name, STR(".whl")));
}

void origin_to_lock(struct workspace *w, const struct origin *o, struct lock_package *out)
{
    out->sdist = NULL;
    out->n_wheel = 0;
    out->index = STR("");
    if (o->kind == ORIGIN_ARCHIVE) {
        out->archive = &o->archive;
    } else if (o->kind == ORIGIN_GIT) {
        out->vcs = &o->git;
    } else {
        struct lock_directory *d = ARENA_NEW(w->a, struct lock_directory);

        *d = (struct lock_directory){ .path = origin_path_in_lock(w, o->tree), .editable = o->editable,
                                      .subdirectory = o->subdirectory };
        out->directory = d;
        out->version = STR(""); /* the tree decides, not the lock (PEP 751) */
    }
}

bool origin_of_package(const struct pkg_job *job, const struct lock_package *p, struct origin *out, struct err *e)
{
    struct workspace *w = job->w;

    *out = (struct origin){ .name = p->name, .version = p->version };
    if (p->archive) {
        struct str hex = lock_file_hash(p->archive, STR("sha256"));

        out->kind = ORIGIN_ARCHIVE;
        out->archive = *p->archive;
        out->subdirectory = p->archive->subdirectory;
        out->key = origin_archive_key(w, hex, out->subdirectory);
    } else if (p->directory) {
        out->subdirectory = p->directory->subdirectory;
        out->editable = p->directory->editable;
        if (!describe_tree(w, origin_path_from_lock(w, p->directory->path), out, e))
            return false;
        if (out->kind != ORIGIN_TREE)
            return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no directory", STR_ARG(p->directory->path));
    } else {
        struct str url = arena_printf(w->a, "git+" STR_FMT, STR_ARG(p->vcs->url.n ? p->vcs->url : p->vcs->path));

        if (!str_eq(p->vcs->type, STR("git")))
            return err_set(e, ERR_PACKAGE, STR_FMT " comes from a repository of '" STR_FMT "', only git is known",
                           STR_ARG(p->name), STR_ARG(p->vcs->type));
        out->subdirectory = p->vcs->subdirectory;
        if (!describe_git(w, url, p->vcs->commit_id, out, e))
            return false;
    }
    if (out->subdirectory.n && !origin_path_stays(out->subdirectory))
        return err_set(e, ERR_PACKAGE, "the subdirectory '" STR_FMT "' of " STR_FMT " leads out of the source",
                       STR_ARG(out->subdirectory), STR_ARG(p->name));
    return true;
}

void origin_direct_url(struct workspace *w, const struct lock_package *p, struct direct_url *out)
{
    *out = (struct direct_url){ .kind = DIRECT_DIR };
    if (p->directory) {
        out->url = url_from_path(w->a, origin_path_from_lock(w, p->directory->path));
        out->editable = p->directory->editable;
        out->subdirectory = p->directory->subdirectory;
    } else if (p->vcs) {
        out->kind = DIRECT_VCS;
        out->url = p->vcs->url;
        out->vcs = p->vcs->type;
        out->commit_id = p->vcs->commit_id;
        out->requested_revision = p->vcs->requested_revision;
        out->subdirectory = p->vcs->subdirectory;
    } else {
        struct direct_hash *h = ARENA_NEW(w->a, struct direct_hash);

        *h = (struct direct_hash){ STR("sha256"), lock_file_hash(p->archive, STR("sha256")) };
        out->kind = DIRECT_ARCHIVE;
        out->url = p->archive->url.n ? p->archive->url : url_from_path(w->a, p->archive->path);
        out->subdirectory = p->archive->subdirectory;
        out->hash = h;
        out->n_hash = 1;
    }
}
