/* How the metadata of one file is had, over the index server of the tests: what is asked, and what comes of it. */
#include "index/test_feed.h"

#define DEMO "demo-1.0-py3-none-any.whl"
#define LARGE_BYTES (4u << 20) /* of which the member that is not METADATA has so many */

static struct test_server server;

static const char *cache_of(void **state)
{
    return ((const struct test_dir *)*state)->path;
}

static void assert_metadata(struct feeding *w, const char *name, const char *version, const char *want)
{
    struct str got = feeding_metadata(w, name, version);

    if (want[0] ? str_search(got, str_of(want)) == got.n : got.n != 0)
        fail_msg("%s %s: '" STR_FMT "', want '%s'", name, version, STR_ARG(got), want);
}

static void the_cheapest_way_that_works_is_taken(void **state)
{
    static const struct {
        const char *behaviours;
        unsigned side, file; /* how often NAME.metadata and NAME are asked for */
    } cases[] = {
        { "json", 1, 0 },                    /* announced */
        { "html", 1, 0 },
        { "plain", 1, 0 },                   /* there, though nobody said so */
        { "no-metadata", 1, 1 },             /* all of it fits into the tail */
        { "no-metadata,no-ranges", 1, 1 },   /* the whole archive */
        { "no-metadata,no-ranges,close10", 1, 1 },
        { "status=404@metadata", 1, 1 },     /* announced, and not there */
        { "status=403@metadata", 1, 1 },     /* as object stores say it */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_dir *dir; /* what is known of a host would be known to the next */
        struct feeding w;
        char path[200];

        assert_int_equal(test_dir_make((void **)&dir), 0);
        feeding_open(&w, &server, dir->path, cases[i].behaviours);
        assert_metadata(&w, "demo", "1.0", "dep>=1");
        (void)snprintf(path, sizeof path, "/x/%s/files/" DEMO, cases[i].behaviours);
        unsigned file = feeding_count(&w, &server, path);

        (void)snprintf(path, sizeof path, "/x/%s/files/" DEMO ".metadata", cases[i].behaviours);
        unsigned side = feeding_count(&w, &server, path);

        if (file != cases[i].file || side != cases[i].side)
            fail_msg("%s: %u times the file, %u times its metadata", cases[i].behaviours, file, side);
        feeding_close(&w);
        assert_int_equal(test_dir_remove((void **)&dir), 0);
    }
}

static void of_a_large_archive_only_the_parts_that_are_needed(void **state)
{
    struct feed_figures figures;
    AUTO_FEEDING w;

    feeding_open(&w, &server, cache_of(state), "no-metadata");
    assert_metadata(&w, "large", "1.0", "");
    feed_figures(w.feed, &figures);
    struct http_figures moved;

    http_figures(w.h, &moved);
    assert_int_equal(figures.metadata, 1);
    assert_true(moved.bytes < LARGE_BYTES / 4);
}

/* The first answer of a host about metadata that was not announced is remembered, also for the next run. */
static void a_host_without_metadata_files_is_not_asked_again(void **state)
{
    static const struct {
        const char *name, *meta;
        unsigned asked;
    } files[] = {
        { "demo", "files/" DEMO ".metadata", 1 },
        { "dep", "files/dep-1.0-py3-none-any.whl.metadata", 0 },
        { "many-3", "files/many_3-1.0-py3-none-any.whl.metadata", 0 }, /* in a second run */
    };

    for (size_t i = 0; i < COUNT(files);) {
        AUTO_FEEDING w;
        char path[200];

        feeding_open(&w, &server, cache_of(state), "no-metadata");
        for (size_t end = i ? COUNT(files) : 2; i < end; i++) {
            (void)feeding_metadata(&w, files[i].name, "1.0");
            feeding_drain(&w);
            (void)snprintf(path, sizeof path, "/x/no-metadata/%s", files[i].meta);
            if (feeding_count(&w, &server, path) != files[i].asked)
                fail_msg("%s: asked %u times, want %u", path, feeding_count(&w, &server, path), files[i].asked);
            assert_int_equal(catalog_candidate(&w.f.c, feeding_project(&w, files[i].name), 0)->state, CANDIDATE_WHEEL);
        }
    }
}

