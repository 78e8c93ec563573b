#include "jail/source.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "jail/policy.h"
#include "jail/uppers.h"
#include "jail/userns.h"

#define SOCKETS_MAX (4u << 20) /* bytes of /proc/net/unix */
#define OWNERS_MAX 16

const char *const source_device_name[SOURCE_DEVICES] = { "null", "zero", "full", "random", "urandom", "tty" };

struct owner {
    uid_t uid;
    gid_t gid;
    int userns;
};

struct taker {
    uid_t as;
    const char *uppers;
    unsigned n_layers;
    struct owner owner[OWNERS_MAX];
    size_t n_owners;
};

/* The namespace that shows this owner's files as the program's own. */
static bool owner_namespace(struct taker *t, const struct stat *st, int *fd, struct err *e)
{
    for (size_t i = 0; i < t->n_owners; i++)
        if (t->owner[i].uid == st->st_uid && t->owner[i].gid == st->st_gid) {
            *fd = t->owner[i].userns;
            return true;
        }
    if (t->n_owners == OWNERS_MAX)
        return err_set(e, ERR_ENVIRONMENT, "the shown directories belong to more than %d users", OWNERS_MAX);
    if (!userns_for_owner(st->st_uid, st->st_gid, t->as, fd, e))
        return false;
    t->owner[t->n_owners++] = (struct owner){ st->st_uid, st->st_gid, *fd };
    return true;
}

/* No part of the way may be a link: the policy's paths are resolved, so one that appears now was put there since. */
static int open_plain(const char *path)
{
    struct open_how how = {
        .flags = O_PATH | O_CLOEXEC | O_NOFOLLOW,
        .resolve = RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };

    return (int)syscall(SYS_openat2, AT_FDCWD, path, &how, sizeof how);
}

static bool translate(struct taker *t, const struct jail_path *p, const struct stat *st, int mount, struct err *e)
{
    struct mount_attr at = { .attr_set = MOUNT_ATTR_IDMAP };
    int userns;

    if (!owner_namespace(t, st, &userns, e))
        return false;
    at.userns_fd = (__u64)userns;
    if (mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &at, sizeof at) == 0)
        return true;
    if (p->access == JAIL_READ && (errno == EINVAL || errno == EPERM || errno == EOPNOTSUPP))
        return true; /* read as anybody would */
    (void)err_sys(e, "translate the owner of '" STR_FMT "'", STR_ARG(p->path));
    return err_hint(e, "its file system takes no idmapped mounts, which root needs: run blast as an ordinary user");
}

