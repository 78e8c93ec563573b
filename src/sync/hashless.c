/* An index that gives no digests: the file that would be installed is fetched when the lock is made and its sha256
 * recorded, so that every later install is verified against it. Other files without a digest stay out of the lock. */
#include <fcntl.h>
#include <stdio.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "install/fetch.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

static bool has_hashless(const struct lock_package *p)
{
    for (size_t i = 0; i < p->n_wheel; i++)
        if (p->wheel[i].n_hash == 0)
            return true;
    return p->archive && p->archive->n_hash == 0;
}

/* Fetched into the downloads under the name that the install looks for. */
static bool learn_hash(const struct pkg_job *job, const struct lock_file *f, struct lock_file *out, struct err *e)
{
    struct workspace *w = job->w;
    AUTO_FD dir = -1;
    struct fetch_item item = { .url = f->url.n ? f->url : f->path, .name = f->name };

    if (!pkg_downloads(w, &dir, e) || !pkg_net_open(job->net, job->in, e))
        return false;
    item.dir = dir;
    if (!fetch_all(job->net->http, &item, 1, e))
        return err_wrap(e, "learn the hash of '" STR_FMT "', which the index does not give", STR_ARG(f->name));
    struct lock_hash *h = ARENA_NEW(w->a, struct lock_hash);
    const char *name = arena_printf(w->a, "%s.whl", item.sha256).p;

    if (renameat(dir, arena_cstr(w->a, f->name), dir, name) < 0)
        return err_sys(e, "rename " STR_FMT " to %s", STR_ARG(f->name), name);
    *h = (struct lock_hash){ STR("sha256"), arena_str(w->a, str_of(item.sha256)) };
    *out = *f;
    out->hash = h;
    out->n_hash = 1;
    return true;
}

static bool mend(const struct pkg_job *job, const struct tag_set *tags, struct lock_package *p, struct err *e)
{
    struct arena *a = job->w->a;
    const struct lock_file *chosen = NULL;
    struct lock_file *wheel = ARENA_ARRAY(a, struct lock_file, p->n_wheel);
    struct err none = { 0 };
    size_t n = 0;

    if (!pkg_choose_file(job->in, tags, p, &chosen, &none))
        chosen = NULL; /* nothing of it is for here: nothing to learn */
    if (p->archive) {
        struct lock_file *archive = ARENA_NEW(a, struct lock_file);

        if (!learn_hash(job, p->archive, archive, e))
            return false;
        p->archive = archive;
        return true;
    }
    for (size_t i = 0; i < p->n_wheel; i++) {
        if (p->wheel[i].n_hash)
            wheel[n++] = p->wheel[i];
        else if (&p->wheel[i] == chosen && !learn_hash(job, chosen, &wheel[n++], e))
            return false;
    }
    p->wheel = wheel;
    p->n_wheel = n;
    return true;
}

bool pkg_hash_missing(const struct pkg_job *job, struct lock *l, struct err *e)
{
    const struct tag_set *tags = NULL;
    struct lock_package *all = NULL;

    for (size_t i = 0; i < l->n_package; i++) {
        if (!has_hashless(&l->package[i]))
            continue;
        if (!tags) {
            tags = facts_tags(&job->w->python, job->w->a);
            all = ARENA_ARRAY(job->w->a, struct lock_package, l->n_package);
            memcpy(all, l->package, l->n_package * sizeof *all);
            l->package = all;
        }
        if (!mend(job, tags, &all[i], e))
            return false;
    }
    return true;
}
