#include "install/place.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/copy.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/vec.h"
#include "install/many.h"
#include "store/store.h"

void place_init(struct place *p, const struct link_spec *spec, enum link_mode mode, struct arena *a,
                struct link_result *out)
{
    *p = (struct place){ .spec = spec, .arena = a, .result = out, .mode = mode };
    buf_init(&p->text, 4u << 20);
}

void place_clear(struct place *p)
{
    many_free(p->many);
    map_clear(&p->dirs);
    map_clear(&p->owners);
    VEC_CLEAR(&p->owner);
    buf_clear(&p->text);
}

void place_warn(struct place *p, struct str text)
{
    VEC_PUSH_IN(p->arena, &p->result->warnings, text);
}

static bool cstr_of(struct str s, char out[PATH_MAX], struct err *e)
{
    if (s.n >= PATH_MAX)
        return err_set(e, ERR_PACKAGE, "a path of %zu bytes is too long", s.n);
    memcpy(out, s.p, s.n);
    out[s.n] = '\0';
    return true;
}

bool place_dir(struct place *p, struct str path, struct err *e)
{
    char c[PATH_MAX];
    bool added;

    if (path.n == 0)
        return true;
    (void)map_get_or_add(&p->dirs, path, 1, &added);
    if (!added)
        return true;
    size_t slash = str_rfind(path, '/');

    if ((slash < path.n && !place_dir(p, str_sub(path, 0, slash), e)) || !cstr_of(path, c, e))
        return false;
    if (mkdirat(p->spec->prefix, c, 0777) == 0) {
        p->result->dirs++;
        return true;
    }
    return errno == EEXIST ? true : err_sys(e, "make directory %s", c);
}

static struct str name_of(const struct place *p, uint32_t package)
{
    return p->spec->packages[package].entry->name;
}

/* True in *again when another wheel put something there, which the caller then replaces. */
static void claim(struct place *p, struct str to, uint32_t package, const unsigned char *sha256, bool *again)
{
    bool added;
    uint32_t at = map_get_or_add(&p->owners, to, (uint32_t)p->owner.n, &added);

    *again = !added;
    if (added) {
        VEC_PUSH(&p->owner, (struct place_owner){ package, sha256 });
        return;
    }
    struct place_owner *o = &p->owner.p[at];
    bool same = sha256 && o->sha256 && memcmp(sha256, o->sha256, HASH_SHA256) == 0;

    if (!same && o->package != package)
        place_warn(p, arena_printf(p->arena,
                                   "'" STR_FMT "' is in '" STR_FMT "' and in '" STR_FMT "'; the last one is used",
                                   STR_ARG(to), STR_ARG(name_of(p, o->package)), STR_ARG(name_of(p, package))));
    *o = (struct place_owner){ package, sha256 };
}

static bool copy_file(struct place *p, const char *from, const char *to, bool executable, bool reflink, struct err *e)
{
    AUTO_FD in = -1;
    AUTO_FD out = -1;

    if (!fd_open(p->spec->store->dir, from, O_RDONLY | O_NOFOLLOW, 0, &in, e) ||
        !fd_open(p->spec->prefix, to, O_WRONLY | O_CREAT | O_EXCL, executable ? 0777 : 0666, &out, e))
        return false;
    if (reflink ? ioctl(out, FICLONE, in) == 0 || err_sys(e, "clone %s", to) : copy_content(in, out, to, e))
        return true;
    (void)unlinkat(p->spec->prefix, to, 0); /* half a file helps nobody */
    return false;
}

/* The store's modes say it: 0555 or 0444. */
static bool access_is_executable(const struct place *p, const char *from)
{
    struct stat st;

    return fstatat(p->spec->store->dir, from, &st, AT_SYMLINK_NOFOLLOW) == 0 && st.st_mode & S_IXUSR;
}

static bool link_symbolic(struct place *p, const char *from, const char *to, struct err *e)
{
    buf_reset(&p->text);
    if (!buf_printf(&p->text, "%s/%s", p->spec->store->path, from))
        return err_set(e, ERR_PACKAGE, "the path of the store is too long");
    if (symlinkat(buf_done(&p->text).p, p->spec->prefix, to) < 0)
        return err_sys(e, "link %s", to);
    p->result->links++;
    return true;
}

