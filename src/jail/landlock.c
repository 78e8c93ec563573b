#include "jail/landlock.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/landlock.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "jail/policy.h"

/* Rights by the bit, as the kernel numbers them; later than ABI 1 where the headers may not know them. */
#define FS_ALL(abi) ((UINT64_C(1) << ((abi) >= 5 ? 16 : (abi) >= 3 ? 15 : (abi) >= 2 ? 14 : 13)) - 1)
#define FS_TRUNCATE (UINT64_C(1) << 14)
#define FS_IOCTL_DEV (UINT64_C(1) << 15)
#define FS_READ (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR)
#define FS_OF_FILE                                                                                                     \
    (LANDLOCK_ACCESS_FS_EXECUTE | LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_WRITE_FILE | FS_TRUNCATE |         \
     FS_IOCTL_DEV)
#define FS_NODES (LANDLOCK_ACCESS_FS_MAKE_CHAR | LANDLOCK_ACCESS_FS_MAKE_BLOCK)
#define NET_TCP UINT64_C(3)   /* bind, connect */
#define SCOPE_ALL UINT64_C(3) /* abstract sockets, signals */

struct attributes { /* struct landlock_ruleset_attr of ABI 6 */
    uint64_t fs, net, scoped;
};

struct rules {
    int fd;
    uint64_t all; /* rights that this kernel handles */
    const struct jail_policy *p;
};

int landlock_abi(void)
{
    long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);

    return abi < 0 ? 0 : (int)MIN(abi, LANDLOCK_ABI_KNOWN);
}

static size_t size_known(int abi)
{
    return abi >= 6 ? sizeof(struct attributes) : abi >= 4 ? 2 * sizeof(uint64_t) : sizeof(uint64_t);
}

static bool is_cover(const struct jail_path *p)
{
    return p->access == JAIL_HIDE || p->access == JAIL_DENY;
}

/* A rule on a file is one on its inode: granted under one name, what is covered would be open under its own. */
static bool is_covered_file(const struct rules *r, const struct stat *st)
{
    if (S_ISDIR(st->st_mode) || st->st_nlink == 1)
        return false;
    for (size_t i = 0; i < r->p->n_paths; i++) {
        struct stat c;

        if (is_cover(&r->p->path[i]) && lstat(r->p->path[i].path.p, &c) == 0 && c.st_dev == st->st_dev &&
            c.st_ino == st->st_ino)
            return true;
    }
    return false;
}

/* A path that is not there grants nothing, which is right; nor does one with a link in it: the policy's have none, so
 * somebody has put it there since. */
static bool grant(const struct rules *r, int dir, const char *path, uint64_t rights, struct err *e)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    AUTO_FD fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof how);
    struct stat st;

    if (fd < 0 && (errno == ENOENT || errno == ENOTDIR || errno == EACCES || errno == ELOOP))
        return true;
    if (fd < 0 || fstat(fd, &st) < 0)
        return err_sys(e, "open %s for a rule of Landlock", path);
    if (S_ISLNK(st.st_mode) || is_covered_file(r, &st))
        return true;
    struct landlock_path_beneath_attr rule = {
        .allowed_access = rights & r->all & (S_ISDIR(st.st_mode) ? ~UINT64_C(0) : FS_OF_FILE),
        .parent_fd = fd,
    };

    if (syscall(SYS_landlock_add_rule, r->fd, LANDLOCK_RULE_PATH_BENEATH, &rule, 0) < 0)
        return err_sys(e, "grant %s by Landlock", path);
    return true;
}

/* Is `path` covered, or has it, below a writable one, a read-only rule of its own; is something below it covered? */
static bool is_covered(const struct rules *r, struct str path, uint64_t rights, bool *below)
{
    *below = false;
    for (size_t i = 0; i < r->p->n_paths; i++) {
        const struct jail_path *c = &r->p->path[i];

        if (str_eq(c->path, path) && (is_cover(c) || (c->access == JAIL_READ && (rights & ~(uint64_t)FS_READ))))
            return true;
        *below |= is_cover(c) && jail_path_within(c->path, path);
    }
    return false;
}