static void what_is_wrong_makes_the_version_unusable_and_says_so(void **state)
{
    static const struct {
        const char *behaviours, *name, *says;
    } cases[] = {
        { "flip@metadata", "demo", "has no readable metadata: the metadata file has another hash than the index says" },
        { "no-metadata,status=404@file", "demo", "has no readable metadata: the file is gone from the index" },
        { "no-metadata,status=410@file", "demo", "has no readable metadata: the file is gone from the index" },
        { "no-metadata,no-ranges,shorter=9@file", "demo", "has no readable metadata: no end record found" },
        { "no-metadata,shorter=9@file", "large", "has no readable metadata: no end record found" },
        { "no-metadata,no-ranges,longer=9@file", "demo", "has no readable metadata: " },
        { "flip@file", "sdist-only", "has only a source distribution: the source distribution has another hash" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_dir *dir;
        struct feeding w;

        assert_int_equal(test_dir_make((void **)&dir), 0);
        feeding_open(&w, &server, dir->path, cases[i].behaviours);
        assert_metadata(&w, cases[i].name, "1.0", cases[i].says);
        assert_int_equal(w.feed->e.kind, ERR_NONE); /* the resolve goes on with other versions */
        feeding_close(&w);
        assert_int_equal(test_dir_remove((void **)&dir), 0);
    }
}

/* The network's fault says nothing of the version. */
static void trouble_of_the_network_ends_the_resolve(void **state)
{
    static const struct {
        const char *behaviours, *says;
    } cases[] = {
        { "truncate=5@metadata", "broke" },
        { "status=500@metadata", "answers 500" },
        { "garbage@metadata", "error: " },
        { "endless@metadata", "sends more than 33554432 bytes" },
        { "no-metadata,status=500@file", "answers 500" },
        { "no-metadata,status=403@file", "answers 403" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct test_dir *dir;
        struct feeding w;

        assert_int_equal(test_dir_make((void **)&dir), 0);
        feeding_open(&w, &server, dir->path, cases[i].behaviours);
        assert_metadata(&w, "demo", "1.0", cases[i].says);
        assert_int_equal(w.feed->e.kind, ERR_NETWORK);
        feeding_close(&w);
        assert_int_equal(test_dir_remove((void **)&dir), 0);
    }
}

static void asks_once_and_never_ahead_for_a_source_distribution(void **state)
{
    struct err e = { 0 };
    AUTO_FEEDING w;

    feeding_open(&w, &server, cache_of(state), "plain");
    assert_true(feeding_list(&w, "many-1", &e) && feeding_list(&w, "sdist-only", &e));
    feeding_drain(&w);
    uint32_t many = feeding_project(&w, "many-1"), sdist = feeding_project(&w, "sdist-only");

    assert_false(meta_start(w.feed, many, 0, PRIORITY_WANTED)); /* guessed when its page came, and is here */
    assert_int_equal(feeding_count(&w, &server, "/x/plain/files/many_1-1.0-py3-none-any.whl.metadata"), 1);
    assert_false(meta_start(w.feed, sdist, 0, PRIORITY_AHEAD));
    assert_int_equal(w.feed->outstanding, 0);
    assert_true(meta_start(w.feed, sdist, 0, PRIORITY_WANTED));
    assert_false(meta_start(w.feed, sdist, 0, PRIORITY_WANTED)); /* under way */
    assert_int_equal(w.feed->outstanding, 1);
    feeding_drain(&w);
    assert_metadata(&w, "sdist-only", "1.0", "dep");
    assert_int_equal(feeding_count(&w, &server, "/x/plain/files/sdist_only-1.0.tar.gz"), 1);
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
        cmocka_unit_test(the_cheapest_way_that_works_is_taken),
        WITH_CACHE(of_a_large_archive_only_the_parts_that_are_needed),
        WITH_CACHE(a_host_without_metadata_files_is_not_asked_again),
        cmocka_unit_test(what_is_wrong_makes_the_version_unusable_and_says_so),
        cmocka_unit_test(trouble_of_the_network_ends_the_resolve),
        WITH_CACHE(asks_once_and_never_ahead_for_a_source_distribution),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
