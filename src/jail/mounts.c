#include "jail/mounts.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "jail/policy.h"
#include "jail/report.h"
#include "jail/source.h"
#include "jail/uppers.h"

#define NOTHING "nothing" /* in the pool, an empty file of mode 000: what covers files */
#define TEXT "text"       /* in the pool, while it is written */
#define QUIET (MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV)

struct builder {
    const struct jail_policy *p;
    const struct sources *s;
    struct jail_report *r;
    int root;        /* the new root, writable so far */
    int pool;        /* one memory file system for all that is written and forgotten: one limit for all of it */
    unsigned drawn;  /* directories taken from the pool */
};

/* ------------------------------------------------------------ small steps */

/* A new file system that hangs nowhere yet; options "key=value" or "key", NULL at the end. */
static bool new_fs(const char *type, const char *const *options, unsigned attr, int *out, struct err *e)
{
    AUTO_FD fs = fsopen(type, FSOPEN_CLOEXEC);

    if (fs < 0)
        return err_sys(e, "make a file system %s", type);
    for (; options && *options; options++) {
        const char *eq = strchr(*options, '=');
        char key[32];
        struct str name = eq ? (struct str){ *options, (size_t)(eq - *options) } : str_of(*options);

        (void)snprintf(key, sizeof key, STR_FMT, STR_ARG(name));
        if (fsconfig(fs, eq ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, eq ? eq + 1 : NULL, 0) < 0)
            return err_sys(e, "set '%s' of a file system %s", *options, type);
    }
    if (fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0)
        return err_sys(e, "make a file system %s", type);
    *out = fsmount(fs, FSMOUNT_CLOEXEC, attr);
    return *out >= 0 || err_sys(e, "mount a file system %s", type);
}

/* Opens below the new root; no link on the way counts, nor anything that leads out. */
static int open_inside(const struct builder *b, const char *path, int flags)
{
    struct open_how how = {
        .flags = (__u64)(flags | O_CLOEXEC | O_NOFOLLOW),
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, b->root, path[0] == '/' ? path + 1 : path, &how, sizeof how);
}

/* The directory that holds `path` inside, made with its parents where it is missing; *leaf is the last name. */
static bool open_parent(const struct builder *b, const char *path, int *dir, const char **leaf, struct err *e)
{
    AUTO_FD at = open_inside(b, ".", O_PATH | O_DIRECTORY);
    const char *p = path + (path[0] == '/');

    if (at < 0)
        return err_sys(e, "open the new root");
    for (const char *slash; (slash = strchr(p, '/')); p = slash + 1) {
        char name[256];

        if ((size_t)(slash - p) >= sizeof name)
            return err_set(e, ERR_ENVIRONMENT, "a name in '%s' is too long", path);
        (void)snprintf(name, sizeof name, "%.*s", (int)(slash - p), p);
        if (mkdirat(at, name, 0755) < 0 && errno != EEXIST && errno != EROFS && errno != EACCES)
            return err_sys(e, "make '%s' of '%s' in the sandbox", name, path);
        int next = openat(at, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);

        if (next < 0)
            return err_sys(e, "open '%s' of '%s' in the sandbox", name, path);
        (void)close(at);
        at = next;
    }
    *leaf = p;
    *dir = at;
    at = -1;
    return true;
}

/* A place to mount on: a directory or a file as `mode` says, made where it is missing. */
static bool open_point(const struct builder *b, const char *path, mode_t mode, int *out, struct err *e)
{
    AUTO_FD dir = -1;
    const char *leaf;

    *out = open_inside(b, path[1] ? path : ".", O_PATH);
    if (*out >= 0)
        return true;
    if (errno != ENOENT)
        return err_sys(e, "open '%s' in the sandbox", path);
    if (!open_parent(b, path, &dir, &leaf, e))
        return false;
    if (S_ISDIR(mode)) {
        if (mkdirat(dir, leaf, 0755) < 0)
            return err_sys(e, "make '%s' in the sandbox", path);
    } else {
        AUTO_FD file = openat(dir, leaf, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);

        if (file < 0)
            return err_sys(e, "make '%s' in the sandbox", path);
    }
    *out = open_inside(b, path, O_PATH);
    return *out >= 0 || err_sys(e, "open '%s' in the sandbox", path);
}

