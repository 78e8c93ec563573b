#include "index/catalog.h"

#include <fcntl.h>
#include <stdio.h>
#include "base/clock.h"
#include "base/fd.h"
#include "base/hash.h"
#include "index/flat.h"
#include "index/sdist_meta.h"
#include "index/wheel_meta.h"
#include "net/fresh.h"
#include "net/url.h"
#include "pep/metadata.h"
#include "pep/name.h"
#include "pep/tag.h"
#include "pep/wheel_name.h"

bool catalog_open(const struct index_settings *settings, const struct index_target *target, struct catalog *out,
                  struct err *e)
{
    *out = (struct catalog){ .settings = settings, .target = target };
    cache_open(settings->cache_dir, LISTING_BUCKET, &out->listings);
    cache_open(settings->cache_dir, KNOWN_BUCKET, &out->knowns);
    for (size_t i = 0; i < settings->n_find_links; i++) {
        if (url_is_http(settings->find_links[i]))
            continue; /* pages are fetched by the feed before the solve */
        if (!flat_read_folder(settings->find_links[i], out, e)) {
            catalog_close(out);
            return false;
        }
    }
    return true;
}

void catalog_close(struct catalog *c)
{
    for (size_t i = 0; i < c->projects.n; i++) {
        struct catalog_project *p = c->projects.p[i];

        if (p->known_opened)
            known_close(&p->known, &c->knowns, p->name);
        fd_unmap(&p->mapped);
        fd_close(&p->fd);
    }
    cache_close(&c->listings);
    cache_close(&c->knowns);
    map_clear(&c->names);
    map_clear(&c->flat);
    arena_clear(&c->a);
    *c = (struct catalog){ .listings.dir = -1, .knowns.dir = -1 };
}

uint32_t catalog_project(struct catalog *c, struct str name)
{
    uint32_t i = map_find(&c->names, name);

    if (i != MAP_NONE)
        return i;
    struct catalog_project *p = ARENA_NEW(&c->a, struct catalog_project);

    p->name = arena_str(&c->a, name);
    p->fd = -1;
    p->preferred_rank = UINT32_MAX;
    i = (uint32_t)c->projects.n;
    VEC_PUSH_IN(&c->a, &c->projects, p);
    map_put(&c->names, p->name, i);
    return i;
}

void catalog_page_name(struct str index, struct str project, char out[128])
{
    char suffix[32];

    (void)snprintf(suffix, sizeof suffix, ".%016llx", (unsigned long long)hash_fast(index.p, index.n));
    cache_name(project, suffix, out);
}

/* ------------------------------------------------------------ versions by rank */

bool catalog_excludes(const struct catalog *c, const struct listing *l, const struct listing_file *f)
{
    int64_t cutoff = c->settings->exclude_newer;

    if (!cutoff || l->head->until == LISTING_GIVEN)
        return false;
    return !(f->flags & LISTING_TIME) || f->uploaded > cutoff;
}

/* A version takes part when one of its files does. */
static bool takes_part(const struct catalog *c, const struct listing *l, const struct listing_version *v)
{
    if (!c->settings->exclude_newer)
        return true;
    for (uint32_t i = v->first; i < v->first + v->n; i++)
        if (!catalog_excludes(c, l, &l->file[i]))
            return true;
    return false;
}

struct cursor {
    const struct listing *l;
    uint32_t i;
    struct version v;
    bool there;
};

static void advance(struct catalog *c, struct cursor *k)
{
    for (k->there = false; k->l && k->i < k->l->head->n_versions; k->i++) {
        /* in this order: only the second may trust where the first found the files to be */
        if (listing_version(k->l, k->i, &c->a, &k->v) && takes_part(c, k->l, &k->l->version[k->i])) {
            k->there = true;
            return;
        }
    }
}

