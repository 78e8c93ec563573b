/* From a lock's selection to store entries: the best file of each package, fetched and unpacked where it is missing.
 * Unpacking of one wheel overlaps with the download of the others. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/trace.h"
#include "base/work.h"
#include "install/fetch.h"
#include "install/unpack.h"
#include "pep/name.h"
#include "pep/tag.h"
#include "pep/version.h"
#include "pep/wheel_name.h"
#include "sync/build.h"
#include "sync/origin.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

#define DOWNLOADS "downloads-v1"

/* One wheel that the store lacks: fetched, or built of what is fetched or lies here. */
struct missing {
    struct fetch_item item; /* first */
    struct pkg_wheel *wheel;
    struct unpack *unpack;
    int fd;                 /* the fetched archive while it is unpacked */
    struct str alg, hex;
    struct str archive;     /* name in the downloads folder */
};

struct job_list {
    struct workspace *w;
    const struct inputs *in;
    const struct store *store;
    const struct watch *watch;
    struct fetch_progress progress;
    struct fetch *fetch;
    struct work *pool;
    int downloads;
    struct missing *missing;
    size_t n, unpacked, unpacking;
};

/* ------------------------------------------------------------ choosing */

static bool hash_allowed(const struct inputs *in, const struct lock_package *p, const struct lock_file *f)
{
    bool listed = false;

    for (size_t i = 0; i < in->hashes.n; i++) {
        const struct input_hash *h = &in->hashes.p[i];
        size_t colon = str_find(h->hash, ':');

        if (!str_eq(h->name, p->name) || colon == h->hash.n)
            continue;
        listed = true;
        if (str_eq_nocase(lock_file_hash(f, str_sub(h->hash, 0, colon)), str_sub(h->hash, colon + 1, h->hash.n)))
            return true;
    }
    return !listed && !in->require_hashes;
}

static bool no_wheel(const struct lock_package *p, enum tag_miss miss, bool hashes, struct err *e)
{
    if (hashes) {
        (void)err_set(e, ERR_PACKAGE, "no file of " STR_FMT " " STR_FMT " that fits has one of the hashes required",
                      STR_ARG(p->name), STR_ARG(p->version));
        return err_exit(e, 5);
    }
    if (p->n_wheel == 0 && !p->archive) {
        (void)err_set(e, ERR_PACKAGE, STR_FMT " " STR_FMT " has no wheel in the lock: it would need a build",
                      STR_ARG(p->name), STR_ARG(p->version));
        return p->sdist ? err_hint(e, "leave --no-build away") : err_hint(e, "choose a version that has a file here");
    }
    (void)err_set(e, ERR_PACKAGE, STR_FMT " " STR_FMT " has no wheel for this %s", STR_ARG(p->name),
                  STR_ARG(p->version), miss == TAG_MISS_PLATFORM ? "platform" : "Python");
    return err_hint(e, "blast lock --upgrade resolves again for this interpreter");
}

static bool wheels_refused(const struct inputs *in, struct str name)
{
    for (size_t i = 0; i < in->index.n_no_binary; i++)
        if (str_eq(in->index.no_binary[i], name) || str_eq(in->index.no_binary[i], STR(":all:")))
            return true;
    return false;
}

/* There is no choice among files where it comes from a source alone. */
static bool refused_origin(const struct inputs *in, const struct lock_package *p, struct err *e)
{
    if (!in->index.sdists) {
        (void)err_set(e, ERR_PACKAGE, STR_FMT " comes from a source and must be built", STR_ARG(p->name));
        return err_hint(e, "leave --no-build away");
    }
    return p->archive ? hash_allowed(in, p, p->archive) || no_wheel(p, TAG_FITS, true, e)
                      : !in->require_hashes || no_wheel(p, TAG_FITS, true, e);
}

bool pkg_choose_file(const struct inputs *in, const struct tag_set *tags, const struct lock_package *p,
                        const struct lock_file **out, struct err *e)
{
    uint32_t best = UINT32_MAX;
    enum tag_miss nearest = TAG_FITS, miss;
    struct str build = STR("");
    bool by_hash = false;

    *out = p->archive;
    if (origin_has_package(p))
        return refused_origin(in, p, e);
    *out = NULL;
    size_t n = p->archive ? 1 : wheels_refused(in, p->name) ? 0 : p->n_wheel;

    for (size_t i = 0; i < n; i++) {
        const struct lock_file *f = p->archive ? p->archive : &p->wheel[i];
        struct wheel_name name;
        struct err ignored;
        uint32_t rank;

        if (!wheel_name_parse(f->name, &name, &ignored))
            continue;
        if (!tag_set_rank(tags, name.python, name.abi, name.platform, &rank, &miss)) {
            nearest = MAX(nearest, miss);
            continue;
        }
        if (!hash_allowed(in, p, f)) {
            by_hash = true;
            continue;
        }
        if (*out && (rank > best || (rank == best && wheel_build_cmp(name.build, build) <= 0)))
            continue;
        *out = f;
        best = rank;
        build = name.build;
    }
    if (!*out && !p->archive && p->sdist && in->index.sdists) {
        if (hash_allowed(in, p, p->sdist))
            *out = p->sdist;
        else
            by_hash = true;
    }
    return *out != NULL || no_wheel(p, nearest, by_hash, e);
}