/* On a name in a directory that was made here: nobody can have put a link there. */
static bool hang(int mount, int dir, const char *name, struct err *e)
{
    return move_mount(mount, "", dir, name, MOVE_MOUNT_F_EMPTY_PATH) == 0 ||
           err_sys(e, "mount '%s' in the sandbox", name);
}

static bool attach(const struct builder *b, int mount, const char *path, mode_t mode, struct err *e)
{
    AUTO_FD point = -1;

    if (!open_point(b, path, mode, &point, e))
        return false;
    if (move_mount(mount, "", point, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH) < 0)
        return err_sys(e, "mount '%s' in the sandbox", path);
    return true;
}

/* A second mount of something that is mounted, with attributes; it hangs nowhere yet. */
static bool clone_mount(int dir, const char *from, unsigned attr, int *out, struct err *e)
{
    AUTO_FD clone = open_tree(dir, from, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
    struct mount_attr at = { .attr_set = attr };

    if (clone < 0)
        return err_sys(e, "clone '%s'", from);
    if (mount_setattr(clone, "", AT_EMPTY_PATH, &at, sizeof at) < 0)
        return err_sys(e, "restrict the mount of '%s'", from);
    *out = clone;
    clone = -1;
    return true;
}

/* Something of the pool on `path`. */
static bool attach_pooled(const struct builder *b, const char *name, mode_t mode, unsigned attr, const char *path,
                          struct err *e)
{
    AUTO_FD clone = -1;

    return clone_mount(b->pool, name, attr, &clone, e) && attach(b, clone, path, mode, e);
}

/* ------------------------------------------------------------ the pool */

/* On a directory of the host that is surely there, which is over with here: its devices are sources by now. It goes
 * with the host's files. */
static bool make_pool(struct builder *b, struct err *e)
{
    char size[40], inodes[40];
    const char *const limited[] = { "mode=0755", size, inodes, NULL }, *const open[] = { "mode=0755", NULL };
    uint64_t disk = b->p->limit ? b->p->limits.disk : 0;

    (void)snprintf(size, sizeof size, "size=%" PRIu64, disk);
    (void)snprintf(inodes, sizeof inodes, "nr_inodes=%" PRIu64, disk / 4096 + 1024);
    if (!new_fs("tmpfs", disk ? limited : open, QUIET, &b->pool, e) || !hang(b->pool, AT_FDCWD, "/dev", e))
        return false;
    AUTO_FD nothing = openat(b->pool, NOTHING, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0);

    return (nothing >= 0 && fchmod(nothing, 0) == 0) || err_sys(e, "make an empty file in memory");
}

/* A fresh directory of the pool: "3" and so on. */
static bool draw(struct builder *b, mode_t mode, char out[16], struct err *e)
{
    (void)snprintf(out, 16, "%u", b->drawn++);
    if (mkdirat(b->pool, out, 0700) < 0 || fchmodat(b->pool, out, mode, 0) < 0)
        return err_sys(e, "make a directory in memory");
    return true;
}

static bool mount_private(struct builder *b, const char *path, mode_t mode, unsigned attr, struct err *e)
{
    char dir[16];

    return draw(b, mode, dir, e) && attach_pooled(b, dir, S_IFDIR, QUIET | attr, path, e);
}

/* The two directories of an upper layer: in the pool, or on the disk and mounted in it. */
static bool place_layer(struct builder *b, const struct source *s, char upper[32], char work[32], struct err *e)
{
    char dir[16], other[16];

    if (s->layer >= 0) {
        if (!draw(b, 0755, dir, e) || !hang(s->layer, b->pool, dir, e))
            return false;
        (void)snprintf(upper, 32, "%s/upper", dir);
        (void)snprintf(work, 32, "%s/work", dir);
        return true;
    }
    if (!draw(b, s->mode & 07777, dir, e) || !draw(b, 0700, other, e))
        return false;
    (void)snprintf(upper, 32, "%s", dir);
    (void)snprintf(work, 32, "%s", other);
    return true;
}

/* The layers lie in the pool, where we are, under names that need no quoting; the overlay has its own hold on them when
 * the pool is let go. */
static bool mount_overlay(struct builder *b, const struct jail_path *p, const struct source *s, struct err *e)
{
    char lower[16], upper[32], work[32], options[3][48];
    const char *const list[] = { options[0], options[1], options[2], "userxattr", NULL };
    AUTO_FD fs = -1;

    if (!S_ISDIR(s->mode))
        return attach(b, s->fd, p->path.p, s->mode, e); /* a single file stays read-only */
    if (!draw(b, 0755, lower, e) || !hang(s->fd, b->pool, lower, e) || !place_layer(b, s, upper, work, e))
        return false;
    (void)snprintf(options[0], sizeof options[0], "lowerdir=%s", lower);
    (void)snprintf(options[1], sizeof options[1], "upperdir=%s", upper);
    (void)snprintf(options[2], sizeof options[2], "workdir=%s", work);
    if (!new_fs("overlay", list, QUIET, &fs, e)) {
        (void)err_wrap(e, "lay changes over '" STR_FMT "'%s", STR_ARG(p->path),
                       s->layer >= 0 ? ", kept on disk as recovery = \"keep\" asks" : "");
        return s->layer >= 0 && uppers_hint(e);
    }
    return attach(b, fs, p->path.p, S_IFDIR, e);
}

/* ------------------------------------------------------------ covers */

/* What of the host would be seen at this path: the nearest entry above it, if it shows something of the host. */
static bool is_seen(const struct builder *b, struct str path, size_t below)
{
    for (size_t i = below; i-- > 0;) {
        const struct jail_path *p = &b->p->path[i];

        if (!jail_path_within(path, p->path) || p->access == JAIL_LINK)
            continue;
        return b->s->path[i].fd >= 0;
    }
    return false;
}

/* Does something follow that must be reached through this cover? Then it can be passed through, not listed. */
static bool is_passage(const struct builder *b, size_t i)
{
    for (size_t k = i + 1; k < b->p->n_paths && jail_path_within(b->p->path[k].path, b->p->path[i].path); k++)
        if (b->s->path[k].fd >= 0)
            return true;
    return false;
}

static bool cover_dir(const struct builder *b, const char *path, bool passage, struct err *e)
{
    static const char *const shut[] = { "mode=0000", "size=4k", NULL };
    static const char *const pass[] = { "mode=0111", "size=64k", NULL };
    const unsigned attr = QUIET | MOUNT_ATTR_NOEXEC | (passage ? 0u : MOUNT_ATTR_RDONLY);
    AUTO_FD fs = -1;

    /* One to pass through is made read-only at the end, when the mount points in it are there. */
    return new_fs("tmpfs", passage ? pass : shut, attr, &fs, e) && attach(b, fs, path, S_IFDIR, e);
}

static bool cover_file(const struct builder *b, const char *path, struct err *e)
{
    return attach_pooled(b, NOTHING, S_IFREG, QUIET | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, path, e);
}

static bool cover(const struct builder *b, size_t i, struct err *e)
{
    const struct jail_path *p = &b->p->path[i];
    enum jail_setting setting = p->access == JAIL_DENY ? JAIL_SET_DENIED : JAIL_SET_HIDDEN;
    struct stat st;

    if (!is_seen(b, p->path, i))
        return true; /* not there at all, which is better */
    AUTO_FD at = open_inside(b, p->path.p, O_PATH);

    if (at < 0 && (errno == ENOENT || errno == ENOTDIR)) {
        jail_report_lower(b->r, setting, JAIL_ADVISORY, "a path of it does not exist yet and may be made inside", NULL);
        return true;
    }
    if (at < 0 || fstat(at, &st) < 0)
        return err_sys(e, "open '" STR_FMT "' to cover it", STR_ARG(p->path));
    if (!S_ISDIR(st.st_mode) && st.st_nlink > 1)
        jail_report_lower(b->r, setting, JAIL_ADVISORY,
                          "a file of it has further names (hard links), which may be shown", NULL);
    return S_ISDIR(st.st_mode) ? cover_dir(b, p->path.p, is_passage(b, i), e) : cover_file(b, p->path.p, e);
}

static bool seal_passages(const struct builder *b, struct err *e)
{
    struct mount_attr at = { .attr_set = MOUNT_ATTR_RDONLY };

    for (size_t i = 0; i < b->p->n_paths; i++) {
        const struct jail_path *p = &b->p->path[i];

        if ((p->access != JAIL_DENY && p->access != JAIL_HIDE) || !is_seen(b, p->path, i) || !is_passage(b, i))
            continue;
        AUTO_FD fd = open_inside(b, p->path.p, O_PATH);

        if (fd >= 0 && mount_setattr(fd, "", AT_EMPTY_PATH, &at, sizeof at) < 0)
            return err_sys(e, "seal '" STR_FMT "'", STR_ARG(p->path));
    }
    return true;
}

/* A read-only mount does not keep anybody from connecting to a socket in it. */
static bool cover_sockets(const struct builder *b, struct err *e)
{
    for (const char *const *path = b->s->socket; path && *path; path++) {
        if (!is_seen(b, str_of(*path), b->p->n_paths))
            continue;
        AUTO_FD at = open_inside(b, *path, O_PATH);
        struct stat st;

        if (at >= 0 && fstat(at, &st) == 0 && S_ISSOCK(st.st_mode) && !cover_file(b, *path, e))
            return err_wrap(e, "cover the socket '%s'", *path);
    }
    return true;
}

/* ------------------------------------------------------------ /dev and /proc */

static bool mount_device(const struct builder *b, int dev, size_t i, struct err *e)
{
    const char *name = source_device_name[i];
    AUTO_FD point = openat(dev, name, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);

    return (point >= 0 || err_sys(e, "make /dev/%s in the sandbox", name)) &&
           hang(b->s->device[i], dev, name, e);
}

static bool mount_in_dev(int mount, int dev, const char *name, struct err *e)
{
    return (mkdirat(dev, name, 0755) == 0 || err_sys(e, "make /dev/%s in the sandbox", name)) &&
           hang(mount, dev, name, e);
}

static bool build_shm(struct builder *b, int dev, struct err *e)
{
    char dir[16];
    AUTO_FD shm = -1;

    return draw(b, 01777, dir, e) && clone_mount(b->pool, dir, QUIET | MOUNT_ATTR_NOEXEC, &shm, e) &&
           mount_in_dev(shm, dev, "shm", e);
}

static bool build_dev(struct builder *b, int dev, struct err *e)
{
    static const char *const pts_options[] = { "mode=0620", "ptmxmode=0666", NULL };
    static const char *const link[][2] = {
        { "/proc/self/fd", "fd" },       { "/proc/self/fd/0", "stdin" }, { "/proc/self/fd/1", "stdout" },
        { "/proc/self/fd/2", "stderr" }, { "pts/ptmx", "ptmx" },
    };
    struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY };
    AUTO_FD pts = -1;

    for (size_t i = 0; i < SOURCE_DEVICES; i++)
        if (!mount_device(b, dev, i, e))
            return false;
    for (size_t i = 0; i < COUNT(link); i++)
        if (symlinkat(link[i][0], dev, link[i][1]) < 0)
            return err_sys(e, "make /dev/%s in the sandbox", link[i][1]);
    if (!new_fs("devpts", pts_options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &pts, e) ||
        !mount_in_dev(pts, dev, "pts", e) || !build_shm(b, dev, e))
        return false;
    if (mount_setattr(dev, "", AT_EMPTY_PATH, &ro, sizeof ro) < 0)
        return err_sys(e, "seal /dev of the sandbox");
    return true;
}