/* Merges the listings' versions, ascending. */
static void rank_versions(struct catalog *c, struct catalog_project *p)
{
    struct cursor k[LISTINGS_MAX] = { 0 };
    uint32_t most = 0;

    for (unsigned s = 0; s < p->n_listings; s++) {
        k[s].l = &p->listing[s];
        most += p->listing[s].head->n_versions;
        advance(c, &k[s]);
    }
    p->version = ARENA_ARRAY(&c->a, struct version, most);
    p->candidate = ARENA_ARRAY(&c->a, struct candidate, most);
    for (unsigned s = 0; s < p->n_listings; s++)
        p->at[s] = ARENA_ARRAY(&c->a, uint32_t, most);
    for (p->n = 0;; p->n++) {
        const struct version *least = NULL;

        for (unsigned s = 0; s < p->n_listings; s++)
            if (k[s].there && (!least || version_cmp(&k[s].v, least) < 0))
                least = &k[s].v;
        if (!least)
            break;
        struct version v = *least;

        p->version[p->n] = v;
        for (unsigned s = 0; s < p->n_listings; s++) {
            bool here = k[s].there && version_cmp(&k[s].v, &v) == 0;

            p->at[s][p->n] = here ? k[s].i : UINT32_MAX;
            if (here) {
                k[s].i++;
                advance(c, &k[s]);
            }
        }
    }
}

static void find_preferred(struct catalog *c, struct catalog_project *p)
{
    struct version want;

    if (p->preferred.n == 0 || !version_parse(p->preferred, &c->a, &want))
        return;
    for (uint32_t i = 0; i < p->n; i++)
        if (version_cmp(&p->version[i], &want) == 0)
            p->preferred_rank = i;
}

static void make_known(struct catalog *c, struct catalog_project *p)
{
    rank_versions(c, p);
    find_preferred(c, p);
    p->state = PROJECT_KNOWN;
}

/* ------------------------------------------------------------ listings */

static void note_lacking(struct catalog *c, uint32_t project)
{
    c->projects.p[project]->state = PROJECT_LACKING;
    VEC_PUSH_IN(&c->a, &c->lacking_list, project);
}

static bool may_use(const struct catalog *c, const struct listing *l)
{
    if (c->settings->offline)
        return true;
    return !c->settings->refresh && fresh_is(l->head->checked, l->head->until, clock_now());
}

static void forget_record(struct catalog_project *p)
{
    fd_unmap(&p->mapped);
    fd_close(&p->fd);
    p->stale = false;
}

/* Looks at the cache for index number p->asking and the ones after it. True when the project is known now. */
static bool from_cache(struct catalog *c, struct catalog_project *p)
{
    const struct index_settings *s = c->settings;
    char name[128];

    for (; p->asking < s->n_url; p->asking++) {
        struct listing l;

        catalog_page_name(s->url[p->asking], p->name, name);
        if (!cache_map(&c->listings, name, &p->mapped, &p->fd))
            return false;
        if (!listing_open(p->mapped, &l)) {
            forget_record(p);
            return false;
        }
        if (!may_use(c, &l)) {
            p->stale = true; /* stays mapped: a 304 makes it good again */
            return false;
        }
        if (!l.head->absent) {
            p->listing[p->n_listings++] = l;
            p->index = s->url[p->asking];
            return true;
        }
        forget_record(p);
    }
    return true;
}

bool catalog_list(struct catalog *c, uint32_t project)
{
    struct catalog_project *p = c->projects.p[project];

    if (p->state != PROJECT_UNKNOWN)
        return p->state == PROJECT_KNOWN;
    uint32_t flat = map_find(&c->flat, p->name);

    if (flat != MAP_NONE)
        p->listing[p->n_listings++] = c->flat_lists.p[flat];
    if (!from_cache(c, p)) {
        note_lacking(c, project);
        return false;
    }
    make_known(c, p);
    return true;
}

void catalog_listed(struct catalog *c, uint32_t project, struct str record)
{
    struct catalog_project *p = c->projects.p[project];
    struct listing l;

    if (!listing_open(record, &l))
        BUG("a listing just made does not open");
    if (l.head->absent && ++p->asking < c->settings->n_url) {
        forget_record(p); /* the next index has a record, and an ETag, of its own */
        if (!from_cache(c, p)) {
            note_lacking(c, project);
            return;
        }
    } else if (!l.head->absent) {
        p->listing[p->n_listings++] = l;
        p->index = c->settings->url[p->asking];
    }
    make_known(c, p);
}

void catalog_direct(struct catalog *c, uint32_t project, struct str record)
{
    struct catalog_project *p = c->projects.p[project];

    p->n_listings = 0;
    if (!listing_open(record, &p->listing[p->n_listings++]))
        BUG("a listing just made does not open");
    p->only_direct = true;
    make_known(c, p);
}

/* ------------------------------------------------------------ candidates */

