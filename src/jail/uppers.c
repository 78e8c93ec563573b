#include "jail/uppers.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "jail/policy.h"

#define LOCK "lock"
#define TRIES 100
#define WAIT_MS 10
#define ATTRIBUTE "user.blast.try"

bool uppers_hint(struct err *e)
{
    return err_hint(e, "[sandbox.filesystem] recovery = \"discard\", or BLAST_STATE_DIR on a local file system such as "
                       "ext4, xfs or btrfs");
}

/* ------------------------------------------------------------ making */

/* The policy's path is resolved: a link that appears in it now was put there since. */
static bool open_base(const char *path, int *out, struct err *e)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    if (!file_make_dirs(AT_FDCWD, path, 0700, e))
        return false;
    *out = (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
    return *out >= 0 || err_sys(e, "open '%s'", path);
}

/* Those that an overlay takes as its upper layer by word and fails with later, or that lose locks with a connection. */
static bool is_fit(int base, const char *path, struct err *e)
{
    static const struct {
        unsigned long type;
        const char *name;
    } unfit[] = { { NFS_SUPER_MAGIC, "NFS" },        { OVERLAYFS_SUPER_MAGIC, "an overlay itself" },
                  { V9FS_MAGIC, "9p" },              { 0x65735546, "FUSE" },
                  { 0xFF534D42, "CIFS" },            { 0xFE534D42, "SMB" },
                  { MSDOS_SUPER_MAGIC, "FAT" } };
    struct statfs fs;

    if (fstatfs(base, &fs) < 0)
        return err_sys(e, "ask for the file system of '%s'", path);
    for (size_t i = 0; i < COUNT(unfit); i++)
        if ((unsigned long)fs.f_type == unfit[i].type)
            return err_set(e, ERR_ENVIRONMENT, "the file system of '%s' is %s, which holds no layer of changes", path,
                           unfit[i].name);
    return true;
}