static bool mount_dev(struct builder *b, struct err *e)
{
    static const char *const options[] = { "mode=0755", "size=64k", NULL };
    AUTO_FD dev = -1;

    return new_fs("tmpfs", options, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC, &dev, e) &&
           attach(b, dev, "/dev", S_IFDIR, e) && build_dev(b, dev, e);
}

/* The full /proc tells much about the machine: what is not of these processes is covered or read-only. */
static bool mask_proc(const struct builder *b, int proc, struct err *e)
{
    static const char *const covered[] = { "kcore", "keys", "key-users", "kmsg", "kallsyms", "kpagecount", "kpageflags",
                                           "kpagecgroup", "sysrq-trigger", "timer_list", "sched_debug", "latency_stats",
                                           "modules", "slabinfo", "vmallocinfo", "iomem", "ioports" };
    static const char *const readonly[] = { "sys", "bus", "fs", "irq", "acpi", "scsi", "driver", "tty" };
    AUTO_FD cover = -1;

    for (size_t i = 0; i < COUNT(covered); i++) {
        if (cover < 0 && !clone_mount(b->root, "dev/null", MOUNT_ATTR_NOSUID | MOUNT_ATTR_RDONLY, &cover, e))
            return false;
        if (move_mount(cover, "", proc, covered[i], MOVE_MOUNT_F_EMPTY_PATH) == 0)
            fd_close(&cover);
        else if (errno != ENOENT) /* else this kernel has none, and the cover is for the next one */
            return err_sys(e, "cover /proc/%s in the sandbox", covered[i]);
    }
    for (size_t i = 0; i < COUNT(readonly); i++) {
        AUTO_FD clone = -1;
        struct err why = { 0 };

        if (!clone_mount(proc, readonly[i], QUIET | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, &clone, &why)) {
            if (why.sys == ENOENT)
                continue;
            *e = why;
            return false;
        }
        if (!hang(clone, proc, readonly[i], e))
            return false;
    }
    return true;
}

