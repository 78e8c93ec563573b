#include "lock/export.h"

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "lock/lock.h"
#include "pep/direct_url.h"
#include "pep/marker.h"

static int order_packages(const void *a, const void *b)
{
    const struct lock_package *x = *(const struct lock_package *const *)a, *y = *(const struct lock_package *const *)b;
    int c = str_cmp(x->name, y->name);

    if (!c)
        c = str_cmp(x->version, y->version);
    return c ? c : (x > y) - (x < y);
}

/* The fragment of a direct reference: where in the archive or repository the project lies. */
static void write_subdirectory(struct str subdirectory, struct buf *out)
{
    if (subdirectory.n)
        buf_printf(out, "#subdirectory=" STR_FMT, STR_ARG(subdirectory));
}

static void write_requirement(const struct lock_package *p, struct arena *room, struct buf *out)
{
    if (p->directory) {
        if (p->directory->editable)
            buf_str(out, STR("-e "));
        buf_str(out, p->directory->path);
        return;
    }
    buf_str(out, p->name);
    if (p->archive) {
        buf_str(out, STR(" @ "));
        buf_str(out, p->archive->url.n ? url_without_credentials(room, p->archive->url) : p->archive->path);
        write_subdirectory(p->archive->subdirectory, out);
    } else if (p->vcs) {
        struct str place = p->vcs->url.n ? url_without_credentials(room, p->vcs->url) : p->vcs->path;

        buf_printf(out, " @ " STR_FMT "+" STR_FMT "@" STR_FMT, STR_ARG(p->vcs->type), STR_ARG(place),
                   STR_ARG(p->vcs->commit_id));
        write_subdirectory(p->vcs->subdirectory, out);
    } else if (p->version.n) {
        buf_printf(out, "==" STR_FMT, STR_ARG(p->version));
    }
}

static bool write_marker(const struct lock_package *p, struct buf *out, struct err *e)
{
    if (!p->marker)
        return true;
    if (marker_mentions(p->marker, MARKER_EXTRAS) || marker_mentions(p->marker, MARKER_DEPENDENCY_GROUPS)) {
        err_set(e, ERR_PACKAGE, "'" STR_FMT "' is for an extra or a group, which requirements.txt cannot say",
                STR_ARG(p->name));
        return err_hint(e, "lock into pylock.toml, or lock without extras and groups");
    }
    bool url = p->archive || p->vcs;

    buf_str(out, url ? STR(" ; ") : STR("; "));
    return marker_format(p->marker, out) || out->full;
}

static void add_hashes(const struct lock_file *f, struct arena *room, struct str *all, size_t *n)
{
    for (size_t i = 0; i < f->n_hash; i++)
        all[(*n)++] = arena_printf(room, STR_FMT ":" STR_FMT, STR_ARG(f->hash[i].alg), STR_ARG(f->hash[i].hex));
}

static bool write_hashes(const struct lock_package *p, struct arena *room, struct buf *out, struct err *e)
{
    size_t most = (p->sdist ? p->sdist->n_hash : 0) + (p->archive ? p->archive->n_hash : 0), n = 0;

    for (size_t i = 0; i < p->n_wheel; i++)
        most += p->wheel[i].n_hash;
    if (!most)
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' has no file that could be hashed", STR_ARG(p->name));

    struct str *all = ARENA_ARRAY(room, struct str, most);

    if (p->sdist)
        add_hashes(p->sdist, room, all, &n);
    if (p->archive)
        add_hashes(p->archive, room, all, &n);
    for (size_t i = 0; i < p->n_wheel; i++)
        add_hashes(&p->wheel[i], room, all, &n);
    qsort(all, n, sizeof *all, str_order);
    for (size_t i = 0; i < n; i++)
        if (i == 0 || !str_eq(all[i], all[i - 1]))
            buf_printf(out, " \\\n    --hash=" STR_FMT, STR_ARG(all[i]));
    return true;
}

bool export_requirements(const struct lock *l, const struct export_options *options, struct buf *out, struct err *e)
{
    AUTO_ARENA room = { 0 };
    const struct lock_package **sorted = ARENA_ARRAY(&room, const struct lock_package *, l->n_package);

    for (size_t i = 0; i < l->n_package; i++)
        sorted[i] = &l->package[i];
    if (l->n_package)
        qsort(sorted, l->n_package, sizeof *sorted, order_packages);
    for (size_t i = 0; i < l->n_package; i++) {
        write_requirement(sorted[i], &room, out);
        if (options->markers && !write_marker(sorted[i], out, e))
            return false;
        if (options->hashes && !write_hashes(sorted[i], &room, out, e))
            return false;
        buf_char(out, '\n');
    }
    return !out->full || err_set(e, ERR_PACKAGE, "the requirements pass %zu bytes", out->limit);
}
