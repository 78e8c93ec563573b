/* The projects of one resolve: what is listed of each, which versions may be chosen, which file of each is best.
 *
 * Versions are ranked oldest first; the list of a project is fixed once it is known, so that the solver's universe
 * does not grow. A version's fitness (a wheel that this interpreter takes, Requires-Python, not yanked) is worked
 * out when it is first looked at. Reads the cache; never the network: what is missing is noted in `lacking` for
 * index/feed.h to fetch.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/err.h"
#include "base/map.h"
#include "base/str.h"
#include "base/vec.h"
#include "index/known.h"
#include "index/listing.h"
#include "index/page.h"
#include "pep/marker_env.h"
#include "pep/spec.h"
#include "pep/version.h"
#include "resolve/set.h"
#include "store/cache.h"

struct tag_set;

enum index_prerelease { PRERELEASE_IF_NECESSARY, PRERELEASE_ALLOW, PRERELEASE_DISALLOW };
enum index_resolution { RESOLUTION_HIGHEST, RESOLUTION_LOWEST, RESOLUTION_LOWEST_DIRECT };

/* Asks the build backend of a source distribution, whose digest was verified, for its metadata; index/ builds nothing
 * itself. The text goes to the arena. */
struct index_builder {
    bool (*metadata)(void *user, struct str file, struct str archive, struct arena *a, struct str *text,
                     struct err *e);
    void *user;
};

/* What the user set. Views; they outlive the catalog. */
struct index_settings {
    const struct str *url; /* indexes in the order they are asked, each ended by '/' */
    size_t n_url;
    const struct str *find_links;
    size_t n_find_links;
    const struct str *no_binary; /* normalised names, or ":all:" */
    size_t n_no_binary;
    bool offline, refresh;
    enum index_prerelease prerelease;
    enum index_resolution resolution;
    int64_t exclude_newer; /* wall clock; 0: no limit */
    int64_t ttl;           /* seconds, where a server says nothing */
    bool sdists; /* source distributions count */
    const struct index_builder *builder; /* NULL: only those whose metadata is static */
    const char *cache_dir;
};

/* What it is resolved for. */
struct index_target {
    const struct tag_set *tags;
    const struct marker_env *env;
    struct version python;
    struct str id; /* differs for interpreters that a build may give different metadata for */
};

enum project_state {
    PROJECT_UNKNOWN, /* not looked at */
    PROJECT_LACKING, /* must be asked of an index */
    PROJECT_KNOWN,
    PROJECT_FAILED   /* asking failed: catalog.e says why, the resolve ends */
};

enum candidate_state {
    CANDIDATE_UNKNOWN,
    CANDIDATE_WHEEL,
    CANDIDATE_NO_FILE,     /* nothing here that this interpreter takes */
    CANDIDATE_SDIST,       /* a source distribution: its own metadata counts, else its build is asked */
    CANDIDATE_SDIST_ONLY,  /* a build would be needed, and is not wanted */
    CANDIDATE_PYTHON,      /* Requires-Python says no */
    CANDIDATE_YANKED,
    CANDIDATE_CONSTRAINED, /* a constraint leaves it out */
    CANDIDATE_BROKEN       /* its metadata cannot be used */
};

struct candidate {
    uint8_t state;  /* enum candidate_state */
    uint8_t source; /* listing of the file */
    uint8_t miss;   /* enum tag_miss, for NO_FILE */
    uint32_t file;  /* in that listing; the best of the reason otherwise */
    uint32_t tag_rank;
    struct str why; /* for BROKEN and PYTHON: the text to show */
};

/* May be chosen, as far as its file goes. */
static inline bool candidate_is_usable(const struct candidate *c)
{
    return c->state == CANDIDATE_WHEEL || c->state == CANDIDATE_SDIST;
}

#define LISTINGS_MAX 2 /* find-links and index, or a direct file alone */

struct catalog_project {
    struct str name; /* normalised */
    enum project_state state;
    struct listing listing[LISTINGS_MAX];
    struct str mapped; /* of the cache record, to unmap */
    int fd;
    unsigned n_listings;
    unsigned asking;   /* which index is being asked */
    struct str index;  /* the URL of the index that knows it; n == 0: none does */
    bool stale;        /* the record was there but is not fresh: revalidate */
    bool only_direct;  /* comes from a URL or a path */