/* The place for the changes of an overlay. The owner of what it lies over is its owner, too. */
static bool take_layer(struct taker *t, const struct jail_path *p, const struct stat *over, int *out, struct err *e)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV };
    char path[PATH_MAX];

    if ((size_t)snprintf(path, sizeof path, "%s/%u", t->uppers, t->n_layers) >= sizeof path)
        return err_set(e, ERR_ENVIRONMENT, "the path of '%s' is too long", t->uppers);
    if (!S_ISDIR(over->st_mode))
        return true;
    AUTO_FD at = open_plain(path);
    AUTO_FD mount = at < 0 ? -1 : open_tree(at, "", AT_EMPTY_PATH | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (mount < 0)
        return err_sys(e, "clone the mount of '%s'", path);
    if (mount_setattr(mount, "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
        return err_sys(e, "restrict the mount of '%s'", path);
    if (t->as && p->keep_owner && !translate(t, p, over, mount, e)) {
        (void)err_wrap(e, "hold its changes in '%s', as recovery = \"keep\" asks", path);
        return uppers_hint(e);
    }
    *out = mount;
    mount = -1;
    return true;
}

static bool take(struct taker *t, const struct jail_path *p, struct source *out, struct err *e)
{
    AUTO_FD at = open_plain(p->path.p);
    struct stat st;

    if (at < 0 && p->may_lack && (errno == ENOENT || errno == ENOTDIR || errno == EACCES))
        return true;
    if (at < 0 || fstat(at, &st) < 0) {
        (void)err_sys(e, "open '" STR_FMT "' to show it in the sandbox", STR_ARG(p->path));
        return errno != ELOOP || err_hint(e, "a link appeared in it since the sandbox was planned");
    }
    AUTO_FD mount = open_tree(at, "", AT_EMPTY_PATH | AT_RECURSIVE | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);

    if (mount < 0)
        return err_sys(e, "clone the mount of '" STR_FMT "'", STR_ARG(p->path));
    /* Recursive: the classic "bind, then remount read-only" leaves mounts below it writable. */
    struct mount_attr attr = {
        .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | (p->access == JAIL_WRITE ? 0 : MOUNT_ATTR_RDONLY),
    };

    if (mount_setattr(mount, "", AT_EMPTY_PATH | AT_RECURSIVE, &attr, sizeof attr) < 0)
        return err_sys(e, "restrict the mount of '" STR_FMT "'", STR_ARG(p->path));
    if (t->as && p->keep_owner && !translate(t, p, &st, mount, e))
        return false;
    if (p->access == JAIL_OVERLAY && t->uppers[0] && !take_layer(t, p, &st, &out->layer, e))
        return false;
    out->fd = mount;
    out->mode = st.st_mode;
    mount = -1;
    return true;
}

static bool take_devices(int *out, struct err *e)
{
    struct mount_attr attr = { .attr_set = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NOEXEC };
    AUTO_FD dev = open_plain("/dev");

    if (dev < 0)
        return err_sys(e, "open /dev");
    for (size_t i = 0; i < SOURCE_DEVICES; i++) {
        const char *name = source_device_name[i];

        out[i] = open_tree(dev, name, AT_SYMLINK_NOFOLLOW | OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC);
        if (out[i] < 0)
            return err_sys(e, "clone the mount of /dev/%s", name);
        if (mount_setattr(out[i], "", AT_EMPTY_PATH, &attr, sizeof attr) < 0)
            return err_sys(e, "restrict the mount of /dev/%s", name);
    }
    return true;
}

bool sources_take(const struct jail_policy *p, uid_t as, const char *uppers, struct arena *a, struct sources *out,
                  struct err *e)
{
    struct taker t = { .as = as, .uppers = uppers };
    bool ok = true;

    out->path = ARENA_ARRAY(a, struct source, p->n_paths + 1);
    out->n = p->n_paths;
    for (size_t i = 0; i < p->n_paths; i++)
        out->path[i].fd = out->path[i].layer = -1;
    for (size_t i = 0; i < SOURCE_DEVICES; i++)
        out->device[i] = -1;
    for (size_t i = 0; i < p->n_paths && ok; i++) {
        if (p->path[i].access == JAIL_READ || p->path[i].access == JAIL_WRITE || p->path[i].access == JAIL_OVERLAY)
            ok = take(&t, &p->path[i], &out->path[i], e);
        t.n_layers += p->path[i].access == JAIL_OVERLAY;
    }
    ok = ok && take_devices(out->device, e);
    for (size_t i = 0; i < t.n_owners; i++)
        (void)close(t.owner[i].userns);
    return ok;
}

void sources_close(struct sources *s)
{
    for (size_t i = 0; i < s->n; i++) {
        fd_close(&s->path[i].fd);
        fd_close(&s->path[i].layer);
    }
    for (size_t i = 0; i < SOURCE_DEVICES; i++)
        fd_close(&s->device[i]);
}

const char *const *source_sockets(struct arena *a)
{
    AUTO_BUF text = { .limit = SOCKETS_MAX };
    AUTO_FD fd = open("/proc/net/unix", O_RDONLY | O_CLOEXEC);
    struct err ignored = { 0 }; /* unreadable or too long: what was read counts, the report is advisory anyway */
    VEC(const char *) list = { 0 };
    struct str line;

    if (fd >= 0)
        (void)!fd_read_all(fd, &text, "/proc/net/unix", &ignored);
    for (struct str rest = buf_done(&text); str_next_line(&rest, &line);) {
        /* Num RefCount Protocol Flags Type St Inode Path; abstract ones begin with @ */
        size_t slash = str_find(line, '/');

        if (slash < line.n && slash && line.p[slash - 1] == ' ')
            VEC_PUSH_IN(a, &list, arena_cstr(a, str_sub(line, slash, line.n)));
    }
    VEC_PUSH_IN(a, &list, NULL);
    return list.p;
}
