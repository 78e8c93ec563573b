#include "index/flat.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/hash.h"
#include "index/catalog.h"
#include "index/page.h"
#include "net/url.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/sdist_name.h"
#include "pep/wheel_name.h"

/* The project that a file belongs to by its name; false for other files. */
static bool project_of(struct str file, struct str *project)
{
    struct err ignored;
    struct wheel_name w;
    struct sdist_name s;

    if (wheel_name_parse(file, &w, &ignored)) {
        *project = w.project;
        return true;
    }
    if (sdist_name_parse(file, &s, &ignored)) {
        *project = s.project;
        return true;
    }
    return false;
}

static bool make_listing(struct catalog *c, struct str project, const struct page *page, struct str url,
                         struct str *record, struct err *e)
{
    AUTO_BUF b;
    struct listing_source s = { .project = project, .url = url, .checked = clock_now(), .until = LISTING_GIVEN };

    buf_init(&b, LISTING_PAGE_MAX);
    if (!listing_from_links(page, &s, &b, e))
        return false;
    char *copy = arena_alloc(&c->a, b.n); /* aligned, which arena_str would not be */

    memcpy(copy, b.p, b.n);
    *record = (struct str){ copy, b.n };
    return true;
}

struct named {
    struct str project;
    struct page_link link;
};

static int by_project(const void *x, const void *y)
{
    const struct named *a = x, *b = y;
    int k = str_cmp(a->project, b->project);

    return k ? k : str_cmp(a->link.name, b->link.name);
}

/* The files of one project, behind those that another folder has of it. */
static bool add_group(struct catalog *c, const struct named *from, size_t n, struct err *e)
{
    bool fresh;
    uint32_t at = map_get_or_add(&c->flat, from->project, (uint32_t)c->flat_lists.n, &fresh);

    if (fresh) {
        VEC_PUSH_IN(&c->a, &c->flat_pages, (struct page){ 0 });
        VEC_PUSH_IN(&c->a, &c->flat_lists, (struct listing){ 0 });
    }
    struct page *page = &c->flat_pages.p[at];
    struct page_link *links = ARENA_ARRAY(&c->a, struct page_link, page->n + n);
    struct str record;

    for (uint32_t i = 0; i < page->n; i++)
        links[i] = page->link[i];
    for (size_t i = 0; i < n; i++)
        links[page->n + i] = from[i].link;
    *page = (struct page){ .link = links, .n = page->n + (uint32_t)n };
    if (!make_listing(c, from->project, page, STR(""), &record, e))
        return false;
    if (!listing_open(record, &c->flat_lists.p[at]))
        BUG("a listing just made does not open");
    return true;
}

bool flat_read_page(const struct page *page, struct catalog *c, struct err *e)
{
    struct named *all = ARENA_ARRAY(&c->a, struct named, page->n);
    size_t n = 0;
    struct str project;

    for (uint32_t i = 0; i < page->n; i++)
        if (project_of(page->link[i].name, &project))
            all[n++] = (struct named){ name_normalize(&c->a, project), page->link[i] };
    qsort(all, n, sizeof *all, by_project);
    for (size_t i = 0; i < n;) {
        size_t from = i;

        while (i < n && str_eq(all[i].project, all[from].project))
            i++;
        if (!add_group(c, all + from, i - from, e))
            return false;
    }
    return true;
}

struct gathered {
    VEC(struct page_link) links;
};

static void add_file(struct catalog *c, struct str folder, struct str name, struct gathered *to)
{
    struct page_link l = { .name = arena_str(&c->a, name) };

    l.url = url_from_path(&c->a, arena_printf(&c->a, STR_FMT "/" STR_FMT, STR_ARG(folder), STR_ARG(name)));
    VEC_PUSH_IN(&c->a, &to->links, l);
}

bool flat_read_folder(struct str path, struct catalog *c, struct err *e)
{
    struct str folder = path;
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;
    struct gathered g = { 0 };

    if (url_is_file(path) && !url_to_path(&c->a, path, &folder, e))
        return false;
    char *real = realpath(arena_cstr(&c->a, folder), NULL);

    if (!real)
        return err_sys(e, "find '" STR_FMT "'", STR_ARG(path)) ||
               err_as(e, ERR_CONFIG, "read --find-links '" STR_FMT "'", STR_ARG(path));
    folder = arena_str(&c->a, str_of(real));
    free(real);
    err_clear(e);
    if (!file_list_open(AT_FDCWD, folder.p, &list, e))
        return err_as(e, ERR_CONFIG, "read --find-links '" STR_FMT "'", STR_ARG(path));
    while (file_list_next(&list, &d, e))
        add_file(c, folder, str_of(d->d_name), &g);
    if (e->kind != ERR_NONE)
        return false;
    struct page page = { .link = g.links.p, .n = (uint32_t)g.links.n };

    return flat_read_page(&page, c, e);
}