const struct listing_file *catalog_file(const struct catalog_project *p, const struct candidate *cand)
{
    return &p->listing[cand->source].file[cand->file];
}

struct str catalog_text(const struct catalog_project *p, const struct candidate *cand, struct listing_text t)
{
    return listing_text(&p->listing[cand->source], t);
}

static bool binary_refused(const struct catalog *c, struct str name)
{
    for (size_t i = 0; i < c->settings->n_no_binary; i++)
        if (str_eq(c->settings->no_binary[i], STR(":all:")) || name_eq(c->settings->no_binary[i], name))
            return true;
    return false;
}

static bool python_fits(struct catalog *c, const struct listing *l, const struct listing_file *f)
{
    struct spec spec;
    struct err ignored;
    bool repaired;

    if (f->python >= l->head->n_pythons)
        return true;
    AUTO_ARENA a = { 0 };
    struct str text = listing_text(l, l->python[f->python]);

    /* One that cannot be read is no obstacle: the installers of the field let it pass. Upper bounds are none either: a
     * new release that caps Python must not push to an old one that had not thought of it yet. */
    return !spec_parse_lenient(text, &a, &spec, &repaired, &ignored) ||
           spec_accepts_python(&spec, &c->target->python, true);
}

/* What one file is good for; CANDIDATE_WHEEL with its tag rank, or why not. */
static struct candidate judge(struct catalog *c, const struct catalog_project *p, unsigned source, uint32_t file)
{
    const struct listing *l = &p->listing[source];
    const struct listing_file *f = &l->file[file];
    struct candidate out = { .source = (uint8_t)source, .file = file, .state = CANDIDATE_WHEEL };
    struct str build, python, abi, platform;
    enum tag_miss miss;

    if (!python_fits(c, l, f)) {
        out.state = CANDIDATE_PYTHON;
        out.why = listing_text(l, l->python[f->python]);
    } else if (!(f->flags & LISTING_WHEEL)) {
        out.state = c->settings->sdists ? CANDIDATE_SDIST : CANDIDATE_SDIST_ONLY;
    } else {
        listing_tags(l, f, &build, &python, &abi, &platform);
        if (!tag_set_rank(c->target->tags, python, abi, platform, &out.tag_rank, &miss)) {
            out.state = CANDIDATE_NO_FILE;
            out.miss = (uint8_t)miss;
        } else if (binary_refused(c, p->name)) {
            out.state = CANDIDATE_NO_FILE;
        }
    }
    return out;
}

/* Higher is nearer to being usable: the reason that is shown. */
static unsigned merit(const struct candidate *x)
{
    switch ((enum candidate_state)x->state) {
    case CANDIDATE_WHEEL:
        return 5;
    case CANDIDATE_SDIST:
    case CANDIDATE_SDIST_ONLY:
        return 4;
    case CANDIDATE_YANKED:
        return 3;
    case CANDIDATE_PYTHON:
        return 2;
    case CANDIDATE_UNKNOWN:
    case CANDIDATE_NO_FILE:
    case CANDIDATE_CONSTRAINED:
    case CANDIDATE_BROKEN:
        break;
    }
    return 1;
}

static bool better(const struct catalog_project *p, const struct candidate *x, const struct candidate *than)
{
    struct str bx, by, ignored;

    if (than->state == CANDIDATE_UNKNOWN || merit(x) != merit(than))
        return than->state == CANDIDATE_UNKNOWN || merit(x) > merit(than);
    if (x->state == CANDIDATE_NO_FILE)
        return x->miss > than->miss;
    if (x->state != CANDIDATE_WHEEL)
        return false;
    if (x->tag_rank != than->tag_rank)
        return x->tag_rank < than->tag_rank;
    listing_tags(&p->listing[x->source], catalog_file(p, x), &bx, &ignored, &ignored, &ignored);
    listing_tags(&p->listing[than->source], catalog_file(p, than), &by, &ignored, &ignored, &ignored);
    return wheel_build_cmp(bx, by) > 0;
}

