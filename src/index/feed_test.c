/* The feed over the index server of the tests. What is known of each file is index/fetch_meta_test.c's. */
#include "index/test_feed.h"

#define DEMO_PAGE "simple/demo/"
#define DEP_META "files/dep-2.0-py3-none-any.whl.metadata"

static struct test_server server;

static const char *cache_of(void **state)
{
    return ((const struct test_dir *)*state)->path;
}

static unsigned count(struct feeding *w, const char *behaviours, const char *rest)
{
    char path[300];

    (void)snprintf(path, sizeof path, "/x/%s/%s", behaviours, rest);
    return feeding_count(w, &server, path);
}

static void brings_what_is_lacking_in_each_form_that_a_page_may_have(void **state)
{
    static const char *const behaviours[] = { "json", "html", "json,gzip", "html,gzip", "html,close10", "html,absolute",
                                              "html,base", "json,redirect=2@page", "html,no-hash,no-size",
                                              "json,wrong-type", "html,wrong-type" };

    (void)state;
    for (size_t i = 0; i < COUNT(behaviours); i++) {
        struct test_dir *dir;
        struct feeding w;
        struct err e = { 0 };

        assert_int_equal(test_dir_make((void **)&dir), 0);
        feeding_open(&w, &server, dir->path, behaviours[i]);
        if (!feeding_list(&w, "demo", &e))
            fail_msg("%s: %s", behaviours[i], e.text);
        const struct catalog_project *p = w.f.c.projects.p[feeding_project(&w, "demo")];

        assert_int_equal(p->n, 3);
        assert_int_equal(catalog_candidate(&w.f.c, feeding_project(&w, "demo"), feeding_rank(&w, "demo", "1.2"))->state,
                         CANDIDATE_YANKED);
        feeding_close(&w);
        assert_int_equal(test_dir_remove((void **)&dir), 0);
    }
}

static void a_project_that_no_index_has_is_known_to_have_no_version(void **state)
{
    AUTO_FEEDING w;
    struct err e = { 0 };

    feeding_open(&w, &server, cache_of(state), "json");
    assert_true(feeding_list(&w, "nowhere", &e));
    assert_int_equal(w.f.c.projects.p[feeding_project(&w, "nowhere")]->n, 0);
}

/* One round trip less for each: of a page the version that would be taken, of its metadata the pages of what it needs,
 * of those the versions that would be taken ... */
static void what_will_be_asked_next_is_under_way_already(void **state)
{
    AUTO_FEEDING w;
    struct err e = { 0 };
    struct feed_figures figures;

    feeding_open(&w, &server, cache_of(state), "json");
    assert_true(feeding_list(&w, "demo", &e)); /* and nothing else was asked for */
    feeding_drain(&w);
    assert_int_equal(count(&w, "json", "files/demo-1.1-py3-none-any.whl.metadata"), 1); /* 1.2 is yanked */
    assert_int_equal(count(&w, "json", "files/demo-1.0-py3-none-any.whl.metadata"), 0);
    assert_int_equal(count(&w, "json", "simple/dep/"), 1);
    assert_int_equal(count(&w, "json", DEP_META), 1);
    feed_figures(w.feed, &figures);
    assert_int_equal(figures.pages, 2);
    assert_int_equal(figures.metadata, 2);
    assert_true(figures.bytes > 0);
    assert_true(feeding_list(&w, "dep", &e));
    assert_int_equal(feeding_metadata(&w, "dep", "2.0").n, 0);
    assert_int_equal(count(&w, "json", "simple/dep/"), 1); /* nothing twice */
    assert_int_equal(count(&w, "json", DEP_META), 1);
}

static void without_dependencies_nothing_is_guessed(void **state)
{
    AUTO_FEEDING w;
    struct err e = { 0 };

    feeding_open(&w, &server, cache_of(state), "json");
    w.s.no_deps = true;
    assert_true(feeding_list(&w, "demo", &e));
    feeding_drain(&w);
    assert_int_equal(count(&w, "json", "files/demo-1.1-py3-none-any.whl.metadata"), 0);
}

static void one_wait_starts_all_that_is_lacking(void **state)
{
    AUTO_FEEDING w;
    struct err e = { 0 };
    char name[20];

    feeding_open(&w, &server, cache_of(state), "json");
    w.s.no_deps = true;
    for (int i = 0; i < 100; i++) {
        (void)snprintf(name, sizeof name, "many-%d", i);
        assert_false(catalog_list(&w.f.c, feeding_project(&w, name)));
    }
    assert_true(feed_wait(w.feed, NULL, &e));
    assert_int_equal(w.f.c.lacking_list.n, 0);
    assert_int_equal(w.feed->outstanding + w.feed->figures.pages, 100);
    feeding_drain(&w);
    assert_int_equal(w.feed->figures.pages, 100);
    assert_true(feed_wait(w.feed, NULL, &e)); /* nothing is lacking: it does not wait */
}

