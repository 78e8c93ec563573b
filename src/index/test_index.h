/* A made-up index for tests: a table of files is the whole world. It answers what a catalog lacks, without a network.
 * For *_test.c only; the catalog's cache lies in the directory of base/test_dir.h. */
#pragma once

#include <stdlib.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/mem.h"
#include "base/test_dir.h"
#include "index/catalog.h"
#include "index/flat.h"
#include "index/page.h"
#include "index/source.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/tag.h"
#include "resolve/explain.h"
#include "resolve/solve.h"

struct fake_file {
    const char *name;     /* its project is what stands before the first '-' */
    const char *requires; /* Requires-Dist lines */
    const char *extras;   /* Provides-Extra lines */
    const char *python;   /* Requires-Python on the page */
    const char *meta_python;
    const char *yanked;   /* the reason, or "" */
    int64_t time;
};

struct fake {
    struct arena a;
    const struct fake_file *files;
    size_t n;
    struct index_settings settings;
    struct index_target target;
    struct marker_env env;
    struct catalog c;
    unsigned pages, metadata; /* answered */
};

static const struct str fake_url = STR_INIT("https://index.example/simple/");

/* CPython 3.12 on x86_64 with glibc 2.36. */
static inline void fake_init(struct fake *f, const struct fake_file *files, size_t n, const char *cache)
{
    struct tag_input in = {
        .implementation = STR("cpython"),
        .major = 3,
        .minor = 12,
        .machine = STR("x86_64"),
        .libc = TAG_GLIBC,
        .libc_major = 2,
        .libc_minor = 36,
    };

    *f = (struct fake){ .files = files, .n = n };
    f->settings = (struct index_settings){ .url = &fake_url, .n_url = 1, .ttl = 600, .cache_dir = cache };
    f->env = (struct marker_env){
        .os_name = STR("posix"),
        .sys_platform = STR("linux"),
        .platform_machine = STR("x86_64"),
        .platform_python_implementation = STR("CPython"),
        .platform_release = STR("6"),
        .platform_system = STR("Linux"),
        .platform_version = STR("1"),
        .python_version = STR("3.12"),
        .python_full_version = STR("3.12.4"),
        .implementation_name = STR("cpython"),
        .implementation_version = STR("3.12.4"),
    };
    f->target = (struct index_target){ .tags = tag_set_new(&in, &f->a), .env = &f->env };
    assert_true(version_parse(STR("3.12.4"), &f->a, &f->target.python));
}

/* After the settings are as wanted. */
static inline void fake_open(struct fake *f)
{
    struct err e = { 0 };

    if (!catalog_open(&f->settings, &f->target, &f->c, &e))
        fail_msg("%s", e.text);
}

static inline void fake_close(struct fake *f)
{
    catalog_close(&f->c);
    arena_clear(&f->a);
}

static inline struct page_link fake_link(struct fake *f, const struct fake_file *file)
{
    return (struct page_link){
        .name = str_of(file->name),
        .url = arena_printf(&f->a, "https://files.example/%s", file->name),
        .requires_python = str_of(file->python ? file->python : ""),
        .yanked = file->yanked != NULL,
        .yanked_reason = str_of(file->yanked ? file->yanked : ""),
        .has_uploaded = file->time != 0,
        .uploaded = file->time,
        .has_sha256 = true,
    };
}

/* The index's answer about a project: its page, or that there is none. */
static inline void fake_answer_page(struct fake *f, uint32_t project)
{
    struct catalog_project *p = f->c.projects.p[project];
    struct page_link *link = ARENA_ARRAY(&f->a, struct page_link, f->n);
    struct page page = { .link = link };
    struct err e = { 0 };
    AUTO_BUF b = { .limit = LISTING_PAGE_MAX };

    for (size_t i = 0; i < f->n; i++)
        if (name_eq(str_sub(str_of(f->files[i].name), 0, str_find(str_of(f->files[i].name), '-')), p->name))
            link[page.n++] = fake_link(f, &f->files[i]);
    struct listing_source s = { .project = p->name, .url = fake_url, .absent = page.n == 0 };

    if (!listing_from_links(&page, &s, &b, &e))
        fail_msg("%s", e.text);
    char *record = arena_alloc(&f->a, b.n);

    memcpy(record, b.p, b.n);
    f->pages++;
    catalog_listed(&f->c, project, (struct str){ record, b.n });
}

static inline size_t fake_lines(struct arena *a, const char *text, const struct str **out)
{
    struct str *list = ARENA_ARRAY(a, struct str, 64);
    struct str rest = str_of(text ? text : ""), line;
    size_t n = 0;

    while (str_next_line(&rest, &line))
        list[n++] = line;
    *out = list;
    return n;
}

