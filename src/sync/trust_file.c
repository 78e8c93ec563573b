#include "sync/trust_file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "sync/trust.h"
#include "sync/workspace.h"

#define SCHEMA 1
#define RECORD_MAX ((size_t)1 << 20)

static const char *file_of(struct workspace *w)
{
    return arena_printf(w->a, "%s/trust/%016llx.json", w->dirs.state,
                        (unsigned long long)hash_fast(w->where.dir, strlen(w->where.dir))).p;
}

/* ------------------------------------------------------------ reading */

struct identity {
    struct str path;
    uint64_t schema, device, inode, owner;
};

static void read_settings(struct json *j, struct arena *a, struct trust_record *r)
{
    VEC(struct trust_accepted) v = { 0 };
    struct str key;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j)) {
        struct trust_accepted s = { 0 };

        if (!json_object_begin(j))
            return;
        while (json_object_next(j, &key)) {
            if (str_eq(key, STR("name")))
                (void)json_string(j, &s.name);
            else if (str_eq(key, STR("value")))
                (void)json_string(j, &s.value);
            else if (str_eq(key, STR("digest")))
                (void)json_string(j, &s.digest);
        }
        VEC_PUSH_IN(a, &v, s);
    }
    r->p = v.p;
    r->n = v.n;
}

static void read_startup(struct json *j, struct arena *a, struct trust_record *r)
{
    VEC(struct str) v = { 0 };

    if (!json_array_begin(j))
        return;
    while (json_array_next(j)) {
        struct str s = { 0 };

        if (json_string(j, &s))
            VEC_PUSH_IN(a, &v, s);
    }
    r->startup = v.p;
    r->n_startup = v.n;
}

static void read_member(struct json *j, struct str key, struct arena *a, struct identity *id, struct trust_record *r)
{
    if (str_eq(key, STR("schema")))
        (void)json_u64(j, &id->schema);
    else if (str_eq(key, STR("path")))
        (void)json_string(j, &id->path);
    else if (str_eq(key, STR("device")))
        (void)json_u64(j, &id->device);
    else if (str_eq(key, STR("inode")))
        (void)json_u64(j, &id->inode);
    else if (str_eq(key, STR("owner")))
        (void)json_u64(j, &id->owner);
    else if (str_eq(key, STR("full")))
        (void)json_bool(j, &r->full);
    else if (str_eq(key, STR("given")))
        (void)json_i64(j, &r->given);
    else if (str_eq(key, STR("settings")))
        read_settings(j, a, r);
    else if (str_eq(key, STR("startup")))
        read_startup(j, a, r);
}

/* Trust lies where only its owner writes: a record that others could have made counts for nothing. */
static bool read_text(const char *path, struct arena *a, struct str *out, struct err *e)
{
    AUTO_FD fd = -1;
    struct stat st;
    bool there;

    *out = (struct str){ NULL, 0 };
    if (!fd_open_if_there(AT_FDCWD, path, O_RDONLY | O_NOFOLLOW, &fd, &there, e))
        return false;
    if (!there)
        return true;
    if (fstat(fd, &st) < 0)
        return err_sys(e, "stat %s", path);
    if (st.st_uid != geteuid() || (st.st_mode & 022) || (size_t)st.st_size > RECORD_MAX)
        return true;
    AUTO_BUF b = { .limit = RECORD_MAX };

    if (!fd_read_all(fd, &b, path, e))
        return false;
    *out = arena_str(a, buf_done(&b));
    return true;
}

bool trust_record_load(struct workspace *w, struct trust_record *out, struct err *e)
{
    struct trust_record r = { 0 };
    struct identity id = { 0 };
    struct err damaged = { 0 };
    struct str text, key;
    struct stat st;
    struct json j;

    *out = r;
    if (!read_text(file_of(w), w->a, &text, e))
        return false;
    if (!text.p)
        return true;
    json_init(&j, text, w->a, &damaged);
    if (json_object_begin(&j))
        while (json_object_next(&j, &key))
            read_member(&j, key, w->a, &id, &r);
    if (!json_end(&j) || id.schema != SCHEMA)
        return true; /* cut short, or of a newer Blast: asked again */
    if (fstat(w->dir, &st) < 0)
        return err_sys(e, "stat %s", w->where.dir);
    r.there = str_eq(id.path, str_of(w->where.dir)) && id.device == (uint64_t)st.st_dev &&
              id.inode == (uint64_t)st.st_ino && id.owner == st.st_uid;
    r.other = !r.there;
    *out = r;
    return true;
}

/* ------------------------------------------------------------ writing */

static void write_lists(struct json_write *j, const struct trust_record *r)
{
    json_write_key(j, STR("settings"));
    json_write_array_begin(j);
    for (size_t i = 0; i < r->n; i++) {
        json_write_object_begin(j);
        json_write_member(j, "name", r->p[i].name);
        json_write_member(j, "value", r->p[i].value);
        json_write_member(j, "digest", r->p[i].digest);
        json_write_object_end(j);
    }
    json_write_array_end(j);
    json_write_key(j, STR("startup"));
    json_write_array_begin(j);
    for (size_t i = 0; i < r->n_startup; i++)
        json_write_str(j, r->startup[i]);
    json_write_array_end(j);
}

bool trust_record_save(struct workspace *w, const struct trust_record *r, struct err *e)
{
    AUTO_BUF b = { .limit = RECORD_MAX };
    AUTO_FD dir = -1;
    struct json_write j;
    struct stat st;
    const char *path = file_of(w);
    const char *folder = arena_printf(w->a, "%s/trust", w->dirs.state).p;

    if (fstat(w->dir, &st) < 0)
        return err_sys(e, "stat %s", w->where.dir);
    json_write_init(&j, &b, true);
    json_write_object_begin(&j);
    json_write_member_u64(&j, "schema", SCHEMA);
    json_write_member_cstr(&j, "path", w->where.dir);
    json_write_member_u64(&j, "device", (uint64_t)st.st_dev);
    json_write_member_u64(&j, "inode", (uint64_t)st.st_ino);
    json_write_member_u64(&j, "owner", (uint64_t)st.st_uid);
    json_write_member_bool(&j, "full", r->full);
    json_write_key(&j, STR("given"));
    json_write_i64(&j, clock_now());
    write_lists(&j, r);
    json_write_object_end(&j);
    if (!json_write_end(&j))
        return err_set(e, ERR_CONFIG, "the record of what is trusted has more than %zu bytes", RECORD_MAX);
    if (!file_make_dirs(AT_FDCWD, folder, 0700, e) || !fd_open_dir(AT_FDCWD, folder, &dir, e) ||
        !file_replace(dir, path + strlen(folder) + 1, buf_done(&b), 0600, FILE_NO_SYNC, e))
        return err_as(e, ERR_CONFIG, "record what is trusted of '%s'", w->where.dir);
    return true;
}

bool trust_revoke(struct workspace *w, bool *was, struct err *e)
{
    const char *path = file_of(w);

    *was = unlinkat(AT_FDCWD, path, 0) == 0;
    return *was || errno == ENOENT || errno == ENOTDIR || err_sys(e, "remove %s", path);
}