/* The directory itself may be listed and no more: a rule on it would hold for the covered one as well, and whoever may
 * rename or remove in it could give what is covered a name that the next run does not cover. All else is granted to its
 * entries alone. Deeper directories that hold a covered path are split in turn. */
static bool grant_split(const struct rules *r, struct str path, uint64_t rights, struct arena *a, struct err *e)
{
    AUTO_FILE_LIST list = { 0 };
    const struct dirent *d;
    struct err why = { 0 };
    bool below;

    if (is_covered(r, path, rights, &below))
        return true;
    if (!below)
        return grant(r, AT_FDCWD, path.p, rights, e);
    if (!file_list_open(AT_FDCWD, path.p, &list, &why))
        return true; /* not there, or not for us: nothing to grant */
    while (file_list_next(&list, &d, &why)) {
        struct str entry = path.n == 1 ? arena_printf(a, "/%s", d->d_name)
                                       : arena_printf(a, STR_FMT "/%s", STR_ARG(path), d->d_name);

        if (!grant_split(r, entry, rights, a, e))
            return false;
    }
    if (why.kind != ERR_NONE)
        return err_set(e, ERR_IO, "%s", why.text);
    return grant(r, AT_FDCWD, path.p, rights & LANDLOCK_ACCESS_FS_READ_DIR, e);
}

static bool grant_own_view(const struct rules *r, struct err *e)
{
    static const char *const writable[] = { "/dev", "/dev/shm", "/dev/pts" };

    for (size_t i = 0; i < COUNT(writable); i++)
        if (!grant(r, AT_FDCWD, writable[i], r->all & ~(uint64_t)FS_NODES, e))
            return false;
    /* The view itself is all there is to list. */
    if (!grant(r, AT_FDCWD, "/", LANDLOCK_ACCESS_FS_READ_DIR, e))
        return false;
    return grant(r, AT_FDCWD, "/proc", FS_READ | LANDLOCK_ACCESS_FS_WRITE_FILE, e);
}

static bool grant_paths(const struct rules *r, const struct landlock_wants *w, struct arena *a, struct err *e)
{
    for (size_t i = 0; i < r->p->n_paths; i++) {
        const struct jail_path *p = &r->p->path[i];
        bool writes = p->access == JAIL_WRITE || p->access == JAIL_OVERLAY || p->access == JAIL_PRIVATE;
        uint64_t rights = writes ? r->all & ~(uint64_t)FS_NODES : FS_READ;

        if (is_cover(p) || p->access == JAIL_LINK)
            continue;
        if (writes && !jail_path_within(p->path, STR("/dev")))
            rights &= ~FS_IOCTL_DEV;
        /* Covers are mounts where there is a view of our own: no need to go around them. */
        if (!(w->own_view ? grant(r, AT_FDCWD, p->path.p, rights, e) : grant_split(r, p->path, rights, a, e)))
            return false;
    }
    if (w->scratch && !grant(r, AT_FDCWD, w->scratch, r->all & ~(uint64_t)(FS_NODES | FS_IOCTL_DEV), e))
        return false;
    return !w->own_view || grant_own_view(r, e);
}

bool landlock_restrict(const struct jail_policy *p, const struct landlock_wants *w, struct err *e)
{
    AUTO_ARENA a = { 0 };
    int abi = landlock_abi();
    struct attributes at = {
        .fs = p->files ? FS_ALL(abi) : 0,
        .net = abi >= 4 && w->no_tcp ? NET_TCP : 0,
        .scoped = abi >= 6 && w->scoped ? SCOPE_ALL : 0,
    };

    arena_init(&a);
    if (abi == 0 || !(at.fs | at.net | at.scoped))
        return true;
    AUTO_FD fd = (int)syscall(SYS_landlock_create_ruleset, &at, size_known(abi), 0);

    if (fd < 0)
        return err_sys(e, "make the rules of Landlock");
    struct rules r = { fd, at.fs, p };

    if (p->files && !grant_paths(&r, w, &a, e))
        return false;
    if (syscall(SYS_landlock_restrict_self, fd, 0) < 0)
        return err_sys(e, "apply the rules of Landlock");
    return true;
}