/* ------------------------------------------------------------ what is missing */

static bool in_store(struct job_list *j, struct pkg_wheel *p, struct err *e)
{
    struct err broken = { 0 };
    bool there;

    if (p->sha256.n == 0)
        return true;
    if (!store_find(j->store, p->sha256.p, &p->entry, &there, e))
        return false;
    if (there && !store_sample(j->store, &p->entry, &broken)) {
        workspace_warn(j->w, "the store's copy of " STR_FMT " was damaged and is made again",
                       STR_ARG(p->file->name));
        store_release(&p->entry);
        there = false;
        if (!store_drop(j->store, p->sha256.p, e))
            return false;
    }
    p->have = there;
    if (there)
        trace_add(TRACE_HIT, p->file->name, trace_now(), p->entry.bytes);
    return true;
}

static struct str source_of(const struct lock_file *f)
{
    return f->url.n ? f->url : f->path;
}

static void note_missing(struct job_list *j, struct pkg_wheel *p)
{
    struct missing *m = &j->missing[j->n++];
    const struct lock_file *f = p->file;

    *m = (struct missing){ .wheel = p, .fd = -1 };
    m->hex = p->sha256;
    m->alg = STR("sha256");
    if (p->build) /* what is fetched is not what the store keeps */
        m->hex = lock_file_hash(f, STR("sha256"));
    if (m->hex.n == 0 && f->n_hash) {
        m->alg = f->hash[0].alg;
        m->hex = f->hash[0].hex;
    }
    m->archive = m->hex.n ? arena_printf(j->w->a, STR_FMT "%s", STR_ARG(m->hex), p->build ? ".sdist" : ".whl")
                          : f->name;
    m->item = (struct fetch_item){
        .url = source_of(f),
        .name = m->archive,
        .hash_name = m->hex.n ? m->alg : STR(""),
        .hash = m->hex,
        .size = f->size == LOCK_NO_SIZE ? 0 : f->size,
        .user = m,
    };
}

bool pkg_downloads(struct workspace *w, int *dir, struct err *e)
{
    const char *path = arena_printf(w->a, "%s/" DOWNLOADS, w->dirs.cache).p;

    if (!file_make_dirs(AT_FDCWD, path, 0777, e) || !fd_open_dir(AT_FDCWD, path, dir, e))
        return err_as(e, ERR_CACHE, "make room for downloads");
    return true;
}

/* ------------------------------------------------------------ the loop */

static bool begin_unpack(struct job_list *j, struct missing *m, struct err *e)
{
    if (m->item.err.kind != ERR_NONE) {
        *e = m->item.err;
        return err_wrap(e, "get " STR_FMT " " STR_FMT " (" STR_FMT ")", STR_ARG(m->wheel->package->name),
                        STR_ARG(m->wheel->package->version), STR_ARG(m->wheel->file->name));
    }
    if (m->wheel->build) { /* built once all else is here */
        m->hex = arena_str(j->w->a, str_of(m->item.sha256));
        j->unpacked++;
        return true;
    }
    m->wheel->sha256 = arena_str(j->w->a, str_of(m->item.sha256));
    if (!fd_open(j->downloads, m->archive.p, O_RDONLY, 0, &m->fd, e))
        return false;
    struct unpack_spec spec = {
        .store = j->store,
        .file = m->wheel->file->name,
        .hex = m->wheel->sha256.p,
        .fd = m->fd,
    };

    m->unpack = unpack_new(&spec);
    unpack_push(m->unpack, j->pool);
    j->unpacking++;
    return true;
}

