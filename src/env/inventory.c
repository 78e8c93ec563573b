#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "codec/mail.h"
#include "env/env.h"
#include "pep/direct_url.h"
#include "pep/name.h"

#define HEAD_BYTES (4u << 10) /* of METADATA: name and version stand at its beginning */
#define LONG_HEAD_BYTES (1u << 20)
#define SMALL_LIMIT (1u << 20)

struct scan {
    int site;
    struct arena *arena;
    VEC(struct env_package) found;
};

/* The beginning of a file; p == NULL when it cannot be read. */
static struct str read_head(struct scan *s, const char *dir, const char *name)
{
    char path[PATH_MAX];
    char text[HEAD_BYTES];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);

    if (n < 0 || (size_t)n >= sizeof path)
        return (struct str){ NULL, 0 };
    AUTO_FD fd = openat(s->site, path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t k = fd < 0 ? -1 : read(fd, text, sizeof text);

    return k < 0 ? (struct str){ NULL, 0 } : arena_str(s->arena, (struct str){ text, (size_t)k });
}

static bool is_there(struct scan *s, const char *dir, const char *name)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", dir, name);

    return n > 0 && (size_t)n < sizeof path && faccessat(s->site, path, F_OK, 0) == 0;
}

static void read_fields(struct str text, struct env_package *p)
{
    for (struct str name, value; mail_next(&text, &name, &value) && !(p->name.n && p->version.n);) {
        if (str_eq_nocase(name, STR("Name")) && !p->name.n)
            p->name = value;
        else if (str_eq_nocase(name, STR("Version")) && !p->version.n)
            p->version = value;
    }
}

/* "name-version[-py3.11]" of a directory's name. */
static void fields_of_name(struct str stem, struct env_package *p)
{
    struct str part[3] = { { NULL, 0 } };
    size_t n = str_split(stem, '-', part, 3);

    if (!p->name.n)
        p->name = part[0];
    if (!p->version.n && n > 1)
        p->version = part[1];
}

static int hex_value(char c)
{
    return char_is_digit(c) ? c - '0' : char_is_alpha(c) && char_lower(c) <= 'f' ? char_lower(c) - 'a' + 10 : -1;
}

/* "file:///a%20b" into "/a b". */
static struct str path_of_url(struct str url, struct arena *a)
{
    if (!str_cut_prefix(&url, STR("file://")))
        return STR("");
    size_t slash = str_find(url, '/');
    struct str out = arena_str(a, str_sub(url, slash, url.n));
    char *p = (char *)(uintptr_t)out.p;
    size_t n = 0;

    for (size_t i = 0; i < out.n; i++) {
        int hi = p[i] == '%' && i + 2 < out.n ? hex_value(p[i + 1]) : -1;
        int lo = hi >= 0 ? hex_value(p[i + 2]) : -1;

        p[n++] = lo >= 0 ? (char)(hi * 16 + lo) : p[i];
        i += lo >= 0 ? 2 : 0;
    }
    out.n = n;
    return out;
}

static void read_direct_url(struct scan *s, const char *dir, struct env_package *p)
{
    char path[PATH_MAX];
    struct direct_url d;
    struct err ignored = { 0 }; /* damaged: it is listed as if it came from an index */
    int n = snprintf(path, sizeof path, "%s/direct_url.json", dir);

    if (n < 0 || (size_t)n >= sizeof path ||
        !fd_read_if_there(s->site, path, SMALL_LIMIT, s->arena, &p->direct_url, &ignored) || !p->direct_url.p) {
        p->direct_url = STR("");
        return;
    }
    if (direct_url_parse(s->arena, p->direct_url, &d, &ignored) && d.kind == DIRECT_DIR && d.editable) {
        p->editable = true;
        p->location = path_of_url(d.url, s->arena);
    }
}

/* Some put thousands of classifiers first. */
static void read_long_head(struct scan *s, const char *dir, struct env_package *p)
{
    struct str path = arena_printf(s->arena, "%s/METADATA", dir), text;
    struct err ignored = { 0 }; /* too long or gone: the name of the directory does */

    if (fd_read_if_there(s->site, path.p, LONG_HEAD_BYTES, s->arena, &text, &ignored) && text.p)
        read_fields(text, p);
}

