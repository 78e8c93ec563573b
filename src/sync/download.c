#include "sync/download.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "install/fetch.h"
#include "lock/lock.h"
#include "sync/inputs.h"
#include "sync/origin.h"
#include "sync/pkg_layer.h"
#include "sync/workspace.h"

static bool choose(const struct pkg_job *job, const struct lock_selection *sel, int dir, struct fetch_item *item,
                   struct err *e)
{
    const struct tag_set *tags = facts_tags(&job->w->python, job->w->a);

    for (size_t i = 0; i < sel->n; i++) {
        const struct lock_file *f;

        if (!pkg_choose_file(job->in, tags, sel->package[i], &f, e))
            return false;
        if (!f)
            return err_set(e, ERR_PACKAGE, STR_FMT " comes from a source tree: there is no file to download",
                           STR_ARG(sel->package[i]->name));
        struct str hex = lock_file_hash(f, STR("sha256"));

        item[i] = (struct fetch_item){ .url = f->url.n ? f->url : f->path, .name = f->name, .hash = hex,
                                       .hash_name = hex.n ? STR("sha256") : STR(""), .dir = dir,
                                       .size = f->size == LOCK_NO_SIZE ? 0 : f->size };
    }
    return true;
}

bool sync_download(struct workspace *w, const char *dir, const struct watch *watch, struct timings *t,
                   struct str_list *names, struct err *e)
{
    struct inputs in;
    struct lock lock = { 0 };
    struct lock_selection sel;
    AUTO_PKG_NET net = { 0 };
    AUTO_FD to = -1;
    struct pkg_job job = { .w = w, .in = &in, .net = &net, .watch = watch, .timings = t };

    pkg_net_init(&net, w);
    if (!workspace_python(w, e) || !inputs_gather(w, &in, e) || !pkg_resolve(&job, NULL, 0, &lock, e))
        return false;
    struct lock_scope scope = { .env = &w->python.marker };

    if (!lock_select(w->a, &lock, &scope, &sel, e) || !file_make_dirs(AT_FDCWD, dir, 0777, e) ||
        !fd_open_dir(AT_FDCWD, dir, &to, e))
        return false;
    struct fetch_item *item = ARENA_ARRAY(w->a, struct fetch_item, sel.n + 1);
    struct str *name = ARENA_ARRAY(w->a, struct str, sel.n + 1);

    *names = (struct str_list){ name, sel.n };
    if (!choose(&job, &sel, to, item, e))
        return false;
    for (size_t i = 0; i < sel.n; i++)
        name[i] = item[i].name;
    return pkg_net_open(&net, &in, e) && fetch_all(net.http, item, sel.n, e);
}
