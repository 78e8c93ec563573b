#include "cli/recovered.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "cli/cell.h"
#include "cli/cell_journal.h"
#include "cli/common.h"
#include "cli/sockets.h"
#include "cli/ui.h"
#include "codec/toml_edit.h"
#include "jail/uppers.h"

#define FOLDER "recovered"
#define NAME_ROOM 64
#define TRIES 1000 /* names of one second */
#define DEPTH_MAX 128

/* ------------------------------------------------------------ taking */

/* "MARK-20260131T235959Z", with a number behind it from the second of that name on. */
static void format_name(const char *mark, int64_t now, unsigned i, char out[NAME_ROOM])
{
    time_t t = (time_t)now;
    struct tm tm = { 0 };
    char text[32] = "";

    (void)gmtime_r(&t, &tm);
    (void)strftime(text, sizeof text, "%Y%m%dT%H%M%SZ", &tm);
    if (i)
        (void)snprintf(out, NAME_ROOM, "%s-%s-%u", mark, text, i);
    else
        (void)snprintf(out, NAME_ROOM, "%s-%s", mark, text);
}

/* Before it is moved: what is in FOLDER is whole. */
static bool note_when(int dir, const char *name, int64_t now, struct arena *a, struct err *e)
{
    AUTO_BUF text = { .limit = UPPERS_ABOUT_MAX };
    AUTO_FD own = -1;
    struct uppers_about about = { 0 };
    struct err ignored = { 0 }; /* a power cut may have left none: then nobody knows over what it lay */
    struct str json;

    if (!fd_open_dir(dir, name, &own, e))
        return false;
    if (!fd_read_file(own, UPPERS_ABOUT, UPPERS_ABOUT_MAX, a, &json, &ignored) ||
        !uppers_about_parse(json, a, &about, &ignored))
        about = (struct uppers_about){ 0 };
    about.kept = now;
    return (uppers_about_format(&about, &text) || err_set(e, ERR_ENVIRONMENT, "the paths are too long to be noted")) &&
           file_replace(own, UPPERS_ABOUT, buf_done(&text), 0600, FILE_SYNC, e);
}

static bool move(const struct workspace *w, int dir, const char *name, char out[NAME_ROOM], struct arena *a,
                 struct err *e)
{
    char mark[SOCKETS_MARK];
    int64_t now = clock_now();
    AUTO_FD to = -1;

    sockets_mark(w, mark);
    if (!sockets_open_dir(w, FOLDER, true, &to))
        return err_set(e, ERR_ENVIRONMENT, "make %s/" FOLDER, w->dirs.state);
    if (!note_when(dir, name, now, a, e) || !uppers_strip(dir, name, e))
        return false;
    for (unsigned i = 0; i < TRIES; i++) {
        format_name(mark, now, i, out);
        if (renameat2(dir, name, to, out, RENAME_NOREPLACE) == 0)
            return file_sync_dir(to, FOLDER, e) && file_sync_dir(dir, CELL_DIR, e);
        if (errno != EEXIST)
            break;
    }
    return err_sys(e, "move it to %s/" FOLDER "/%s", w->dirs.state, out);
}

static bool is_left(const char *name, struct str begins)
{
    struct str stem = str_of(name);

    return str_starts(stem, begins) &&
           (str_cut_suffix(&stem, STR(UPPERS_SUFFIX)) || str_cut_suffix(&stem, STR(UPPERS_DROPPED)));
}

/* Of one that nobody uses; its path when it was kept. */
static struct str take_one(const struct workspace *w, int dir, const char *name, struct arena *a)
{
    struct str stem = str_of(name);
    struct err e = { 0 };
    char to[NAME_ROOM];

    if (!str_cut_suffix(&stem, STR(UPPERS_SUFFIX)) || str_starts(stem, STR(UPPERS_TRY ".")) ||
        !uppers_is_changed(dir, name)) {
        if (!uppers_remove(dir, name, &e))
            ui_warn("what a sandbox left cannot be removed: %.*s", (int)e.n, e.text);
        return STR("");
    }
    if (!move(w, dir, name, to, a, &e)) {
        ui_warn("what a sandbox changed before it was killed stays in %s/" CELL_DIR "/%s: %.*s", w->dirs.state, name,
                (int)e.n, e.text);
        return STR("");
    }
    ui_note("a sandbox was killed; what it had changed is kept: blast sandbox recovered lists %s", to);
    return arena_printf(a, "%s/" FOLDER "/%s", w->dirs.state, to);
}

