#include "daemon/closure.h"

#include <fcntl.h>
#include <sys/stat.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "config/reqfile.h"

#define SHOWN_MAX 4
#define REQUIREMENTS_MAX 64 /* files beside the project's own */

struct reading {
    struct arena *a;
    VEC(struct closure_file) files; /* in the arena */
};

/* "/p/a/../b.txt" and "/p/./b.txt" to "/p/b.txt". */
static struct str clean_path(struct arena *a, struct str path)
{
    VEC(struct str) parts = { 0 };
    struct str part, rest = path, out = STR("");

    while (str_next(&rest, '/', &part)) {
        if (!part.n || str_eq(part, STR(".")))
            continue;
        if (str_eq(part, STR("..")))
            parts.n -= parts.n > 0;
        else
            VEC_PUSH_IN(a, &parts, part);
    }
    for (size_t i = 0; i < parts.n; i++)
        out = arena_printf(a, STR_FMT "/" STR_FMT, STR_ARG(out), STR_ARG(parts.p[i]));
    return out.n ? out : STR("/");
}

/* Reads and digests; out (may be NULL) gets the text, empty for what cannot be read. */
static uint64_t digest_file(const char *path, struct arena *a, struct str *out)
{
    AUTO_FD fd = -1;
    struct err e = { 0 };
    struct stat st;
    struct str text = STR("");
    bool there;

    if (out)
        *out = text;
    if (!fd_open_if_there(AT_FDCWD, path, O_RDONLY | O_NONBLOCK, &fd, &there, &e) || !there || fstat(fd, &st) < 0 ||
        !S_ISREG(st.st_mode))
        return 0;
    if (st.st_size > (off_t)CLOSURE_FILE_MAX) {
        int64_t said[3] = { st.st_size, st.st_mtim.tv_sec, st.st_mtim.tv_nsec };

        return hash_fast(said, sizeof said) | 1;
    }
    AUTO_BUF b = { .limit = CLOSURE_FILE_MAX + 1 };

    if (!fd_read_all(fd, &b, path, &e))
        return 0;
    text = buf_done(&b);
    if (out)
        *out = arena_str(a, text);
    uint64_t h = hash_fast(text.p, text.n);

    return h ? h : 1;
}

/* False: it is there already. */
static bool add_file(struct reading *r, struct str path, struct str *text)
{
    path = clean_path(r->a, path);
    for (size_t i = 0; i < r->files.n; i++)
        if (str_eq(str_of(r->files.p[i].path), path))
            return false;
    struct closure_file f = { .path = arena_cstr(r->a, path) };

    f.hash = digest_file(f.path, r->a, text);
    VEC_PUSH_IN(r->a, &r->files, f);
    return true;
}

/* Of a requirements file and those it takes in; missing ones are empty, so that the rest is found. */
static bool read_nested(void *ctx, const char *path, struct arena *a, struct str *out, struct err *e)
{
    (void)a, (void)e;
    if (!add_file(ctx, str_of(path), out))
        *out = STR("");
    return true;
}

static void read_requirements(struct reading *r, const char *root)
{
    AUTO_FILE_LIST list = { 0 };
    struct err e = { 0 };
    const struct dirent *d;
    struct reqfile_reader reader = { .read = read_nested, .ctx = r };
    unsigned n = 0;

    if (!file_list_open(AT_FDCWD, root, &list, &e))
        return;
    while (n < REQUIREMENTS_MAX && file_list_next(&list, &d, &e)) {
        struct str name = str_of(d->d_name);
        struct reqfile parsed = { 0 };
        struct err wrong = { 0 };

        if (!str_starts(name, STR("requirements")) || !str_ends(name, STR(".txt")))
            continue;
        n++;
        (void)!reqfile_read(arena_printf(r->a, "%s/%s", root, d->d_name).p, false, &reader, r->a, &parsed, &wrong);
    }
}

static int by_path(const void *a, const void *b)
{
    const struct closure_file *x = a, *y = b;

    return strcmp(x->path, y->path);
}

void closure_read(const char *root, struct closure *out)
{
    static const char *const own[] = { "pyproject.toml", "pylock.toml", "blast.toml", ".python-version",
                                       "requirements.txt" };
    AUTO_ARENA a = { 0 };
    struct reading r = { .a = &a };
    uint64_t digest = 0;

    *out = (struct closure){ 0 };
    read_requirements(&r, root);
    for (size_t i = 0; i < COUNT(own); i++)
        (void)add_file(&r, arena_printf(&a, "%s/%s", root, own[i]), NULL);
    if (r.files.n)
        qsort(r.files.p, r.files.n, sizeof r.files.p[0], by_path);
    for (size_t i = 0; i < r.files.n; i++) {
        struct closure_file f = r.files.p[i];
        uint64_t part[3] = { digest, hash_fast(f.path, strlen(f.path)), f.hash };

        digest = hash_fast(part, sizeof part);
        f.path = mem_dup(f.path, strlen(f.path));
        VEC_PUSH(&out->files, f);
    }
    out->digest = digest ? digest : 1;
}

void closure_clear(struct closure *c)
{
    for (size_t i = 0; i < c->files.n; i++)
        free(c->files.p[i].path);
    VEC_CLEAR(&c->files);
    c->digest = 0;
}

static void name_one(struct arena *a, struct str *out, unsigned *n, const char *path, const char *root)
{
    struct str name = str_of(path), below = name;

    if (str_cut_prefix(&below, str_of(root)) && str_cut_prefix(&below, STR("/")))
        name = below;
    if (++*n <= SHOWN_MAX)
        *out = arena_printf(a, STR_FMT "%s" STR_FMT, STR_ARG(*out), out->n ? ", " : "", STR_ARG(name));
}

struct str closure_difference(const struct closure *before, const struct closure *after, const char *root,
                              struct arena *a)
{
    struct str out = STR("");
    unsigned n = 0;
    size_t i = 0, k = 0;

    while (i < before->files.n || k < after->files.n) {
        const struct closure_file *x = i < before->files.n ? &before->files.p[i] : NULL;
        const struct closure_file *y = k < after->files.n ? &after->files.p[k] : NULL;
        int order = !x ? 1 : !y ? -1 : strcmp(x->path, y->path);

        if (order == 0 ? x->hash != y->hash : order < 0 ? x->hash != 0 : y->hash != 0)
            name_one(a, &out, &n, order <= 0 ? x->path : y->path, root);
        i += order <= 0;
        k += order >= 0;
    }
    if (n > SHOWN_MAX)
        out = arena_printf(a, STR_FMT " and %u more", STR_ARG(out), n - SHOWN_MAX);
    return out;
}

bool closure_same_files(const struct closure *x, const struct closure *y)
{
    if (x->files.n != y->files.n)
        return false;
    for (size_t i = 0; i < x->files.n; i++)
        if (strcmp(x->files.p[i].path, y->files.p[i].path) != 0)
            return false;
    return true;
}
