/* A feed over the index server of the tests, which misbehaves as it is told to. For *_test.c only. */
#pragma once

#include <string.h>
#include "index/feed_priv.h"
#include "index/test_index.h"
#include "net/test_server.h"

struct feeding {
    struct fake f; /* its catalog and target alone */
    struct str index;
    struct source s;
    struct http *h;
    struct feed *feed;
};

/* `behaviours` as in tests/e2e/index_server.py; the cache lies in `cache`. What was asked before is not counted. */
static inline void feeding_open(struct feeding *w, const struct test_server *server, const char *cache,
                                const char *behaviours)
{
    struct http_config config = { .timeout_s = 20, .tries = 1, .http1 = true };
    struct http_request reset = { 0 };
    struct err e = { 0 };
    AUTO_BUF body = { .limit = 1 << 20 };

    *w = (struct feeding){ 0 };
    fake_init(&w->f, NULL, 0, cache);
    w->index = arena_printf(&w->f.a, "%s/x/%s/simple/", server->url, behaviours);
    w->f.settings.url = &w->index;
    w->f.settings.sdists = true;
    fake_open(&w->f);
    assert_true(http_open(&config, &w->h, &e));
    assert_true(source_open(&w->s, &w->f.c, NULL, 0, false, &e));
    w->feed = feed_new(&w->f.c, &w->s, w->h);
    reset.url = arena_printf(&w->f.a, "%s/-/reset", server->url);
    reset.body = &body;
    assert_true(http_get(w->h, &reset, &e));
    http_request_clear(&reset);
}

static inline void feeding_close(struct feeding *w)
{
    feed_free(w->feed);
    source_close(&w->s);
    http_close(w->h);
    fake_close(&w->f);
}
#define AUTO_FEEDING AUTO(feeding_close) struct feeding

static inline uint32_t feeding_project(struct feeding *w, const char *name)
{
    return catalog_project(&w->f.c, str_of(name));
}

/* Until the project is listed; false with e when the feed fails. */
static inline bool feeding_list(struct feeding *w, const char *name, struct err *e)
{
    uint32_t i = feeding_project(w, name);

    while (!catalog_list(&w->f.c, i))
        if (!feed_wait(w->feed, NULL, e))
            return false;
    return true;
}

static inline uint32_t feeding_rank(struct feeding *w, const char *name, const char *version)
{
    const struct catalog_project *p = w->f.c.projects.p[feeding_project(w, name)];

    for (uint32_t rank = 0; rank < p->n; rank++)
        if (str_eq(p->version[rank].text, str_of(version)))
            return rank;
    fail_msg("%s has no version %s", name, version);
    return 0;
}

/* Whatever is under way has come, also what was only a guess. */
static inline void feeding_drain(struct feeding *w)
{
    struct err e = { 0 };

    while (w->feed->outstanding || w->feed->reading)
        if (!feed_wait(w->feed, NULL, &e))
            fail_msg("%s", e.text);
}

/* The first requirement of a version, "" when it has none, or why its metadata cannot be used; "error: " and the text
 * when the feed fails. In the arena of w. */
static inline struct str feeding_metadata(struct feeding *w, const char *name, const char *version)
{
    struct err e = { 0 };
    struct known_meta m;
    uint32_t i = feeding_project(w, name);

    if (!feeding_list(w, name, &e))
        return arena_printf(&w->f.a, "error: %s", e.text);
    uint32_t rank = feeding_rank(w, name, version);

    while (!catalog_metadata(&w->f.c, i, rank, false, &w->f.a, &m)) {
        const struct candidate *cand = catalog_candidate(&w->f.c, i, rank);

        if (cand->state == CANDIDATE_BROKEN)
            return cand->why;
        if (!feed_wait(w->feed, NULL, &e))
            return arena_printf(&w->f.a, "error: %s", e.text);
    }
    return m.n_requires ? arena_str(&w->f.a, m.requires[0]) : STR("");
}

/* How often the server was asked for this path since feeding_open(). */
static inline unsigned feeding_count(struct feeding *w, const struct test_server *server, const char *path)
{
    struct http_request r = { .url = arena_printf(&w->f.a, "%s/-/counts", server->url) };
    AUTO_BUF body = { .limit = 1 << 20 };
    struct err e = { 0 };
    uint64_t n = 0;
    AUTO_HTTP h = NULL;
    struct http_config config = { .tries = 1, .http1 = true };

    r.body = &body;
    assert_true(http_open(&config, &h, &e));
    if (!http_get(h, &r, &e))
        fail_msg("%s", e.text);
    struct str text = buf_done(&body), key = arena_printf(&w->f.a, "%s\": ", path);
    size_t at = str_search(text, key);

    if (at < text.n) {
        struct str number = str_sub(text, at + key.n, text.n);

        assert_true(str_to_u64(str_sub(number, 0, MIN(str_find(number, ','), str_find(number, '}'))), &n));
    }
    http_request_clear(&r);
    return (unsigned)n;
}