struct str recovered_take(const struct workspace *w, int dir, const char *name, unsigned wait_ms, struct arena *a)
{
    AUTO_FILE_LIST list = { 0 };
    VEC(const char *) left = { 0 }; /* first, as they are moved away below */
    struct err ignored = { 0 };
    struct str kept = STR("");
    const struct dirent *d;

    if (!file_list_open(dir, ".", &list, &ignored))
        return kept;
    while (file_list_next(&list, &d, &ignored))
        if (is_left(d->d_name, str_of(name)))
            VEC_PUSH_IN(a, &left, arena_cstr(a, str_of(d->d_name)));
    for (size_t i = 0; i < left.n && !kept.n; i++) {
        int lock;

        if (!uppers_take(dir, left.p[i], wait_ms, &lock))
            continue; /* in use */
        kept = take_one(w, dir, left.p[i], a);
        fd_close(&lock);
    }
    return kept;
}

/* ------------------------------------------------------------ looking */

struct count {
    uint64_t files, bytes, removed;
    bool whole; /* all of it was counted */
};

/* Reads and changes nothing: what the program has shut, or made deeper than this, is not counted, and that is said. */
static void count_below(int at, const char *name, unsigned depth, struct count *out)
{
    AUTO_FD fd = openat(at, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    AUTO_FILE_LIST list = { 0 };
    struct err ignored = { 0 };
    const struct dirent *d;
    struct stat st;

    if (fd < 0 || depth == 0 || !file_list_open(fd, ".", &list, &ignored)) {
        out->whole = false;
        return;
    }
    while (file_list_next(&list, &d, &ignored)) {
        if (fstatat(fd, d->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0) {
            out->whole = false;
        } else if (S_ISDIR(st.st_mode)) {
            count_below(fd, d->d_name, depth - 1, out);
        } else if (S_ISCHR(st.st_mode) && st.st_rdev == makedev(0, 0)) {
            out->removed++;
        } else {
            out->files++;
            out->bytes += (uint64_t)st.st_blocks * 512 / (uint64_t)MAX(st.st_nlink, 1u);
        }
    }
}

/* Names in the order of their time. */
static int by_name(const void *x, const void *y)
{
    return strcmp(*(const char *const *)x, *(const char *const *)y);
}

static const char **find_kept(const struct workspace *w, struct arena *a, int *folder, size_t *n)
{
    AUTO_FILE_LIST list = { 0 };
    VEC(const char *) found = { 0 };
    struct err ignored = { 0 };
    const struct dirent *d;
    char mark[SOCKETS_MARK];

    sockets_mark(w, mark);
    *n = 0;
    if (!sockets_open_dir(w, FOLDER, false, folder) || !file_list_open(*folder, ".", &list, &ignored))
        return NULL;
    while (file_list_next(&list, &d, &ignored))
        if (str_starts(str_of(d->d_name), str_of(mark)))
            VEC_PUSH_IN(a, &found, arena_cstr(a, str_of(d->d_name)));
    *n = found.n;
    if (found.n)
        qsort(found.p, found.n, sizeof *found.p, by_name);
    return found.p;
}

static struct uppers_about read_about(int folder, const char *name, struct arena *a)
{
    struct uppers_about about = { 0 };
    struct err ignored = { 0 };
    struct str json;
    AUTO_FD own = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (own < 0 || !fd_read_file(own, UPPERS_ABOUT, UPPERS_ABOUT_MAX, a, &json, &ignored) ||
        !uppers_about_parse(json, a, &about, &ignored))
        return (struct uppers_about){ 0 };
    return about;
}

/* One directory of changes. */
struct layer {
    const char *name;
    struct str path, over; /* over: n == 0, nobody knows */
    int64_t since, kept;
    struct count count;
};

static struct layer *find_layers(const struct workspace *w, struct arena *a, size_t *n)
{
    AUTO_FD folder = -1;
    size_t n_names;
    const char **name = find_kept(w, a, &folder, &n_names);
    VEC(struct layer) all = { 0 };

    for (size_t i = 0; i < n_names; i++) {
        struct uppers_about about = read_about(folder, name[i], a);

        for (unsigned k = 0; k < UPPERS_MAX; k++) {
            struct str below = arena_printf(a, "%s/%u/upper", name[i], k);
            struct layer one = { .name = name[i], .over = k < about.n ? about.over[k] : STR(""), .since = about.since,
                                 .kept = about.kept, .count = { .whole = true } };

            if (!uppers_layer_is_changed(folder, name[i], k))
                continue;
            one.path = arena_printf(a, "%s/" FOLDER "/" STR_FMT, w->dirs.state, STR_ARG(below));
            count_below(folder, below.p, DEPTH_MAX, &one.count);
            VEC_PUSH_IN(a, &all, one);
        }
    }
    *n = all.n;
    return all.p;
}

static void print_json(const struct layer *layer, size_t n)
{
    struct json_result out;

    json_result_begin(&out, "blast.sandbox-recovered/1");
    json_write_key(&out.w, STR("recovered"));
    json_write_array_begin(&out.w);
    for (size_t i = 0; i < n; i++) {
        const struct layer *l = &layer[i];

        json_write_object_begin(&out.w);
        json_write_member_cstr(&out.w, "name", l->name);
        json_write_member(&out.w, "path", l->path);
        json_write_member_cstr(&out.w, "over", l->over.n ? l->over.p : NULL);
        json_write_key(&out.w, STR("since"));
        json_write_i64(&out.w, l->since);
        json_write_key(&out.w, STR("kept"));
        json_write_i64(&out.w, l->kept);
        json_write_member_u64(&out.w, "files", l->count.files);
        json_write_member_u64(&out.w, "removed", l->count.removed);
        json_write_member_u64(&out.w, "bytes", l->count.bytes);
        json_write_member_bool(&out.w, "counted_whole", l->count.whole);
        json_write_object_end(&out.w);
    }
    json_write_array_end(&out.w);
    json_result_end(&out);
}

static void print_layers(struct cmd *c, const struct layer *layer, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const struct layer *l = &layer[i];
        char since[CLOCK_TEXT] = "an unknown time";

        if (l->since)
            clock_format(l->since, since);
        if (i == 0 || strcmp(l->name, layer[i - 1].name) != 0)
            ui_out("%s  of a sandbox made at %s\n", l->name, since);
        ui_out("  over " STR_FMT ": %llu file%s, %llu removed, %.1f kB%s\n    " STR_FMT "\n",
               STR_ARG(l->over.n ? toml_quote(c->a, l->over) : STR("an unknown directory")),
               (unsigned long long)l->count.files, l->count.files == 1 ? "" : "s", (unsigned long long)l->count.removed,
               (double)l->count.bytes / 1e3, l->count.whole ? "" : ", and what cannot be read or lies too deep",
               STR_ARG(l->path));
    }
}

/* Of sandboxes that nobody has come to since. */
static void take_all(struct workspace *w)
{
    char mark[SOCKETS_MARK];
    AUTO_FD dir = -1; /* its lock is let go of with it */

    sockets_mark(w, mark);
    if (sockets_open_dir(w, CELL_DIR, false, &dir) && flock(dir, LOCK_EX) == 0)
        cell_journal_recover(w, dir, mark);
}

bool recovered_show(struct cmd *c, struct workspace *w)
{
    size_t n;

    take_all(w);
    struct layer *layer = find_layers(w, c->a, &n);

    if (ui.json)
        print_json(layer, n);
    else if (n == 0)
        ui_note("nothing of a killed sandbox is kept for this project");
    else
        print_layers(c, layer, n);
    return true;
}

bool recovered_drop(struct cmd *c, struct workspace *w, const char *name, struct err *e)
{
    AUTO_FD folder = -1;
    size_t n, dropped = 0;
    struct json_result out;

    take_all(w);
    const char **all = find_kept(w, c->a, &folder, &n);

    for (size_t i = 0; i < n; i++) {
        if (name && strcmp(name, all[i]) != 0)
            continue;
        if (!uppers_remove(folder, all[i], e))
            return err_as(e, ERR_ENVIRONMENT, "drop what was kept of a sandbox");
        dropped++;
    }
    if (name && dropped == 0) {
        (void)err_set(e, ERR_CONFIG, "nothing that is kept for this project has the name '%s'", name);
        return err_hint(e, "blast sandbox recovered");
    }
    ui_note("dropped %zu", dropped);
    if (ui.json) {
        json_result_begin(&out, "blast.sandbox-dropped/1");
        json_write_member_u64(&out.w, "dropped", dropped);
        json_result_end(&out);
    }
    return true;
}
