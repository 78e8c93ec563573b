#include "daemon/roster.h"

#include <fcntl.h>
#include <inttypes.h>
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

#define NAME_SIZE 48

static bool open_part(int parent, const char *name, int *out, struct err *e)
{
    return file_make_dirs(parent, name, 0700, e) && fd_open_dir(parent, name, out, e);
}

bool roster_open(const char *own_dir, struct roster *out, struct err *e)
{
    AUTO_FD dir = -1;
    struct roster r = { -1, -1 };

    if (!fd_open_dir(AT_FDCWD, own_dir, &dir, e) || !open_part(dir, "projects", &r.projects, e) ||
        !open_part(dir, "sessions", &r.sessions, e)) {
        roster_close(&r);
        return err_as(e, ERR_DAEMON, "open the list of projects");
    }
    *out = r;
    return true;
}

void roster_close(struct roster *r)
{
    fd_close(&r->projects);
    fd_close(&r->sessions);
}

static void name_of(struct str path, uint64_t pid, char out[NAME_SIZE])
{
    (void)snprintf(out, NAME_SIZE, "%016" PRIx64 "-%" PRIu64, hash_fast(path.p, path.n), pid);
}

static bool put(int dir, const struct roster_entry *r, struct err *e)
{
    AUTO_BUF b = { .limit = ROSTER_FILE_MAX };
    struct json_write w;
    char name[NAME_SIZE];

    json_write_init(&w, &b, false);
    json_write_object_begin(&w);
    json_write_member(&w, "path", r->path);
    if (r->pid) {
        json_write_member_u64(&w, "pid", r->pid);
        json_write_member_u64(&w, "start", r->start);
        json_write_member(&w, "boot", r->boot);
    } else {
        json_write_member_bool(&w, "always", r->always);
    }
    json_write_object_end(&w);
    if (!json_write_end(&w))
        return err_set(e, ERR_DAEMON, "the project's path has %zu bytes", r->path.n);
    name_of(r->path, r->pid, name);
    return file_replace(dir, name, buf_done(&b), 0600, FILE_NO_SYNC, e) || err_as(e, ERR_DAEMON, "note the project");
}

bool roster_put_project(const struct roster *r, struct str path, bool always, struct err *e)
{
    return put(r->projects, &(struct roster_entry){ .path = path, .always = always }, e);
}

bool roster_put_session(const struct roster *r, const struct roster_entry *entry, struct err *e)
{
    return put(r->sessions, entry, e);
}

static void drop(int dir, struct str path, uint64_t pid)
{
    char name[NAME_SIZE];

    name_of(path, pid, name);
    (void)unlinkat(dir, name, 0); /* missing is fine; one that stays is looked at again at the next start */
}

void roster_drop_project(const struct roster *r, struct str path)
{
    drop(r->projects, path, 0);
}

void roster_drop_session(const struct roster *r, struct str path, uint64_t pid)
{
    drop(r->sessions, path, pid);
}

static bool read_entry(int dir, const char *name, struct arena *a, struct roster_entry *out)
{
    struct err ignored = { 0 };
    struct str text, key;
    struct json j;

    *out = (struct roster_entry){ 0 };
    if (!fd_read_file(dir, name, ROSTER_FILE_MAX, a, &text, &ignored))
        return false;
    json_init(&j, text, a, &ignored);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("path")))
                (void)json_string(&j, &out->path); /* failures are sticky */
            else if (str_eq(key, STR("always")))
                (void)json_bool(&j, &out->always);
            else if (str_eq(key, STR("pid")))
                (void)json_u64(&j, &out->pid);
            else if (str_eq(key, STR("start")))
                (void)json_u64(&j, &out->start);
            else if (str_eq(key, STR("boot")))
                (void)json_string(&j, &out->boot);
        }
    if (!json_end(&j) || out->path.n == 0 || out->path.p[0] != '/' || str_find(out->path, '\0') != out->path.n)
        return false;
    out->path = arena_str(a, out->path);
    return true;
}

static bool each_in(int dir, struct arena *a, void (*each)(void *ctx, const struct roster_entry *entry), void *ctx,
                    struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct roster_entry entry;

    if (!file_list_open(dir, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        if (d->d_name[0] == '.') {
            (void)unlinkat(dir, d->d_name, 0); /* a crash left it half written */
            continue;
        }
        if (read_entry(dir, d->d_name, a, &entry))
            each(ctx, &entry);
    }
    return e->kind == ERR_NONE;
}

bool roster_projects(const struct roster *r, struct arena *a, void (*each)(void *ctx, const struct roster_entry *entry),
                     void *ctx, struct err *e)
{
    return each_in(r->projects, a, each, ctx, e) || err_as(e, ERR_DAEMON, "read the list of projects");
}

bool roster_sessions(const struct roster *r, struct arena *a, void (*each)(void *ctx, const struct roster_entry *entry),
                     void *ctx, struct err *e)
{
    return each_in(r->sessions, a, each, ctx, e) || err_as(e, ERR_DAEMON, "read the list of sessions");
}

struct str roster_boot(struct arena *a)
{
    struct err ignored = { 0 };
    struct str id;

    if (!fd_read_if_there(AT_FDCWD, "/proc/sys/kernel/random/boot_id", 64, a, &id, &ignored) || !id.p)
        return STR("");
    return str_trim(id);
}