static void add_dist_info(struct scan *s, const char *dir, struct str stem)
{
    struct env_package p = { .dist_info = arena_str(s->arena, str_of(dir)) };
    struct str metadata = read_head(s, dir, "METADATA");

    if (metadata.p)
        read_fields(metadata, &p);
    if (metadata.n == HEAD_BYTES && (!p.name.n || !p.version.n))
        read_long_head(s, dir, &p);
    if (!p.name.n || !p.version.n)
        p.oddities |= ENV_NO_METADATA;
    fields_of_name(arena_str(s->arena, stem), &p);
    if (!is_there(s, dir, "RECORD"))
        p.oddities |= ENV_NO_RECORD;
    p.installer = str_trim(read_head(s, dir, "INSTALLER"));
    p.requested = is_there(s, dir, "REQUESTED");
    read_direct_url(s, dir, &p);
    VEC_PUSH_IN(s->arena, &s->found, p);
}

static void add_egg(struct scan *s, const char *name, struct str stem, bool link)
{
    struct env_package p = { .dist_info = arena_str(s->arena, str_of(name)), .oddities = ENV_EGG | ENV_NO_RECORD };
    struct str head = link ? (struct str){ NULL, 0 } : read_head(s, name, "PKG-INFO");

    if (!head.p) /* a single file, or the path of the project in a link */
        head = read_head(s, ".", name);
    if (link && head.p) {
        struct str line;

        p.editable = true;
        if (str_next_line(&head, &line))
            p.location = str_trim(line);
    } else if (head.p) {
        read_fields(head, &p);
    }
    if (!p.name.n || !p.version.n)
        p.oddities |= ENV_NO_METADATA;
    fields_of_name(arena_str(s->arena, stem), &p);
    VEC_PUSH_IN(s->arena, &s->found, p);
}

static int package_order(const void *a, const void *b)
{
    const struct env_package *x = a, *y = b;
    int c = name_cmp(x->name, y->name);

    return c ? c : str_cmp(x->dist_info, y->dist_info);
}

static bool scan_site(struct scan *s, struct err *e)
{
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (!file_list_open(s->site, ".", &list, e))
        return false;
    while (file_list_next(&list, &d, e)) {
        struct str stem = str_of(d->d_name);

        if (stem.p[0] == '~' || stem.p[0] == '.') /* remains of pip's own transactions; ours */
            continue;
        if (str_cut_suffix(&stem, STR(".dist-info")))
            add_dist_info(s, d->d_name, stem);
        else if (str_cut_suffix(&stem, STR(".egg-info")))
            add_egg(s, d->d_name, stem, false);
        else if (str_cut_suffix(&stem, STR(".egg-link")))
            add_egg(s, d->d_name, stem, true);
    }
    return e->kind == ERR_NONE;
}

bool env_installed(struct env *env, struct arena *a, struct env_packages *out, struct err *e)
{
    struct scan s = { .site = -1, .arena = a };
    AUTO_FD site = -1;
    bool there;

    err_clear(e);
    if (!fd_open_if_there(env->dir, env->site.p, O_RDONLY | O_DIRECTORY, &site, &there, e))
        return err_as(e, ERR_ENVIRONMENT, "list the packages of '%s'", env->path);
    s.site = site;
    if (there && !scan_site(&s, e))
        return err_as(e, ERR_ENVIRONMENT, "list the packages of '%s'", env->path);
    if (s.found.n)
        qsort(s.found.p, s.found.n, sizeof *s.found.p, package_order);
    for (size_t i = 1; i < s.found.n; i++) {
        if (name_eq(s.found.p[i - 1].name, s.found.p[i].name)) {
            s.found.p[i - 1].oddities |= ENV_TWICE;
            s.found.p[i].oddities |= ENV_TWICE;
        }
    }
    *out = (struct env_packages){ s.found.p, s.found.n };
    return true;
}