static bool build_proc(struct builder *b, int *out, struct err *e)
{
    static const char *const small[] = { "hidepid=invisible", "subset=pid", NULL };
    struct err why = { 0 };
    AUTO_FD proc = -1;
    bool masked = b->p->small_proc;
    bool ok = new_fs("proc", masked ? small : NULL, QUIET | MOUNT_ATTR_NOEXEC, &proc, &why);

    if (!ok && !masked) { /* a container engine that covers parts of /proc: the kernel refuses a fuller view */
        masked = true;
        ok = new_fs("proc", small, QUIET | MOUNT_ATTR_NOEXEC, &proc, &why);
    }
    if (!ok) {
        jail_report_lower(b->r, JAIL_SET_PROCESSES, JAIL_ADVISORY,
                          "no /proc could be mounted inside: programs that need it do not work", NULL);
        return true;
    }
    if (!attach(b, proc, "/proc", S_IFDIR, e))
        return false;
    *out = open_inside(b, "proc", O_RDONLY | O_DIRECTORY);
    return masked || mask_proc(b, proc, e);
}

static bool is_whole(const struct builder *b)
{
    return b->p->n_paths && b->p->path[0].path.n == 1; /* the host's root directory: all files */
}

/* ------------------------------------------------------------ names that stay */

/* The writable directory of the host that this entry lies in, if the entry takes away from what may be done there. */
static const struct jail_path *writable_above(const struct builder *b, size_t i)
{
    const struct jail_path *p = &b->p->path[i];

    if (is_whole(b) || (p->access != JAIL_READ && p->access != JAIL_HIDE && p->access != JAIL_DENY))
        return NULL;
    for (size_t k = i; k-- > 0;)
        if (b->p->path[k].access != JAIL_LINK && jail_path_within(p->path, b->p->path[k].path))
            return b->p->path[k].access == JAIL_WRITE && b->s->path[k].fd >= 0 ? &b->p->path[k] : NULL;
    return NULL;
}