    uint32_t n;                       /* versions */
    struct version *version;          /* by rank */
    uint32_t *at[LISTINGS_MAX];       /* rank -> version in that listing, or UINT32_MAX */
    struct candidate *candidate;      /* by rank */
    struct known known;
    bool known_opened;

    /* set up before the solve */
    bool direct;                 /* named by the user */
    bool wants_pre;              /* a requirement of the user names a pre-release */
    const struct spec *pinned;   /* user's exact pins: lets yanked versions in */
    const struct spec *constraint;
    struct str constraint_text;
    struct str preferred;        /* version of the lock; n == 0: none */
    uint32_t preferred_rank;     /* UINT32_MAX: not there */
    uint32_t tried_at;           /* for the feed: number of tries when it last fetched a batch ahead ... */
    uint64_t stamp;              /* ... and what was allowed when it last looked */
};

struct catalog_want {
    uint32_t project, rank;
};

struct catalog {
    struct arena a;
    const struct index_settings *settings;
    const struct index_target *target;
    struct cache listings, knowns;
    struct map names;                 /* normalised -> project */
    VEC(struct catalog_project *) projects;   /* number -> project; in the arena */
    VEC(uint32_t) lacking_list;       /* projects whose listing must be fetched */
    VEC(struct catalog_want) lacking_meta;
    struct map flat;                  /* find-links: project -> index into flat_lists */
    VEC(struct listing) flat_lists;
    VEC(struct page) flat_pages;      /* what each of them was made from, for a second folder with the same project */
    struct err e;                     /* the first build that failed */
};

MUST_USE bool catalog_open(const struct index_settings *settings, const struct index_target *target,
                           struct catalog *out, struct err *e);
/* Writes what was learned to the cache. */
void catalog_close(struct catalog *c);

/* Number of a project by normalised name; made when new. */
MUST_USE uint32_t catalog_project(struct catalog *c, struct str name);

/* True when the project's versions are known; else it is noted as lacking (once). */
MUST_USE bool catalog_list(struct catalog *c, uint32_t project);
/* A record has come for the project from index number p->asking: makes the ranks, or moves on to the next index. The
 * record must outlive the catalog. */
void catalog_listed(struct catalog *c, uint32_t project, struct str record);
/* Gives the project one file only: a direct reference. */
void catalog_direct(struct catalog *c, uint32_t project, struct str record);

/* The candidate's state and best file, worked out at the first call. */
MUST_USE struct candidate *catalog_candidate(struct catalog *c, uint32_t project, uint32_t rank);
/* Metadata of the candidate's file; false when it is lacking (noted unless `quietly`), or when it is here and broken:
 * then the candidate's state says so. */
MUST_USE bool catalog_metadata(struct catalog *c, uint32_t project, uint32_t rank, bool quietly, struct arena *a,
                               struct known_meta *out);
/* The metadata in a source distribution, or what its build says when that may not be believed. A build that fails is
 * catalog.e: the resolve ends, as an older version is not what was asked for. */
MUST_USE bool catalog_sdist_metadata(struct catalog *c, struct str file, struct str archive, struct arena *a,
                                     struct str *text, struct err *e);
/* The metadata of a file has come, or why it cannot be used. */
void catalog_learned(struct catalog *c, uint32_t project, uint32_t rank, const struct metadata *m, struct str why);

/* Is the file too new by --exclude-newer? One of unknown age is; those that the user points to never are. */
MUST_USE bool catalog_excludes(const struct catalog *c, const struct listing *l, const struct listing_file *f);

/* Are the lowest versions of this project tried first? */
MUST_USE bool catalog_lowest_first(const struct catalog *c, uint32_t project);
/* Walking a set in the order of trying: start with from = catalog_first(); UINT32_MAX at the end. Pre-releases are
 * passed over unless they take their turn. */
MUST_USE uint32_t catalog_first(const struct catalog *c, uint32_t project);
MUST_USE uint32_t catalog_next(const struct catalog *c, uint32_t project, const struct set *allowed, uint32_t *from);
/* The candidate to try first within `allowed` by the policy; UINT32_MAX when only pre-releases are left and they are
 * not wanted. */
MUST_USE uint32_t catalog_choose(struct catalog *c, uint32_t project, const struct set *allowed);

MUST_USE const struct listing_file *catalog_file(const struct catalog_project *p, const struct candidate *cand);
MUST_USE struct str catalog_text(const struct catalog_project *p, const struct candidate *cand, struct listing_text t);
/* The cache's name for a project's page of an index. */
void catalog_page_name(struct str index, struct str project, char out[128]);