static void judge_version(struct catalog *c, const struct catalog_project *p, uint32_t rank, struct candidate *out)
{
    bool pinned = rank == p->preferred_rank ||
                  (p->pinned && spec_contains(p->pinned, &p->version[rank], SPEC_PRE_ALLOW));
    struct candidate best = { 0 };

    for (unsigned s = 0; s < p->n_listings; s++) {
        if (p->at[s][rank] == UINT32_MAX)
            continue;
        const struct listing_version *v = &p->listing[s].version[p->at[s][rank]];

        for (uint32_t i = v->first; i < v->first + v->n; i++) {
            const struct listing_file *f = &p->listing[s].file[i];

            if (catalog_excludes(c, &p->listing[s], f))
                continue;
            struct candidate one = judge(c, p, s, i);

            if (candidate_is_usable(&one) && f->flags & LISTING_YANKED && !pinned) {
                one.state = CANDIDATE_YANKED;
                one.why = listing_text(&p->listing[s], f->yanked);
            }
            if (better(p, &one, &best))
                best = one;
        }
    }
    *out = best;
}

struct candidate *catalog_candidate(struct catalog *c, uint32_t project, uint32_t rank)
{
    struct catalog_project *p = c->projects.p[project];
    struct candidate *cand = &p->candidate[rank];

    if (cand->state != CANDIDATE_UNKNOWN)
        return cand;
    if (p->constraint && !spec_contains(p->constraint, &p->version[rank], SPEC_PRE_ALLOW)) {
        cand->state = CANDIDATE_CONSTRAINED;
        cand->why = p->constraint_text;
        return cand;
    }
    judge_version(c, p, rank, cand);
    if (cand->state == CANDIDATE_UNKNOWN)
        cand->state = CANDIDATE_NO_FILE;
    return cand;
}

/* ------------------------------------------------------------ metadata */

/* A file without a hash is known by where it lies; url_is_file() ones are not kept at all (see catalog_learned). A
 * build may say different things to different interpreters. */
static uint64_t key_of(const struct catalog *c, const struct catalog_project *p, const struct candidate *cand)
{
    const struct listing_file *f = catalog_file(p, cand);
    struct str name = catalog_text(p, cand, f->flags & LISTING_SHA256 ? f->name : f->url);
    uint64_t key = known_key(name, f->sha256);

    return cand->state == CANDIDATE_SDIST ? key ^ hash_fast(c->target->id.p, c->target->id.n) : key;
}

static struct known *known_of(struct catalog *c, struct catalog_project *p)
{
    if (!p->known_opened)
        known_open(&c->knowns, p->name, &p->known);
    p->known_opened = true;
    return &p->known;
}

bool catalog_sdist_metadata(struct catalog *c, struct str file, struct str archive, struct arena *a,
                            struct str *text, struct err *e)
{
    const struct index_builder *b = c->settings->builder;

    if (sdist_meta_of(archive, file, a, text, e))
        return true;
    if (!b || c->e.kind != ERR_NONE)
        return false;
    err_clear(e);
    if (b->metadata(b->user, file, archive, a, text, e))
        return true;
    c->e = *e;
    return false;
}

static bool read_sdist(struct catalog *c, const char *path, struct arena *a, struct str *out, struct err *e)
{
    AUTO_FD fd = -1;
    struct str map, name = str_of(path);

    if (!fd_open(AT_FDCWD, path, O_RDONLY, 0, &fd, e) || !fd_map(fd, path, &map, e))
        return false;
    name = str_sub(name, str_rfind(name, '/') + 1, name.n);
    bool ok = map.n <= SDIST_MAX ? catalog_sdist_metadata(c, name, map, a, out, e)
                                 : err_set(e, ERR_PACKAGE, "the archive has more than %zu bytes", SDIST_MAX);

    if (map.n)
        fd_unmap(&map);
    return ok;
}

/* A file on this machine is read at once: nobody need be asked, offline or not. False: it is elsewhere, or broken. */
static bool read_local(struct catalog *c, uint32_t project, uint32_t rank)
{
    const struct catalog_project *p = c->projects.p[project];
    const struct candidate *cand = catalog_candidate(c, project, rank);
    struct str url = catalog_text(p, cand, catalog_file(p, cand)->url), path, text;
    AUTO_ARENA a = { 0 };
    struct metadata m;
    struct err e = { 0 };
    const char *frame = "";
    unsigned n = 0;

    if (!url_is_file(url))
        return false;
    bool wheel = cand->state != CANDIDATE_SDIST;

    if (url_to_path(&a, url, &path, &e) &&
        (wheel ? wheel_meta_read(path.p, &a, &text, &e) : read_sdist(c, path.p, &a, &text, &e)) &&
        metadata_parse(&a, text, &m, &e) && metadata_check_name(&m, p->name, p->version[rank].text, &e)) {
        catalog_learned(c, project, rank, &m, STR(""));
        return true;
    }
    (void)err_frame(&e, 0, &frame, &n);
    catalog_learned(c, project, rank, NULL, arena_printf(&a, "has unusable metadata: %.*s", (int)n, frame));
    return false;
}