static bool is_mount(int dir)
{
    struct statx x;

    return statx(dir, "", AT_EMPTY_PATH, 0, &x) == 0 && (x.stx_attributes & STATX_ATTR_MOUNT_ROOT);
}

/* A mount cannot be renamed, but the directories above it can, with all that hangs in them: the next run would look for
 * the old name in vain, and what was denied could be read. Each of them is mounted on itself, which keeps its name. */
static bool pin_names_above(const struct builder *b, size_t i, struct err *e)
{
    const struct jail_path *p = &b->p->path[i], *top = writable_above(b, i);

    for (size_t n = top ? top->path.n + 1 : p->path.n; n < p->path.n; n++) {
        char name[PATH_MAX];

        if (p->path.p[n] != '/' || n >= sizeof name)
            continue;
        (void)snprintf(name, sizeof name, "%.*s", (int)n, p->path.p);
        AUTO_FD at = open_inside(b, name, O_PATH | O_DIRECTORY);

        if (at < 0)
            return true; /* not there, or no directory: whoever mounts on the path says so */
        if (is_mount(at))
            continue;
        AUTO_FD clone = open_tree(at, "", OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE);

        if (clone < 0)
            return err_sys(e, "clone '%s' to keep its name", name);
        if (!attach(b, clone, name, S_IFDIR, e))
            return false;
    }
    return true;
}

