#include "store/gc.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/map.h"
#include "store/guard.h"
#include "store/store.h"

#define STALE_SECONDS 3600

static bool judge_entry(const struct store *s, const char *hex, const struct map *live, bool dry_run,
                        struct gc_result *r, struct err *e)
{
    struct store_entry entry;
    bool there;

    if (strlen(hex) != HASH_HEX256)
        return true; /* not ours */
    if (map_find(live, str_of(hex)) != MAP_NONE) {
        r->kept++;
        return true;
    }
    if (!store_find(s, hex, &entry, &there, e))
        return false;
    if (there) {
        r->bytes += entry.bytes;
        store_release(&entry);
    }
    r->removed++;
    return dry_run || store_drop(s, hex, e);
}

static bool judge_fan(const struct store *s, const char *fan, const struct map *live, bool dry_run,
                      struct gc_result *r, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (!file_list_open(s->trees, fan, &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (!judge_entry(s, d->d_name, live, dry_run, r, e))
            return false;
    return e->kind == ERR_NONE;
}

/* We hold the store alone, so whatever lies there belongs to nobody; the hour is for other hosts on a shared disk. */
static bool sweep_remains(const struct store *s, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    AUTO_FD tmp = -1;
    const struct dirent *d;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now); /* file times are by this clock, never by BLAST_NOW */
    if (!fd_open_dir(s->dir, "tmp", &tmp, e) || !file_list_open(tmp, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        struct stat st;

        if (fstatat(tmp, d->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && now.tv_sec - st.st_mtime > STALE_SECONDS &&
            !file_remove_tree(tmp, d->d_name, e))
            return false;
    }
    return e->kind == ERR_NONE;
}

bool gc_run(const struct store *s, const struct map *live, bool dry_run, struct gc_result *out, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    struct gc_result r = { 0 };
    const struct dirent *d;
    AUTO_FD lock = -1;

    err_clear(e);
    if (!guard_try(s, GUARD_ALONE, &lock, e))
        return false;
    if (lock < 0) {
        (void)err_set(e, ERR_CACHE, "the store '%s' is in use", s->path);
        (void)err_hint(e, "wait until the running installation is done");
        return err_exit(e, 7);
    }
    if (!file_list_open(s->trees, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (!judge_fan(s, d->d_name, live, dry_run, &r, e))
            return err_as(e, ERR_CACHE, "clean the store '%s'", s->path);
    if (e->kind != ERR_NONE || (!dry_run && !sweep_remains(s, e)))
        return err_as(e, ERR_CACHE, "clean the store '%s'", s->path);
    *out = r;
    return true;
}