bool place_finish(struct place *p, struct err *e)
{
    const struct many_copy *copy = NULL;
    size_t n = 0;

    if (!p->many)
        return true;
    if (!many_finish(p->many, &copy, &n, e))
        return false;
    for (size_t i = 0; i < n; i++)
        if (!copy_file(p, copy[i].from, copy[i].to, access_is_executable(p, copy[i].from), false, e))
            return false;
    many_free(p->many);
    p->many = NULL;
    return true;
}

static bool link_hard(struct place *p, const char *from, const char *to, bool executable, struct err *e)
{
    p->result->files++;
    if (p->hard_links++ == MANY_FROM)
        p->many = many_new(p->spec->store->dir, p->spec->prefix);
    if (p->many) {
        many_add(p->many, arena_text(p->arena, from, strlen(from)), arena_text(p->arena, to, strlen(to)));
        return true;
    }
    if (linkat(p->spec->store->dir, from, p->spec->prefix, to, 0) == 0)
        return true;
    if (errno != EMLINK) /* ext4 allows 65,000 names of one file */
        return err_sys(e, "link %s", to);
    return copy_file(p, from, to, executable, false, e);
}

static bool put_by_mode(struct place *p, const struct place_item *item, const char *from, const char *to, struct err *e)
{
    switch (item->mode) {
    case LINK_TREE:
        return link_symbolic(p, from, to, e);
    case LINK_HARDLINK:
        return link_hard(p, from, to, item->executable, e);
    case LINK_COPY:
    case LINK_REFLINK:
        p->result->files++;
        return copy_file(p, from, to, item->executable, item->mode == LINK_REFLINK, e);
    case LINK_AUTO:
        break;
    }
    BUG("a file without a link mode");
}

bool place_put(struct place *p, const struct place_item *item, struct err *e)
{
    char from[PATH_MAX], to[PATH_MAX];
    size_t slash = str_rfind(item->to, '/');
    bool again;

    if (!cstr_of(item->from, from, e) || !cstr_of(item->to, to, e) ||
        (slash < item->to.n && !place_dir(p, str_sub(item->to, 0, slash), e)))
        return false;
    claim(p, item->to, item->package, item->sha256, &again);
    if (again && (!place_finish(p, e) || (unlinkat(p->spec->prefix, to, 0) < 0 && errno != ENOENT)))
        return e->kind == ERR_NONE ? err_sys(e, "replace %s", to) : false;
    return put_by_mode(p, item, from, to, e);
}

bool place_write(struct place *p, struct str to, uint32_t package, struct str content, unsigned mode, struct err *e)
{
    char path[PATH_MAX];
    size_t slash = str_rfind(to, '/');
    AUTO_FD fd = -1;
    bool again;

    if (!cstr_of(to, path, e) || (slash < to.n && !place_dir(p, str_sub(to, 0, slash), e)))
        return false;
    claim(p, to, package, NULL, &again);
    if (again && (!place_finish(p, e) || (unlinkat(p->spec->prefix, path, 0) < 0 && errno != ENOENT)))
        return e->kind == ERR_NONE ? err_sys(e, "replace %s", path) : false;
    p->result->files++;
    return fd_open(p->spec->prefix, path, O_WRONLY | O_CREAT | O_EXCL, mode, &fd, e) &&
           fd_write_all(fd, content.p, content.n, path, e);
}

bool place_link_own(struct place *p, struct str from, struct str to, uint32_t package, struct err *e)
{
    char a[PATH_MAX], b[PATH_MAX];
    size_t slash = str_rfind(to, '/');
    bool again;

    if (!cstr_of(from, a, e) || !cstr_of(to, b, e) || (slash < to.n && !place_dir(p, str_sub(to, 0, slash), e)))
        return false;
    if (linkat(p->spec->prefix, a, p->spec->prefix, b, 0) < 0)
        return err_sys(e, "link %s", b);
    claim(p, to, package, NULL, &again);
    p->result->files++;
    return true;
}