bool catalog_metadata(struct catalog *c, uint32_t project, uint32_t rank, bool quietly, struct arena *a,
                      struct known_meta *out)
{
    struct catalog_project *p = c->projects.p[project];
    const struct candidate *cand = catalog_candidate(c, project, rank);

    if (known_find(known_of(c, p), key_of(c, p, cand), a, out))
        return true;
    if (read_local(c, project, rank))
        return known_find(known_of(c, p), key_of(c, p, cand), a, out);
    if (!quietly && candidate_is_usable(cand))
        VEC_PUSH_IN(&c->a, &c->lacking_meta, (struct catalog_want){ project, rank });
    return false;
}

void catalog_learned(struct catalog *c, uint32_t project, uint32_t rank, const struct metadata *m, struct str why)
{
    struct catalog_project *p = c->projects.p[project];
    struct candidate *cand = catalog_candidate(c, project, rank);

    const struct listing_file *f = catalog_file(p, cand);
    /* a file on this machine may be built again under the same name, and a source that is named alone may change */
    bool keep = f->flags & LISTING_SHA256 ||
                (!url_is_file(catalog_text(p, cand, f->url)) && !(p->only_direct && !(f->flags & LISTING_WHEEL)));

    if (m && known_add(known_of(c, p), key_of(c, p, cand), m, keep))
        return;
    cand->state = CANDIDATE_BROKEN;
    cand->why = m ? STR("has more requirements than can be kept") : arena_str(&c->a, why);
}

/* ------------------------------------------------------------ choosing */

bool catalog_lowest_first(const struct catalog *c, uint32_t project)
{
    const struct catalog_project *p = c->projects.p[project];
    enum index_resolution r = c->settings->resolution;

    return r == RESOLUTION_LOWEST || (r == RESOLUTION_LOWEST_DIRECT && p->direct);
}

/* The first of the set in the order of trying, from `from` on (highest first: below it). */
static uint32_t walk(const struct catalog_project *p, const struct set *allowed, bool lowest, bool pre, uint32_t from)
{
    uint32_t rank = lowest ? set_above(allowed, from) : set_below(allowed, from);

    while (rank != UINT32_MAX && !pre && version_is_pre(&p->version[rank]))
        rank = lowest ? set_above(allowed, rank + 1) : set_below(allowed, rank);
    return rank;
}

/* Pre-releases take their turn among the others. */
static bool takes_pre(const struct catalog *c, const struct catalog_project *p)
{
    return c->settings->prerelease == PRERELEASE_ALLOW ||
           (c->settings->prerelease == PRERELEASE_IF_NECESSARY && p->wants_pre);
}

uint32_t catalog_first(const struct catalog *c, uint32_t project)
{
    return catalog_lowest_first(c, project) ? 0 : UINT32_MAX;
}

uint32_t catalog_next(const struct catalog *c, uint32_t project, const struct set *allowed, uint32_t *from)
{
    const struct catalog_project *p = c->projects.p[project];
    bool lowest = catalog_lowest_first(c, project);
    uint32_t rank = walk(p, allowed, lowest, takes_pre(c, p), *from);

    *from = rank == UINT32_MAX ? *from : lowest ? rank + 1 : rank;
    return rank;
}

uint32_t catalog_choose(struct catalog *c, uint32_t project, const struct set *allowed)
{
    struct catalog_project *p = c->projects.p[project];
    enum index_prerelease policy = c->settings->prerelease;
    bool lowest = catalog_lowest_first(c, project);

    if (p->preferred_rank != UINT32_MAX && set_has(allowed, p->preferred_rank) &&
        candidate_is_usable(catalog_candidate(c, project, p->preferred_rank)))
        return p->preferred_rank;
    uint32_t from = catalog_first(c, project), rank = walk(p, allowed, lowest, takes_pre(c, p), from);

    if (rank == UINT32_MAX && policy == PRERELEASE_IF_NECESSARY)
        rank = walk(p, allowed, lowest, true, from);
    return rank;
}
