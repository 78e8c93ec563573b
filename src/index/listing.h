/* What an index lists of one project, as a record that is read where it lies.
 *
 * listing_build() turns a page (JSON of PEP 691/700, HTML of PEP 503) into the record: versions ascending, the files
 * of each together, texts behind them. The record goes to the cache as it is and is mapped the next time: opening it
 * parses nothing and copies nothing. Native byte order; the bucket's name carries the format's version. A record
 * from the disk is not trusted: every offset is checked when it is followed.
 *
 * Files whose names are not those of a wheel or a source distribution of this project are left out and counted.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "pep/version.h"

struct arena;
struct buf;
struct err;

#define LISTING_BUCKET "listing-v1"
#define LISTING_GIVEN INT64_MAX /* `until` of files that the user points to: no index, no age */
#define LISTING_PAGE_MAX ((size_t)200 << 20) /* bytes of a page */
#define LISTING_ACCEPT                                                                                                 \
    "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, text/html;q=0.01"

enum listing_file_flags {
    LISTING_WHEEL = 1 << 0,       /* else a source distribution */
    LISTING_YANKED = 1 << 1,
    LISTING_SHA256 = 1 << 2,      /* sha256 holds it */
    LISTING_METADATA = 1 << 3,    /* core metadata is announced beside the file */
    LISTING_METADATA_SHA256 = 1 << 4,
    LISTING_SIZE = 1 << 5,
    LISTING_TIME = 1 << 6,
};

/* As in the record. Texts are offset and length; read them with listing_text(). */
struct listing_text {
    uint32_t at, n;
};

struct listing_file {
    struct listing_text name, url, yanked, other_hash; /* other_hash: "sha512=..." when there is no sha256 */
    uint32_t flags;
    uint32_t python;                       /* index of its Requires-Python, or UINT32_MAX */
    uint16_t build_at, tags_at, abi_at, platform_at; /* where these parts of a wheel's name begin */
    uint64_t size;
    int64_t uploaded;
    unsigned char sha256[32], metadata_sha256[32];
};

struct listing_version {
    uint64_t key;
    struct listing_text text;
    uint32_t n_release, exact; /* exact: the key says all (pep/version.h) */
    uint32_t first, n;         /* files */
};

struct listing_head {
    char magic[8];
    uint32_t n_versions, n_files, n_pythons, skipped;
    int64_t checked, until; /* wall clock: when it was true, how long it may be used unasked */
    uint32_t by_ttl;        /* `until` is our own ttl: the server said nothing */
    uint32_t absent;        /* the index does not know the project */
    struct listing_text etag, last_modified, url, status; /* status: "" | archived | quarantined | deprecated */
};

struct listing {
    struct str record;
    const struct listing_head *head;
    const struct listing_version *version;
    const struct listing_file *file;
    const struct listing_text *python;
};

/* What came with the page. */
struct listing_source {
    struct str project;      /* normalised */
    struct str url;          /* of the page after redirects: links are relative to it */
    struct str content_type;
    struct str etag, last_modified;
    int64_t checked, until;
    bool by_ttl;
    bool absent;             /* no page: body is not looked at */
};

/* The record of a page, appended to out. ERR_PACKAGE for a page that is neither JSON nor HTML, is malformed, or has
 * an api-version above 1. */
MUST_USE bool listing_build(struct str body, const struct listing_source *source, struct buf *out, struct err *e);
/* The same from links that were gathered otherwise (a folder of files). */
struct page;
MUST_USE bool listing_from_links(const struct page *page, const struct listing_source *source, struct buf *out,
                                 struct err *e);
/* Views into the record. False when the bytes are not a record. */
MUST_USE bool listing_open(struct str record, struct listing *out);

MUST_USE struct str listing_text(const struct listing *l, struct listing_text t); /* "" when out of bounds */
/* Version i as a value; inexact ones allocate in the arena. False when the record is damaged there. */
MUST_USE bool listing_version(const struct listing *l, uint32_t i, struct arena *a, struct version *out);
/* The parts of a wheel's name that tags are in. */
void listing_tags(const struct listing *l, const struct listing_file *f, struct str *build, struct str *python,
                  struct str *abi, struct str *platform);