static bool end_unpack(struct job_list *j, struct unpack *u, struct err *e)
{
    bool there;

    for (size_t i = 0; i < j->n; i++) {
        struct missing *m = &j->missing[i];

        if (m->unpack != u)
            continue;
        unpack_free(u);
        m->unpack = NULL;
        fd_close(&m->fd);
        (void)unlinkat(j->downloads, m->archive.p, 0); /* one that stays is used or replaced next time */
        j->unpacked++;
        j->unpacking--;
        if (!store_find(j->store, m->wheel->sha256.p, &m->wheel->entry, &there, e))
            return false;
        if (!there)
            return err_set(e, ERR_CACHE, "the store lost '" STR_FMT "' just after it was made",
                           STR_ARG(m->wheel->file->name));
        m->wheel->have = true;
        return true;
    }
    BUG("an unpacked wheel that nobody asked for");
}

static bool take_jobs(struct job_list *j, bool wait, struct err *e)
{
    struct job *done;

    while ((done = work_next(j->pool, wait))) {
        struct unpack *u = unpack_owner(done);
        bool all = false, ok = unpack_take(done, j->pool, &all, e);

        if (!ok)
            return false;
        if (all && !end_unpack(j, u, e))
            return false;
        wait = false;
    }
    return true;
}

static void show(struct job_list *j)
{
    watch_show(j->watch, "Fetching", j->unpacked, j->n, j->progress.bytes_done, MAX(j->progress.bytes_total, 1u));
}

static bool fetch_loop(struct job_list *j, struct err *e)
{
    struct fetch_item *item;

    for (size_t i = 0; i < j->n; i++) {
        j->missing[i].item.dir = j->downloads;
        if (j->missing[i].wheel->origin && j->missing[i].wheel->origin->tree)
            j->unpacked++; /* nothing of it is elsewhere */
        else
            fetch_add(j->fetch, &j->missing[i].item);
    }
    while (j->unpacked < j->n) {
        if (fetch_outstanding(j->fetch)) {
            if (!fetch_step(j->fetch, 100, work_fd(j->pool), e))
                return false;
            while ((item = fetch_next(j->fetch)))
                if (!begin_unpack(j, item->user, e))
                    return false;
        }
        if (!take_jobs(j, !fetch_outstanding(j->fetch), e))
            return false;
        show(j);
    }
    return true;
}

/* ------------------------------------------------------------ source distributions */

static bool find_origin(struct job_list *j, const struct pkg_job *job, struct pkg_wheel *p, struct err *e)
{
    struct lock_file *none = ARENA_NEW(j->w->a, struct lock_file); /* a tree has no file: its name is for messages */
    struct origin *o = ARENA_NEW(j->w->a, struct origin);
    struct built_wheel built;
    bool there;

    none->name = p->package->name;
    p->file = p->file ? p->file : none;
    if (!origin_of_package(job, p->package, o, e) || !build_find(job, o->key, &built, &there, e))
        return false;
    p->origin = o;
    p->build = true;
    p->sha256 = there ? built.sha256 : STR("");
    return true;
}

/* Built before? Then it is a wheel like any other. */
static bool find_built(struct job_list *j, const struct pkg_job *job, struct pkg_wheel *p, struct err *e)
{
    struct built_wheel built;
    bool there = false;

    if (origin_has_package(p->package))
        return find_origin(j, job, p, e);
    struct str hex = lock_file_hash(p->file, STR("sha256"));

    p->build = p->file && p->file == p->package->sdist;
    if (!p->build) {
        p->sha256 = hex.n ? arena_str(j->w->a, hex) : hex;
        return true;
    }
    p->sha256 = STR("");
    if (hex.n && !build_find(job, hex, &built, &there, e))
        return false;
    if (there)
        p->sha256 = built.sha256;
    return true;
}

/* What was resolved must be what was built. A local part may hold the day of the build. */
static bool same_release(struct arena *a, const struct pkg_wheel *p, struct err *e)
{
    struct str built = p->entry.version, locked = p->package->version;
    struct version x, y;

    if (locked.n == 0 || !version_parse(str_sub(built, 0, str_find(built, '+')), a, &x) ||
        !version_parse(str_sub(locked, 0, str_find(locked, '+')), a, &y) || version_cmp(&x, &y) == 0)
        return true;
    return err_set(e, ERR_PACKAGE, "the build of " STR_FMT " made version " STR_FMT ", its metadata said " STR_FMT,
                   STR_ARG(p->package->name), STR_ARG(built), STR_ARG(locked));
}

