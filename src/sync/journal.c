#include "sync/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "sync/workspace.h"

#define JOURNAL_MAX ((size_t)128 << 20)
#define FOLDER "projects"
#define EXIT_MEANWHILE 7 /* as for a lock that somebody holds: later it may go */

static bool place(struct workspace *w, bool make, int *dir, char name[64], struct err *e)
{
    const char *folder = arena_printf(w->a, "%s/" FOLDER, w->dirs.state).p;
    uint64_t h = hash_fast(w->where.dir, strlen(w->where.dir));
    bool there;

    (void)snprintf(name, 64, "%016llx.journal", (unsigned long long)h);
    if (make)
        return file_make_dirs(AT_FDCWD, folder, 0700, e) && fd_open_dir(AT_FDCWD, folder, dir, e);
    return fd_open_if_there(AT_FDCWD, folder, O_RDONLY | O_DIRECTORY, dir, &there, e);
}

bool journal_lock(struct workspace *w, int *lock, struct err *e)
{
    AUTO_FD dir = -1;
    char name[64];

    if (!place(w, true, &dir, name, e))
        return false;
    memcpy(name + strlen(name) - strlen("journal"), "lock", sizeof "lock"); /* <hash>.lock beside <hash>.journal */
    return fd_open(dir, name, O_RDWR | O_CREAT, 0600, lock, e) && fd_lock(*lock, true, name, e);
}

static void write_text(struct json_write *j, const char *key, struct str text)
{
    json_write_key(j, str_of(key));
    if (text.p)
        json_write_str(j, text);
    else
        json_write_null(j);
}

bool journal_begin(struct workspace *w, const struct journal_file *file, size_t n, uint32_t seq, struct err *e)
{
    AUTO_FD dir = -1;
    AUTO_BUF b;
    struct json_write j;
    char name[64];

    buf_init(&b, JOURNAL_MAX);
    json_write_init(&j, &b, false);
    json_write_object_begin(&j);
    json_write_member_u64(&j, "seq", seq);
    json_write_key(&j, STR("files"));
    json_write_array_begin(&j);
    for (size_t i = 0; i < n; i++) {
        json_write_object_begin(&j);
        json_write_member_cstr(&j, "name", file[i].name);
        write_text(&j, "old", file[i].old);
        write_text(&j, "new", file[i].new);
        json_write_object_end(&j);
    }
    json_write_array_end(&j);
    json_write_object_end(&j);
    if (!json_write_end(&j))
        return err_set(e, ERR_ENVIRONMENT, "the project's files are too large for the journal");
    return place(w, true, &dir, name, e) && file_replace(dir, name, buf_done(&b), 0600, FILE_SYNC, e);
}

bool journal_unmoved(struct workspace *w, const char *name, struct str read, struct err *e)
{
    struct str now;

    if (!fd_read_if_there(w->dir, name, JOURNAL_MAX, w->a, &now, e))
        return false;
    if (now.p ? read.p && str_eq(now, read) : !read.p)
        return true;
    (void)err_set(e, ERR_ENVIRONMENT, "%s was written by another program meanwhile", name);
    (void)err_hint(e, "nothing was changed; run it again");
    return err_exit(e, EXIT_MEANWHILE);
}

static bool put_back(struct workspace *w, const struct journal_file *f, struct err *e)
{
    struct str now;

    if (!fd_read_if_there(w->dir, f->name, JOURNAL_MAX, w->a, &now, e))
        return false;
    if (!now.p || !str_eq(now, f->new))
        return true; /* not ours any more */
    if (f->old.p)
        return file_replace(w->dir, f->name, f->old, 0666, FILE_SYNC, e);
    return unlinkat(w->dir, f->name, 0) == 0 || err_sys(e, "remove %s", f->name);
}

bool journal_undo(struct workspace *w, const struct journal_file *file, size_t n, struct err *e)
{
    for (size_t i = 0; i < n; i++)
        if (!put_back(w, &file[i], e))
            return err_as(e, ERR_ENVIRONMENT, "put back %s", file[i].name);
    return true;
}

bool journal_end(struct workspace *w, struct err *e)
{
    AUTO_FD dir = -1;
    char name[64];

    if (!place(w, false, &dir, name, e))
        return false;
    if (dir >= 0 && unlinkat(dir, name, 0) < 0 && file_exists(dir, name))
        return err_sys(e, "remove the journal %s", name);
    return true;
}

static bool read_text(struct json *j, struct str *out)
{
    if (json_take_null(j)) {
        *out = (struct str){ NULL, 0 };
        return true;
    }
    return json_string(j, out);
}

static bool read_file(struct workspace *w, struct json *j, struct journal_file *f)
{
    struct str key, name = STR("");

    *f = (struct journal_file){ 0 };
    if (!json_object_begin(j))
        return false;
    while (json_object_next(j, &key)) {
        if (str_eq(key, STR("name")))
            (void)json_string(j, &name);
        else if (str_eq(key, STR("old")))
            (void)read_text(j, &f->old);
        else if (str_eq(key, STR("new")))
            (void)read_text(j, &f->new);
    }
    if (!json_ok(j) || name.n == 0 || str_find(name, '/') < name.n)
        return false;
    f->name = arena_cstr(w->a, name);
    return true;
}

static bool settle(struct workspace *w, struct str text, uint32_t seq, struct err *e)
{
    struct json j;
    struct str key;
    uint64_t before = 0;
    struct journal_file file[8];
    size_t n = 0;

    json_init(&j, text, w->a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("seq")))
                (void)json_u64(&j, &before);
            else if (str_eq(key, STR("files")) && json_array_begin(&j))
                while (json_array_next(&j))
                    if (n == COUNT(file) || !read_file(w, &j, &file[n++]))
                        return json_fail(&j, "a damaged journal");
        }
    }
    if (!json_end(&j))
        return false;
    return before != seq || journal_undo(w, file, n, e);
}

bool journal_is_there(struct workspace *w)
{
    AUTO_FD dir = -1;
    struct err ignored = { 0 };
    char name[64];

    return place(w, false, &dir, name, &ignored) && dir >= 0 && file_exists(dir, name);
}

bool journal_recover(struct workspace *w, uint32_t seq, bool *did, struct err *e)
{
    AUTO_FD dir = -1;
    char name[64];
    struct str text;

    *did = false;
    if (!place(w, false, &dir, name, e))
        return false;
    if (dir < 0)
        return true;
    if (!fd_read_if_there(dir, name, JOURNAL_MAX, w->a, &text, e))
        return false;
    if (!text.p)
        return true;
    *did = true;
    if (!settle(w, text, seq, e)) {
        (void)err_as(e, ERR_ENVIRONMENT, "settle the change that was interrupted");
        return err_hint(e, "look at pyproject.toml and pylock.toml, then remove %s/" FOLDER "/%s", w->dirs.state, name);
    }
    return journal_end(w, e);
}