/* The hash behind '#'. One that cannot be checked must not be passed over. */
static bool take_fragment(struct catalog *c, struct str fragment, struct page_link *l, struct err *e)
{
    static const char *const strong[] = { "sha512", "sha384", "blake2b" };
    struct str hex;

    if (!fragment.p)
        return true;
    if (url_fragment_get(fragment, STR("sha256"), &hex)) {
        l->has_sha256 = hash_from_hex(hex, l->sha256, sizeof l->sha256);
        return l->has_sha256 || err_set(e, ERR_PACKAGE, "'" STR_FMT "' is no sha256", STR_ARG(hex));
    }
    for (size_t i = 0; i < COUNT(strong); i++)
        if (l->other_hash.n == 0 && url_fragment_get(fragment, str_of(strong[i]), &hex))
            l->other_hash = arena_printf(&c->a, "%s=" STR_FMT, strong[i], STR_ARG(hex));
    return true;
}

/* Two requirements may name one project by URL only when they name the same one. */
static bool check_same(struct catalog *c, uint32_t project, const struct page_link *l, struct err *e)
{
    const struct catalog_project *p = c->projects.p[project];

    if (!p->only_direct)
        return true;
    struct str before = listing_text(&p->listing[0], p->listing[0].file[0].url);

    if (str_eq(before, l->url))
        return true;
    return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is required from '" STR_FMT "' and from '" STR_FMT "'",
                   STR_ARG(p->name), STR_ARG(url_redacted(&c->a, before)), STR_ARG(url_redacted(&c->a, l->url)));
}

bool flat_direct(struct catalog *c, struct str url, struct str name, uint32_t *project, struct err *e)
{
    struct page_link *l = ARENA_NEW(&c->a, struct page_link);
    struct page page = { .link = l, .n = 1 };
    struct wheel_name w;
    struct str fragment, record;

    l->url = url_without_fragment(url, &fragment);
    if (!url_file_name(&c->a, l->url, &l->name, e))
        return false;
    if (!wheel_name_parse(l->name, &w, e))
        return false;
    if (name.n && !name_eq(name, w.project))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is required, but the file is '" STR_FMT "'", STR_ARG(name),
                       STR_ARG(l->name));
    if (!take_fragment(c, fragment, l, e))
        return false;
    struct str key = name_normalize(&c->a, w.project);

    if (!make_listing(c, key, &page, l->url, &record, e))
        return false;
    *project = catalog_project(c, key);
    if (!check_same(c, *project, l, e))
        return false;
    catalog_direct(c, *project, record);
    return true;
}

bool flat_given(struct catalog *c, const struct flat_source *s, struct str name, struct err *e)
{
    struct page_link *l = ARENA_NEW(&c->a, struct page_link);
    struct page page = { .link = l, .n = 1 };
    struct metadata m;
    struct str record;

    if (!metadata_parse(&c->a, s->metadata, &m, e))
        return err_wrap(e, "read the metadata of '" STR_FMT "'", STR_ARG(url_redacted(&c->a, s->url)));
    if (!name_eq(name, m.name))
        return err_set(e, ERR_PACKAGE, "'" STR_FMT "' is required, but the source is '" STR_FMT "'", STR_ARG(name),
                       STR_ARG(m.name));
    struct str key = name_normalize(&c->a, m.name);

    l->url = s->url;
    l->name = arena_printf(&c->a, STR_FMT "-" STR_FMT ".tar.gz", STR_ARG(key), STR_ARG(m.version));
    if (!make_listing(c, key, &page, STR(""), &record, e))
        return false;
    uint32_t project = catalog_project(c, key);

    if (!check_same(c, project, l, e))
        return false;
    catalog_direct(c, project, record);
    catalog_learned(c, project, 0, &m, STR(""));
    return true;
}
