#include "sync/tracked.h"

#include <fcntl.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

#define INDEX_MAX ((size_t)1 << 30)
#define POINTER_MAX 65536 /* bytes of a .git file and of a repository's config */
#define NAME_MAX_BYTES 65536
#define STAT_BYTES 40     /* of an entry before its object name */
#define FLAG_EXTENDED 0x4000u
#define FLAG_LENGTH 0xfffu /* of the name, as far as it goes: tells the two sizes of object names apart, too */

static uint32_t be32(const char *p)
{
    const unsigned char *u = (const unsigned char *)p;

    return (uint32_t)u[0] << 24 | (uint32_t)u[1] << 16 | (uint32_t)u[2] << 8 | u[3];
}

/* The offset encoding of pack files: how many bytes of the name before are dropped (version 4). */
static bool drop_count(struct str *rest, size_t *out)
{
    size_t n = 0;

    for (unsigned i = 0; i < 5 && i < rest->n; i++) {
        unsigned char c = (unsigned char)rest->p[i];

        n = i ? ((n + 1) << 7) | (c & 0x7f) : c & 0x7f;
        if (!(c & 0x80)) {
            *rest = str_sub(*rest, i + 1, rest->n);
            *out = n;
            return true;
        }
    }
    return false;
}

/* One entry off the front of *rest; *name holds the name of the entry before and gets this one's. False: no index. */
static bool next_name(struct str *rest, uint32_t version, size_t hash, struct buf *name)
{
    struct str at = *rest;
    size_t fixed = STAT_BYTES + hash + 2, dropped = name->n;

    if (at.n <= fixed)
        return false;
    uint32_t flags = be32(at.p + fixed - 4) & 0xffff; /* the lower half */

    if (version >= 3 && (flags & FLAG_EXTENDED))
        fixed += 2;
    if (at.n <= fixed)
        return false;
    at = str_sub(at, fixed, at.n);
    if (version == 4 && !drop_count(&at, &dropped))
        return false;
    size_t n = str_find(at, '\0'), taken = (size_t)(at.p - rest->p) + n + 1;

    if (n == at.n || dropped > name->n)
        return false;
    name->n -= dropped;
    if (version < 4)
        taken = (taken + 7) / 8 * 8; /* an entry is padded with zeros */
    if (taken > rest->n || !buf_str(name, str_sub(at, 0, n)) || (flags & FLAG_LENGTH) != MIN(name->n, FLAG_LENGTH))
        return false;
    *rest = str_sub(*rest, taken, rest->n);
    return true;
}

static bool search(struct str index, size_t hash, struct str path, bool *understood)
{
    uint32_t version = be32(index.p + 4), n = be32(index.p + 8);
    struct str rest = str_sub(index, 12, index.n);
    AUTO_BUF name = { .limit = NAME_MAX_BYTES };
    bool found = false;

    *understood = false;
    for (uint32_t i = 0; i < n && !found; i++) {
        if (!next_name(&rest, version, hash, &name))
            return false;
        found = str_eq(buf_done(&name), path);
    }
    *understood = true;
    return found;
}

bool tracked_in_index(struct str index, struct str path, bool *understood)
{
    *understood = false;
    if (index.n < 12 || memcmp(index.p, "DIRC", 4) != 0 || be32(index.p + 4) < 2 || be32(index.p + 4) > 4)
        return false;
    bool found = search(index, 20, path, understood);

    return *understood ? found : search(index, 32, path, understood); /* a repository of SHA-256 */
}

/* .git in `folder`: the directory with the index, or a file that says where that is. p == NULL: neither. */
static const char *git_dir(struct arena *a, const char *folder, bool *doubt)
{
    const char *path = arena_printf(a, "%s/.git", folder).p;
    struct err ignored = { 0 };
    AUTO_FD fd = -1;
    bool there;
    struct str text;

    if (!file_exists(AT_FDCWD, path))
        return NULL;
    if (fd_open_if_there(AT_FDCWD, path, O_RDONLY | O_DIRECTORY, &fd, &there, &ignored) && there)
        return path;
    *doubt = true;
    if (!fd_read_if_there(AT_FDCWD, path, POINTER_MAX, a, &text, &ignored) || !text.p ||
        !str_cut_prefix(&text, STR("gitdir: ")))
        return NULL;
    *doubt = false;
    text = str_trim(text);
    return text.n && text.p[0] == '/' ? arena_cstr(a, text)
                                      : arena_printf(a, "%s/" STR_FMT, folder, STR_ARG(text)).p;
}

static bool in_repository(struct arena *a, const char *git, struct str path)
{
    AUTO_FD fd = -1;
    struct err ignored = { 0 };
    struct str map = { NULL, 0 };
    bool there, understood, found;

    if (!fd_open_if_there(AT_FDCWD, arena_printf(a, "%s/index", git).p, O_RDONLY, &fd, &there, &ignored))
        return true;
    if (!there)
        return false; /* a new repository: nothing was added yet */
    if (!fd_map(fd, "index", &map, &ignored))
        return true;
    found = map.n <= INDEX_MAX && tracked_in_index(map, path, &understood);
    if (map.n > INDEX_MAX || !understood)
        found = true;
    fd_unmap(&map);
    return found;
}

bool tracked_is(const char *folder, const char *name)
{
    static const char *const others[] = { ".hg", ".jj", ".svn" };
    AUTO_ARENA a = { 0 };
    struct str at = str_of(folder);

    for (;;) {
        const char *here = arena_cstr(&a, at);
        bool doubt = false;
        const char *git = git_dir(&a, here, &doubt);

        if (doubt)
            return true;
        if (git) {
            struct str below = str_sub(str_of(folder), MIN(at.n + 1, strlen(folder)), strlen(folder));

            return in_repository(&a, git, arena_printf(&a, STR_FMT "%s%s", STR_ARG(below), below.n ? "/" : "", name));
        }
        for (size_t i = 0; i < COUNT(others); i++)
            if (file_exists(AT_FDCWD, arena_printf(&a, "%s/%s", here, others[i]).p))
                return true;
        if (at.n <= 1)
            return false;
        size_t slash = str_rfind(at, '/');

        at = str_sub(at, 0, slash == at.n ? 0 : MAX(slash, (size_t)1));
    }
}