/* Of a second run: fresh pages and known metadata are not asked for, an old page only whether it changed. */
static void what_came_is_in_the_cache(void **state)
{
    static const struct {
        const char *behaviours;
        bool refresh;
        unsigned pages; /* asked for in the second run */
    } cases[] = {
        { "json,max-age=600", false, 0 },
        { "json,max-age=600", true, 1 },
        { "json,max-age=0", false, 1 },
        { "html,no-store", false, 1 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_dir *dir;

        assert_int_equal(test_dir_make((void **)&dir), 0);
        for (int run = 0; run < 2; run++) {
            struct feeding w;
            const char *b = cases[i].behaviours;

            feeding_open(&w, &server, dir->path, b);
            w.f.settings.refresh = run && cases[i].refresh;
            struct str first = feeding_metadata(&w, "demo", "1.1");

            assert_true(str_eq(first, STR("dep>=2")));
            feeding_drain(&w);
            if (run && (count(&w, b, DEMO_PAGE) != cases[i].pages || w.feed->figures.metadata != 0))
                fail_msg("%s: %u pages, %u times metadata", b, count(&w, b, DEMO_PAGE), w.feed->figures.metadata);
            feeding_close(&w);
        }
        assert_int_equal(test_dir_remove((void **)&dir), 0);
    }
}

/* That it did not change is an answer like any other: it is fresh for as long again. */
static void a_page_that_did_not_change_is_fresh_again(void **state)
{
    static const struct {
        const char *now;
        unsigned pages;
    } runs[] = { { "2030-01-01T00:00:00Z", 1 }, { "2030-01-01T00:03:00Z", 1 }, { "2030-01-01T00:04:00Z", 0 },
               { "2030-01-01T00:05:00Z", 1 } };

    for (size_t i = 0; i < COUNT(runs); i++) {
        AUTO_FEEDING w;
        struct err e = { 0 };

        assert_int_equal(setenv("BLAST_NOW", runs[i].now, 1), 0);
        feeding_open(&w, &server, cache_of(state), "json,max-age=100");
        w.s.no_deps = true;
        assert_true(feeding_list(&w, "demo", &e));
        assert_int_equal(w.f.c.projects.p[feeding_project(&w, "demo")]->n, 3);
        assert_int_equal(count(&w, "json,max-age=100", DEMO_PAGE), runs[i].pages);
        assert_int_equal(unsetenv("BLAST_NOW"), 0);
    }
}

static void offline_says_what_is_not_in_the_cache(void **state)
{
    AUTO_FEEDING w;
    struct err e = { 0 };

    feeding_open(&w, &server, cache_of(state), "json");
    feed_free(w.feed);
    w.f.settings.offline = true;
    w.feed = feed_new(&w.f.c, &w.s, NULL);
    assert_false(feeding_list(&w, "demo", &e));
    assert_int_equal(e.kind, ERR_NETWORK);
    assert_non_null(strstr(e.text, "'demo' is not in the cache, and --offline forbids asking for it"));
    assert_string_equal(e.hint, "run once without --offline");
    assert_int_equal(count(&w, "json", DEMO_PAGE), 0);
}

static void a_page_that_cannot_be_had_ends_the_resolve(void **state)
{
    static const struct {
        const char *behaviours, *says;
        enum err_kind kind;
    } cases[] = {
        { "status=500", "answers 500", ERR_NETWORK },
        { "status=403", "answers 403", ERR_NETWORK },
        { "truncate=10", "broke", ERR_NETWORK },
        { "json,bad-utf8", "the text is not UTF-8", ERR_PACKAGE },
        { "bomb=201", "unpack the page of 'demo'", ERR_PACKAGE },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_dir *dir;
        struct feeding w;
        struct err e = { 0 };

        assert_int_equal(test_dir_make((void **)&dir), 0);
        feeding_open(&w, &server, dir->path, cases[i].behaviours);
        if (feeding_list(&w, "demo", &e))
            fail_msg("%s: succeeds", cases[i].behaviours);
        if (e.kind != cases[i].kind || !strstr(e.text, cases[i].says))
            fail_msg("%s: kind %d: %s", cases[i].behaviours, (int)e.kind, e.text);
        feeding_close(&w);
        assert_int_equal(test_dir_remove((void **)&dir), 0);
    }
}

static void can_be_given_up_while_things_are_under_way(void **state)
{
    AUTO_FEEDING w;
    struct err e = { 0 };

    feeding_open(&w, &server, cache_of(state), "json,silent@metadata");
    assert_true(feeding_list(&w, "demo", &e));
    assert_int_equal(w.feed->outstanding, 1); /* the guess, which is never answered */
    feed_free(w.feed);
    assert_int_equal(http_outstanding(w.h), 0);
    w.feed = NULL;
}

static int set_up(void **state)
{
    (void)state;
    (void)unsetenv("http_proxy");
    test_server_start(&server, NULL);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    test_server_stop(&server);
    return 0;
}

int main(void)
{
#define WITH_CACHE(test) cmocka_unit_test_setup_teardown(test, test_dir_make, test_dir_remove)
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(brings_what_is_lacking_in_each_form_that_a_page_may_have),
        WITH_CACHE(a_project_that_no_index_has_is_known_to_have_no_version),
        WITH_CACHE(what_will_be_asked_next_is_under_way_already),
        WITH_CACHE(without_dependencies_nothing_is_guessed),
        WITH_CACHE(one_wait_starts_all_that_is_lacking),
        cmocka_unit_test(what_came_is_in_the_cache),
        WITH_CACHE(a_page_that_did_not_change_is_fresh_again),
        WITH_CACHE(offline_says_what_is_not_in_the_cache),
        cmocka_unit_test(a_page_that_cannot_be_had_ends_the_resolve),
        WITH_CACHE(can_be_given_up_while_things_are_under_way),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