/* NAME.PID.upper, made and locked; a number that a dead process of ours has left is passed over. */
static bool make_own(const char *base, const char *name, struct uppers *u, struct err *e)
{
    char leaf[UPPERS_NAME + 48], lock[UPPERS_NAME + 64];

    if (flock(u->base, LOCK_EX) < 0)
        return err_sys(e, "lock '%s'", base);
    for (unsigned i = 0; i < TRIES; i++) {
        (void)snprintf(leaf, sizeof leaf, "%s.%ld-%u" UPPERS_SUFFIX, name, (long)getpid(), i);
        if (mkdirat(u->base, leaf, 0700) == 0)
            break;
        if (errno != EEXIST || i + 1 == TRIES)
            return err_sys(e, "make '%s/%s'", base, leaf);
    }
    (void)snprintf(lock, sizeof lock, "%s/" LOCK, leaf);
    if ((size_t)snprintf(u->path, sizeof u->path, "%s/%s", base, leaf) >= sizeof u->path)
        return err_set(e, ERR_ENVIRONMENT, "the path of '%s/%s' is too long", base, leaf);
    u->lock = openat(u->base, lock, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (u->lock < 0 || flock(u->lock, LOCK_EX | LOCK_NB) < 0)
        return err_sys(e, "make and lock '%s/" LOCK "'", u->path);
    return flock(u->base, LOCK_UN) == 0 || err_sys(e, "unlock '%s'", base);
}

/* As in overlays over a file system in memory: the layer's own directory shows as what it lies over. */
static bool make_layer(int tree, const char *name, const struct stat *over, mode_t mode, struct err *e)
{
    if (mkdirat(tree, name, 0700) < 0 || fchmodat(tree, name, mode, 0) < 0)
        return err_sys(e, "make the directory '%s' of a layer", name);
    /* Root's program runs under a number of its own, for which the owner of what it lies over stands on disk. */
    if (geteuid() == 0 && fchownat(tree, name, over->st_uid, over->st_gid, AT_SYMLINK_NOFOLLOW) < 0)
        return err_sys(e, "give the directory '%s' of a layer to its owner", name);
    return true;
}

static bool can_mark(int tree, struct err *e)
{
    AUTO_FD fd = openat(tree, "upper", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd >= 0 && fsetxattr(fd, ATTRIBUTE, "", 0, 0) == 0 && fremovexattr(fd, ATTRIBUTE) == 0)
        return true;
    if (errno != EOPNOTSUPP)
        return err_sys(e, "mark the directory of a layer");
    return err_set(e, ERR_ENVIRONMENT, "its file system has no attributes of users, which a layer of changes needs");
}

static bool make_tree(int own, unsigned k, const struct jail_path *p, struct err *e)
{
    char name[16];
    struct stat over;

    if (lstat(p->path.p, &over) < 0 || !S_ISDIR(over.st_mode))
        return true; /* not there, or a single file, which stays read-only */
    (void)snprintf(name, sizeof name, "%u", k);
    if (!make_layer(own, name, &over, 0700, e))
        return false;
    AUTO_FD tree = openat(own, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (tree < 0)
        return err_sys(e, "open the directory of a layer");
    return make_layer(tree, "upper", &over, over.st_mode & 07777, e) && make_layer(tree, "work", &over, 0700, e) &&
           can_mark(tree, e);
}

static bool make_trees(const struct jail_policy *p, const struct uppers *u, struct err *e)
{
    AUTO_BUF text = { .limit = UPPERS_ABOUT_MAX };
    struct str over[UPPERS_MAX];
    struct uppers_about about = { .since = clock_now(), .over = over };
    AUTO_FD own = open(u->path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (own < 0)
        return err_sys(e, "open '%s'", u->path);
    for (size_t i = 0; i < p->n_paths; i++) {
        if (p->path[i].access != JAIL_OVERLAY)
            continue;
        if (about.n == UPPERS_MAX)
            return err_set(e, ERR_ENVIRONMENT, "more than %d overlays in one sandbox", UPPERS_MAX);
        if (!make_tree(own, (unsigned)about.n, &p->path[i], e))
            return err_wrap(e, "make a layer for the changes of '" STR_FMT "'", STR_ARG(p->path[i].path));
        over[about.n++] = p->path[i].path;
    }
    /* Flushed: what a power cut leaves must say where it belongs. */
    return (uppers_about_format(&about, &text) || err_set(e, ERR_ENVIRONMENT, "the paths are too long to be noted")) &&
           file_replace(own, UPPERS_ABOUT, buf_done(&text), 0600, FILE_SYNC, e) &&
           file_sync_dir(u->base, u->path, e);
}

static bool is_name(const char *name)
{
    return name[0] && name[0] != '.' && !strchr(name, '/') && strlen(name) < UPPERS_NAME;
}

bool uppers_make(const struct jail_policy *p, const char *name, struct uppers *out, struct err *e)
{
    struct uppers u = UPPERS_NONE;
    bool ok = (is_name(name) || err_set(e, ERR_ENVIRONMENT, "a sandbox of one command has no place for them")) &&
              open_base(p->keep.p, &u.base, e) && is_fit(u.base, p->keep.p, e) && make_own(p->keep.p, name, &u, e) &&
              make_trees(p, &u, e);

    if (!ok) {
        uppers_end(&u, true);
        (void)err_wrap(e, "keep the changes of a sandbox, as recovery = \"keep\" asks");
        return uppers_hint(e);
    }
    *out = u;
    return true;
}

void uppers_end(struct uppers *u, bool drop)
{
    struct err ignored = { 0 }; /* what is left is found by the next start */
    const char *slash = strrchr(u->path, '/');

    if (drop && slash)
        (void)!uppers_remove(u->base, slash + 1, &ignored);
    fd_close(&u->lock);
    fd_close(&u->base);
    u->path[0] = '\0';
}

/* ------------------------------------------------------------ removing */

/* With the permissions that its removal takes, if it is ours; -1: none. */
static int open_to_empty(int at, const char *name)
{
    AUTO_FD fd = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    char self[40];
    struct stat st;

    if (fd < 0 || fstat(fd, &st) < 0)
        return -1;
    (void)snprintf(self, sizeof self, "/proc/self/fd/%d", fd);
    if ((st.st_mode & S_IRWXU) != S_IRWXU)
        (void)chmod(self, (st.st_mode & 07777) | S_IRWXU); /* if it fails, what needs it says so */
    return openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

struct removal {
    int top;
    uint64_t moved;
};

/* A directory goes up to the top, so that neither the stack nor the number of open files grows with the depth. */
static bool move_up(struct removal *r, int dir, const char *name, struct err *e)
{
    char to[40];
    AUTO_FD opened = open_to_empty(dir, name); /* who moves a directory must be allowed to write in it */

    if (opened < 0)
        return err_sys(e, "open the directory '%s'", name);
    do
        (void)snprintf(to, sizeof to, ".%llu", (unsigned long long)r->moved++);
    while (renameat2(dir, name, r->top, to, RENAME_NOREPLACE) < 0 && errno == EEXIST);
    return file_exists(r->top, to) || err_sys(e, "move the directory '%s'", name);
}

static bool empty(struct removal *r, int dir, struct err *e)
{
    AUTO_FILE_LIST list = { 0 };
    const struct dirent *d;

    if (!file_list_open(dir, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        if (unlinkat(dir, d->d_name, 0) == 0 || errno == ENOENT)
            continue;
        if (errno != EISDIR && errno != EPERM)
            return err_sys(e, "remove '%s'", d->d_name);
        if (unlinkat(dir, d->d_name, AT_REMOVEDIR) < 0 && !move_up(r, dir, d->d_name, e))
            return false;
    }
    return e->kind == ERR_NONE;
}

/* One pass over the top; what was moved up meanwhile may be for the next one. */
static bool empty_top(struct removal *r, bool *more, struct err *e)
{
    AUTO_FILE_LIST list = { 0 };
    const struct dirent *d;

    *more = false;
    if (!file_list_open(r->top, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        if (str_eq(str_of(d->d_name), STR(LOCK)) || unlinkat(r->top, d->d_name, 0) == 0 || errno == ENOENT)
            continue;
        AUTO_FD dir = open_to_empty(r->top, d->d_name);

        if (dir < 0)
            return err_sys(e, "open the directory '%s'", d->d_name);
        if (!empty(r, dir, e))
            return false;
        if (unlinkat(r->top, d->d_name, AT_REMOVEDIR) < 0)
            return err_sys(e, "remove the directory '%s'", d->d_name);
        *more = true;
    }
    return e->kind == ERR_NONE;
}

/* A removal that is cut short leaves something whose name says so; the lock goes last. */
bool uppers_remove(int base, const char *name, struct err *e)
{
    char dropped[NAME_MAX + 1];
    struct str stem = str_of(name);
    struct err why = { 0 };
    bool more = true;

    if (str_cut_suffix(&stem, STR(UPPERS_SUFFIX)) &&
        (size_t)snprintf(dropped, sizeof dropped, STR_FMT UPPERS_DROPPED, STR_ARG(stem)) < sizeof dropped &&
        renameat2(base, name, base, dropped, RENAME_NOREPLACE) == 0)
        name = dropped;
    AUTO_FD top = open_to_empty(base, name);
    struct removal r = { top, 0 };

    if (top < 0)
        return errno == ENOENT || err_sys(e, "open '%s' to remove it", name);
    while (more && empty_top(&r, &more, &why))
        ;
    if (why.kind != ERR_NONE) {
        *e = why;
        return err_wrap(e, "remove '%s'", name);
    }
    if ((unlinkat(top, LOCK, 0) < 0 && errno != ENOENT) || unlinkat(base, name, AT_REMOVEDIR) < 0)
        return err_sys(e, "remove '%s'", name);
    return true;
}

/* ------------------------------------------------------------ what was left */

bool uppers_take(int base, const char *name, unsigned wait_ms, int *lock)
{
    static const struct timespec step = { .tv_nsec = WAIT_MS * 1000000L };
    AUTO_FD own = openat(base, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    *lock = own < 0 ? -1 : openat(own, LOCK, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (own < 0)
        return false;
    if (*lock < 0)
        return errno == ENOENT;
    for (unsigned waited = 0; flock(*lock, LOCK_EX | LOCK_NB) < 0; waited += WAIT_MS) {
        if (waited >= wait_ms) {
            fd_close(lock);
            return false;
        }
        (void)nanosleep(&step, NULL);
    }
    return true;
}

bool uppers_layer_is_changed(int base, const char *name, unsigned k)
{
    AUTO_FILE_LIST list = { 0 };
    struct err ignored = { 0 };
    const struct dirent *d;
    char path[NAME_MAX + 32];

    (void)snprintf(path, sizeof path, "%s/%u/upper", name, k);
    AUTO_FD fd = openat(base, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

    if (fd < 0)
        return errno == EACCES; /* shut by the program; else there is no such overlay */
    return file_list_open(fd, ".", &list, &ignored) && file_list_next(&list, &d, &ignored);
}

bool uppers_is_changed(int base, const char *name)
{
    for (unsigned k = 0; k < UPPERS_MAX; k++)
        if (uppers_layer_is_changed(base, name, k))
            return true;
    return false;
}

bool uppers_strip(int base, const char *name, struct err *e)
{
    for (unsigned k = 0; k < UPPERS_MAX; k++) {
        char path[NAME_MAX + 32];

        (void)snprintf(path, sizeof path, "%s/%u", name, k);
        AUTO_FD tree = openat(base, path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (tree >= 0 && !uppers_remove(tree, "work", e))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------ what it lay over */

bool uppers_about_format(const struct uppers_about *a, struct buf *out)
{
    struct json_write w;

    json_write_init(&w, out, false);
    json_write_object_begin(&w);
    json_write_key(&w, STR("since"));
    json_write_i64(&w, a->since);
    json_write_key(&w, STR("kept"));
    json_write_i64(&w, a->kept);
    json_write_key(&w, STR("over"));
    json_write_array_begin(&w);
    for (size_t i = 0; i < a->n; i++)
        json_write_str(&w, a->over[i]);
    json_write_array_end(&w);
    json_write_object_end(&w);
    return json_write_end(&w);
}

static void read_over(struct json *j, struct arena *a, struct uppers_about *out)
{
    VEC(struct str) list = { 0 };
    struct str v;

    if (!json_array_begin(j))
        return;
    while (json_array_next(j) && json_string(j, &v)) {
        if (list.n == UPPERS_MAX)
            (void)json_fail(j, "more than %d directories", UPPERS_MAX);
        else
            VEC_PUSH_IN(a, &list, arena_str(a, v));
    }
    out->over = list.p;
    out->n = list.n;
}

bool uppers_about_parse(struct str json, struct arena *a, struct uppers_about *out, struct err *e)
{
    struct uppers_about about = { 0 };
    struct json j;
    struct str key;

    json_init(&j, json, a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            if (str_eq(key, STR("since")))
                (void)json_i64(&j, &about.since);
            else if (str_eq(key, STR("kept")))
                (void)json_i64(&j, &about.kept);
            else if (str_eq(key, STR("over")))
                read_over(&j, a, &about);
            else
                (void)json_skip(&j);
        }
    }
    if (!json_end(&j))
        return err_as(e, ERR_ENVIRONMENT, "read what a sandbox's changes lay over");
    *out = about;
    return true;
}