static inline void fake_answer_metadata(struct fake *f, struct catalog_want w)
{
    struct catalog_project *p = f->c.projects.p[w.project];
    const struct candidate *cand = catalog_candidate(&f->c, w.project, w.rank);
    struct str name = catalog_text(p, cand, catalog_file(p, cand)->name);

    f->metadata++;
    for (size_t i = 0; i < f->n; i++) {
        struct metadata m = { .requires_python = str_of(f->files[i].meta_python ? f->files[i].meta_python : "") };

        if (!str_eq(name, str_of(f->files[i].name)))
            continue;
        m.n_requires_dist = fake_lines(&f->a, f->files[i].requires, &m.requires_dist);
        m.n_provides_extra = fake_lines(&f->a, f->files[i].extras, &m.provides_extra);
        catalog_learned(&f->c, w.project, w.rank, &m, STR(""));
        return;
    }
    catalog_learned(&f->c, w.project, w.rank, NULL, STR("has no metadata in this test"));
}

/* Answers all that is lacking; false when nothing is. */
static inline bool fake_answer(struct fake *f)
{
    bool any = f->c.lacking_list.n || f->c.lacking_meta.n;

    while (f->c.lacking_list.n)
        fake_answer_page(f, f->c.lacking_list.p[--f->c.lacking_list.n]);
    while (f->c.lacking_meta.n)
        fake_answer_metadata(f, f->c.lacking_meta.p[--f->c.lacking_meta.n]);
    return any;
}

/* The project with its page read. */
static inline uint32_t fake_project(struct fake *f, const char *name)
{
    uint32_t i = catalog_project(&f->c, str_of(name));

    while (!catalog_list(&f->c, i))
        assert_true(fake_answer(f));
    return i;
}

static inline struct catalog_project *fake_get(struct fake *f, const char *name)
{
    uint32_t i = catalog_project(&f->c, str_of(name)); /* first: it may move the array */

    return f->c.projects.p[i];
}

/* The state of a version of the project, by text. */
static inline struct candidate *fake_candidate(struct fake *f, const char *project, const char *version)
{
    uint32_t i = fake_project(f, project);
    const struct catalog_project *p = f->c.projects.p[i];

    for (uint32_t rank = 0; rank < p->n; rank++)
        if (str_eq(p->version[rank].text, str_of(version)))
            return catalog_candidate(&f->c, i, rank);
    fail_msg("%s has no version %s", project, version);
    return NULL;
}

/* "a 1.0, b 2.0", or the explanation of a failure. Constraints are written "-c x<2"; roots end with NULL. */
static inline struct str fake_solve(struct fake *f, const char *const *roots, bool no_deps)
{
    struct source_root list[16] = { 0 };
    struct source s;
    struct err e = { 0 };
    size_t n = 0;
    uint32_t project;

    for (; roots[n]; n++) {
        list[n].text = str_of(roots[n]);
        list[n].constraint = str_cut_prefix(&list[n].text, STR("-c "));
        list[n].origin = STR("test");
        if (!req_parse(&f->a, list[n].text, &list[n].req, &e) ||
            (list[n].req.url.n && !flat_direct(&f->c, list[n].req.url, list[n].req.name, &project, &e)))
            return arena_str(&f->a, str_of(e.text));
    }
    if (!source_open(&s, &f->c, list, n, no_deps, &e)) {
        source_close(&s);
        return arena_str(&f->a, str_of(e.text));
    }
    struct solve_source interface = source_interface(&s);
    struct solve *solver = solve_new(&interface);
    enum solve_state state;
    struct str out = STR("");

    while ((state = solve_step(solver)) == SOLVE_WANTS)
        assert_true(fake_answer(f));
    if (state == SOLVE_FAILED) {
        struct explain x = explain_new(solver, &f->a);

        out = arena_str(&f->a, explain_text(&x, EXPLAIN_LINES, &f->a));
    }
    for (uint32_t k = 0; state == SOLVE_DONE && k < f->c.projects.n; k++)
        for (uint32_t pkg = 1; pkg < solve_packages(solver); pkg++)
            if (s.packages.p[pkg].project == k && !s.packages.p[pkg].extra.n &&
                solve_decision(solver, pkg) != RANK_NONE)
                out = arena_printf(&f->a, STR_FMT "%s" STR_FMT " " STR_FMT, STR_ARG(out), out.n ? ", " : "",
                                   STR_ARG(s.packages.p[pkg].name),
                                   STR_ARG(f->c.projects.p[k]->version[solve_decision(solver, pkg)].text));
    solve_free(solver);
    source_close(&s);
    return out;
}
