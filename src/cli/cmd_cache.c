/* blast cache: where downloads, pages and unpacked wheels are, how much it is, and getting rid of it. */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/file.h"
#include "base/map.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/registry.h"
#include "store/gc.h"
#include "store/store.h"

#define DEPTH_MAX 64

static bool tree_size(int dir, const char *path, unsigned depth, uint64_t *bytes, uint64_t *files, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (depth > DEPTH_MAX || !file_exists(dir, path))
        return true;
    if (!file_list_open(dir, path, &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        struct stat st;

        if (fstatat(dirfd(list.handle), d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue; /* removed meanwhile */
        if (S_ISDIR(st.st_mode)) {
            if (!tree_size(dirfd(list.handle), d->d_name, depth + 1, bytes, files, e))
                return false;
        } else {
            *bytes += (uint64_t)st.st_blocks * 512;
            ++*files;
        }
    }
    return e->kind == ERR_NONE;
}

static struct str human(struct arena *a, uint64_t bytes)
{
    return bytes < 1000000 ? arena_printf(a, "%.1f kB", (double)bytes / 1e3)
           : bytes < 1000000000 ? arena_printf(a, "%.1f MB", (double)bytes / 1e6)
                                : arena_printf(a, "%.2f GB", (double)bytes / 1e9);
}

static bool show_dirs(const struct workspace *w)
{
    if (ui.json) {
        struct json_result r;

        json_result_begin(&r, "blast.cache/1");
        json_write_member_cstr(&r.w, "cache", w->dirs.cache);
        json_write_member_cstr(&r.w, "store", w->dirs.store);
        json_write_member_cstr(&r.w, "state", w->dirs.state);
        json_result_end(&r);
    } else {
        ui_out("cache  %s\nstore  %s\nstate  %s\n", w->dirs.cache, w->dirs.store, w->dirs.state);
    }
    return true;
}

static bool show_size(struct cmd *c, const struct workspace *w, struct err *e)
{
    uint64_t bytes[2] = { 0 }, files[2] = { 0 };

    if (!tree_size(AT_FDCWD, w->dirs.cache, 0, &bytes[0], &files[0], e) ||
        !tree_size(AT_FDCWD, w->dirs.store, 0, &bytes[1], &files[1], e))
        return err_as(e, ERR_CACHE, "measure the cache");
    if (ui.json) {
        struct json_result r;

        json_result_begin(&r, "blast.cache/1");
        json_write_member_u64(&r.w, "cache_bytes", bytes[0]);
        json_write_member_u64(&r.w, "store_bytes", bytes[1]);
        json_result_end(&r);
        return true;
    }
    ui_out("cache  " STR_FMT "  %llu files\n", STR_ARG(human(c->a, bytes[0])), (unsigned long long)files[0]);
    ui_out("store  " STR_FMT "  %llu files\n", STR_ARG(human(c->a, bytes[1])), (unsigned long long)files[1]);
    return true;
}

static bool collect(struct cmd *c, const struct workspace *w, struct err *e)
{
    struct store s;
    AUTO_MAP live = { 0 };
    struct gc_result result = { 0 };
    bool dry = option_flag(&c->options, OPT_DRY_RUN);

    if (!store_open(w->dirs.store, &s, e))
        return err_as(e, ERR_CACHE, "open the store");
    struct registry_env *over;
    size_t n_over;
    bool ok = registry_over(w->dirs.state, c->a, &over, &n_over, e) && registry_live(w->dirs.state, c->a, &live, e) &&
              gc_run(&s, &(struct gc_spec){ .live = &live, .dry_run = dry }, &result, e);

    store_close(&s);
    if (!ok)
        return false;
    if (ui.json) {
        struct json_result r;

        json_result_begin(&r, "blast.cache/1");
        json_write_member_u64(&r.w, "removed", result.removed);
        json_write_member_u64(&r.w, "bytes", result.bytes);
        json_write_member_u64(&r.w, "kept", result.kept);
        json_write_member_bool(&r.w, "dry_run", dry);
        json_write_key(&r.w, STR("impossible"));
        json_write_array_begin(&r.w);
        for (size_t i = 0; i < n_over; i++)
            json_write_str(&r.w, over[i].path);
        json_write_array_end(&r.w);
        json_result_end(&r);
    }
    for (size_t i = 0; i < n_over && result.removed; i++)
        ui_note("%s be had again: the history of " STR_FMT ", which was deleted over 14 days ago",
                dry ? "could not" : "can not", STR_ARG(over[i].path));
    ui_note("%s %llu wheels, " STR_FMT "; %llu stay because environments or their history need them",
            dry ? "would remove" : "removed", (unsigned long long)result.removed,
            STR_ARG(human(c->a, result.bytes)), (unsigned long long)result.kept);
    return true;
}

/* Every entry against its digests. */
static bool verify(struct cmd *c, const struct workspace *w, struct err *e)
{
    struct store s;
    uint64_t good = 0, bad = 0;

    if (!store_open(w->dirs.store, &s, e))
        return err_as(e, ERR_CACHE, "open the store");
    AUTO_FILE_LIST outer = { NULL };
    const struct dirent *d, *f;
    bool ok = file_list_open(s.trees, ".", &outer, e);

    while (ok && file_list_next(&outer, &d, e)) {
        AUTO_FILE_LIST inner = { NULL };
        char first[256];

        (void)snprintf(first, sizeof first, "%s", d->d_name);
        ok = file_list_open(s.trees, first, &inner, e);
        while (ok && file_list_next(&inner, &f, e)) {
            struct store_entry entry;
            struct err why = { 0 };
            bool there;

            ok = store_find(&s, f->d_name, &entry, &there, e);
            if (!ok || !there)
                continue;
            if (store_verify(&s, &entry, &why)) {
                good++;
            } else {
                bad++;
                ui_warn(STR_FMT " " STR_FMT ": %s", STR_ARG(entry.name), STR_ARG(entry.version), why.text);
                ok = store_drop(&s, f->d_name, e);
            }
            store_release(&entry);
        }
    }
    store_close(&s);
    if (!ok || e->kind != ERR_NONE)
        return false;
    if (ui.json) {
        struct json_result r;

        json_result_begin(&r, "blast.cache/1");
        json_write_member_u64(&r.w, "good", good);
        json_write_member_u64(&r.w, "bad", bad);
        json_result_end(&r);
    }
    ui_note("%llu wheels are as they were stored%s", (unsigned long long)good,
            bad ? arena_printf(c->a, ", %llu were damaged and taken out", (unsigned long long)bad).p : "");
    c->exit_code = bad ? 1 : 0;
    return true;
}

static void cleared_json(const struct workspace *w, bool deleted)
{
    struct json_result r;

    if (!ui.json)
        return;
    json_result_begin(&r, "blast.cache/1");
    json_write_member_cstr(&r.w, "path", w->dirs.cache);
    json_write_member_bool(&r.w, "deleted", deleted);
    json_result_end(&r);
}

static bool clear(struct cmd *c, const struct workspace *w, struct err *e)
{
    if (option_flag(&c->options, OPT_DRY_RUN)) {
        cleared_json(w, false);
        ui_note("would delete %s", w->dirs.cache);
        return true;
    }
    if (!option_flag(&c->options, OPT_YES) && !ui_confirm(arena_printf(c->a, "delete %s?", w->dirs.cache).p)) {
        (void)err_set(e, ERR_CACHE, "deleting %s was not confirmed", w->dirs.cache);
        return err_hint(e, "blast cache clear --yes deletes without asking; the store of unpacked wheels stays, "
                           "blast cache gc shrinks it");
    }
    if (!file_remove_tree(AT_FDCWD, w->dirs.cache, e))
        return err_as(e, ERR_CACHE, "delete %s", w->dirs.cache);
    cleared_json(w, true);
    ui_note("deleted %s", w->dirs.cache);
    return true;
}

bool cmd_cache(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct str verb = c->options.words.n ? c->options.words.p[0] : STR("dir");

    common_request(c, &r);
    if (c->options.words.n > 1)
        return err_set(e, ERR_CONFIG, "blast cache takes one word, not %zu", c->options.words.n);
    if (!common_open(c, &r, &w, e))
        return false;
    if (str_eq(verb, STR("dir")))
        return show_dirs(&w);
    if (str_eq(verb, STR("size")))
        return show_size(c, &w, e);
    if (str_eq(verb, STR("gc")))
        return collect(c, &w, e);
    if (str_eq(verb, STR("verify")))
        return verify(c, &w, e);
    if (str_eq(verb, STR("clear")))
        return clear(c, &w, e);
    (void)err_set(e, ERR_CONFIG, "blast cache knows dir, size, gc, verify and clear, not '" STR_FMT "'", STR_ARG(verb));
    return err_hint(e, "blast cache --help");
}