/* ------------------------------------------------------------ the whole */

/* Over a file of the host, which is not touched: a file in memory is mounted on it. */
static bool cover_with_text(const struct builder *b, const struct jail_path *p, struct err *e)
{
    AUTO_FD there = open_inside(b, p->path.p, O_PATH);

    if (there < 0) {
        jail_report_lower(b->r, JAIL_SET_OUTBOUND, JAIL_ADVISORY,
                          "a file such as /etc/resolv.conf cannot be replaced inside: names may not be found", NULL);
        return true;
    }
    AUTO_FD file = openat(b->pool, TEXT, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);

    if (file < 0)
        return err_sys(e, "make the file for '" STR_FMT "'", STR_ARG(p->path));
    bool ok = fd_write_all(file, p->target.p, p->target.n, p->path.p, e) &&
              (fchmod(file, 0444) == 0 || err_sys(e, "show '" STR_FMT "'", STR_ARG(p->path))) &&
              attach_pooled(b, TEXT, S_IFREG, QUIET | MOUNT_ATTR_NOEXEC | MOUNT_ATTR_RDONLY, p->path.p, e);

    return (unlinkat(b->pool, TEXT, 0) == 0 || err_sys(e, "let go of the file for '" STR_FMT "'", STR_ARG(p->path))) &&
           ok;
}

static bool write_text(const struct builder *b, size_t i, struct err *e)
{
    const struct jail_path *p = &b->p->path[i];
    AUTO_FD dir = -1, file = -1;
    const char *leaf;

    if (is_seen(b, p->path, i))
        return cover_with_text(b, p, e);
    if (!open_parent(b, p->path.p, &dir, &leaf, e))
        return false;
    file = openat(dir, leaf, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0444);
    return file >= 0 ? fd_write_all(file, p->target.p, p->target.n, p->path.p, e)
                     : err_sys(e, "make '" STR_FMT "' in the sandbox", STR_ARG(p->path));
}