static bool build_one(struct job_list *j, const struct pkg_job *job, struct missing *m, struct err *e)
{
    struct pkg_wheel *p = m->wheel;
    struct build_source source = { .label = p->file->name, .project = p->package->name, .file = p->file->name,
                                   .key = m->hex };
    struct built_wheel built;
    AUTO_FD fd = -1, wheel = -1;
    bool there;

    if (p->origin) {
        source.key = p->origin->key;
        source.tree = p->origin->tree;
        source.subdirectory = p->origin->subdirectory;
        source.editable = p->origin->editable;
    }
    if (!source.tree && (!fd_open(j->downloads, m->archive.p, O_RDONLY, 0, &fd, e) ||
                         !fd_map(fd, m->archive.p, &source.bytes, e)))
        return false;
    bool ok = build_wheel(job, &source, &built, e);

    if (source.bytes.n)
        fd_unmap(&source.bytes);
    if (!source.tree)
        (void)unlinkat(j->downloads, m->archive.p, 0); /* one that stays is used or replaced next time */
    if (!ok || !fd_open(AT_FDCWD, built.path, O_RDONLY, 0, &wheel, e))
        return false;
    struct unpack_spec spec = { .store = j->store, .file = built.file, .hex = built.sha256.p, .fd = wheel };

    if (!unpack_run(&spec, j->pool, e) || !store_find(j->store, built.sha256.p, &p->entry, &there, e))
        return false;
    if (!there)
        return err_set(e, ERR_CACHE, "the store lost '" STR_FMT "' just after it was made", STR_ARG(built.file));
    p->sha256 = built.sha256;
    p->have = true;
    return same_release(j->w->a, p, e);
}

static bool build_all(struct job_list *j, const struct pkg_job *job, struct err *e)
{
    for (size_t i = 0; i < j->n; i++)
        if (j->missing[i].wheel->build && !build_one(j, job, &j->missing[i], e))
            return false;
    return true;
}

/* After a failure: running jobs end first, then what was begun is removed. */
static void clean_up(struct job_list *j)
{
    if (j->pool) {
        struct job *done;

        while ((done = work_next(j->pool, true))) {
            struct err ignored = { 0 };
            bool all;

            (void)!unpack_take(done, j->pool, &all, &ignored); /* an error has been found already */
        }
    }
    for (size_t i = 0; i < j->n; i++) {
        if (j->missing[i].unpack)
            unpack_free(j->missing[i].unpack);
        fd_close(&j->missing[i].fd);
    }
    fetch_free(j->fetch);
    work_close(j->pool);
    fd_close(&j->downloads);
    free(j->missing);
}

static bool get_missing(struct job_list *j, const struct pkg_job *job, struct pkg_wheels *out, struct err *e)
{
    if (j->n == 0)
        return true;
    if (!pkg_downloads(j->w, &j->downloads, e) || !pkg_net_open(job->net, j->in, e) || !work_open(0, &j->pool, e))
        return false;
    j->fetch = fetch_new(job->net->http, &j->progress);
    if (!fetch_loop(j, e) || !build_all(j, job, e))
        return false;
    for (size_t i = 0; i < j->n; i++)
        VEC_PUSH_IN(j->w->a, &out->fresh, j->missing[i].wheel->sha256);
    return true;
}

bool pkg_fetch(const struct pkg_job *job, const struct lock_selection *sel, const struct store *store,
               struct pkg_wheels *out, struct err *e)
{
    struct workspace *w = job->w;
    struct timings *t = job->timings;
    struct job_list j = { .w = w, .in = job->in, .store = store, .watch = job->watch, .downloads = -1 };
    const struct tag_set *tags = facts_tags(&w->python, w->a);
    uint64_t begun = clock_us();
    bool ok = true;

    *out = (struct pkg_wheels){ .p = ARENA_ARRAY(w->a, struct pkg_wheel, sel->n), .n = sel->n };
    j.missing = mem_zero(sel->n, sizeof *j.missing);
    for (size_t i = 0; ok && i < sel->n; i++) {
        struct pkg_wheel *p = &out->p[i];

        p->package = sel->package[i];
        ok = pkg_choose_file(job->in, tags, p->package, &p->file, e);
        if (!ok)
            break;
        ok = find_built(&j, job, p, e) && in_store(&j, p, e);
        if (ok && !p->have)
            note_missing(&j, p);
    }
    t->hits += (uint32_t)(sel->n - j.n);
    ok = ok && get_missing(&j, job, out, e);
    t->wheels += (uint32_t)j.unpacked;
    t->bytes += j.progress.bytes_done;
    clean_up(&j);
    t->us[PHASE_FETCH] += clock_us() - begun;
    trace_add(TRACE_PHASE, STR("fetch"), begun, 0);
    if (!ok)
        pkg_wheels_release(out);
    return ok;
}

void pkg_wheels_release(struct pkg_wheels *p)
{
    for (size_t i = 0; i < p->n; i++) {
        if (p->p[i].have)
            store_release(&p->p[i].entry);
        p->p[i].have = false;
    }
}