static bool write_link(const struct builder *b, const struct jail_path *p, struct err *e)
{
    AUTO_FD dir = -1;
    const char *leaf;

    /* Below a directory of the host the link is already there. */
    if (!open_parent(b, p->path.p, &dir, &leaf, e))
        return false;
    if (symlinkat(p->target.p, dir, leaf) < 0 && errno != EEXIST && errno != EROFS)
        return err_sys(e, "make the link '" STR_FMT "' in the sandbox", STR_ARG(p->path));
    return true;
}

static bool build_path(struct builder *b, size_t i, struct err *e)
{
    const struct jail_path *p = &b->p->path[i];
    const struct source *s = &b->s->path[i];

    if (!pin_names_above(b, i, e))
        return false;
    switch (p->access) {
    case JAIL_READ:
    case JAIL_WRITE:
        return s->fd < 0 || (p->path.n == 1) || attach(b, s->fd, p->path.p, s->mode, e);
    case JAIL_OVERLAY:
        return s->fd < 0 || mount_overlay(b, p, s, e);
    case JAIL_PRIVATE:
        return mount_private(b, p->path.p, jail_path_within(p->path, STR("/tmp")) ||
                             jail_path_within(p->path, STR("/var/tmp")) ? 01777 : 0700, 0, e);
    case JAIL_LINK:
        return write_link(b, p, e);
    case JAIL_TEXT:
        return write_text(b, i, e);
    case JAIL_HIDE:
    case JAIL_DENY:
        return cover(b, i, e);
    }
    return true;
}

/* The new root hangs over the old one's top directory, which every namespace has, until it takes its place. */
static bool new_root(struct builder *b, struct err *e)
{
    static const char *const options[] = { "mode=0755", "size=16m", NULL };
    struct mount_attr private = { .propagation = MS_PRIVATE };

    if (mount_setattr(AT_FDCWD, "/", AT_RECURSIVE, &private, sizeof private) < 0)
        return err_sys(e, "cut the ties of the mounts to the host's");
    if (!make_pool(b, e))
        return false;
    if (is_whole(b))
        b->root = fcntl(b->s->path[0].fd, F_DUPFD_CLOEXEC, 0);
    else if (!new_fs("tmpfs", options, QUIET, &b->root, e))
        return false;
    if (!hang(b->root, AT_FDCWD, "/", e))
        return err_wrap(e, "mount the new root");
    return fchdir(b->pool) == 0 || err_sys(e, "enter the memory file system");
}

static bool build(struct builder *b, int *proc, struct err *e)
{
    for (size_t i = 0; i < b->p->n_paths; i++)
        if (!build_path(b, i, e))
            return false;
    return mount_dev(b, e) && build_proc(b, proc, e) && seal_passages(b, e) &&
           (is_whole(b) || cover_sockets(b, e));
}

static bool leave_host(const struct builder *b, struct err *e)
{
    struct mount_attr ro = { .attr_set = MOUNT_ATTR_RDONLY | QUIET };

    if (!is_whole(b) && mount_setattr(b->root, "", AT_EMPTY_PATH, &ro, sizeof ro) < 0)
        return err_sys(e, "make the new root read-only");
    if (fchdir(b->root) < 0)
        return err_sys(e, "enter the new root");
    if (syscall(SYS_pivot_root, ".", ".") < 0)
        return err_sys(e, "change to the new root");
    if (umount2(".", MNT_DETACH) < 0)
        return err_sys(e, "let go of the host's files");
    return chdir("/") == 0 || err_sys(e, "enter the new root");
}

bool mounts_build(const struct jail_policy *p, const struct sources *s, struct jail_report *r, int *proc, struct err *e)
{
    struct builder b = { .p = p, .s = s, .r = r, .root = -1, .pool = -1 };

    *proc = -1;
    bool ok = new_root(&b, e) && build(&b, proc, e) && leave_host(&b, e);

    fd_close(&b.root);
    fd_close(&b.pool);
    return ok;
}
