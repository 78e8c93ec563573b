#include "index/catalog.h"

#include "index/test_index.h"

#define MANY "cp312-cp312-manylinux_2_17_x86_64.whl"

static const struct fake_file world[] = {
    { .name = "tags-1.0-py3-none-any.whl" },
    { .name = "tags-1.0-" MANY },
    { .name = "tags-1.0-cp312-cp312-manylinux_2_28_x86_64.whl" },
    { .name = "tags-1.0.tar.gz" },
    { .name = "build-1.0-2-py3-none-any.whl" },
    { .name = "build-1.0-10a-py3-none-any.whl" },
    { .name = "build-1.0-py3-none-any.whl" },
    { .name = "miss-1.0-cp312-cp312-win_amd64.whl" },
    { .name = "miss-1.0-cp27-cp27m-manylinux_2_17_x86_64.whl" },
    { .name = "miss-2.0-cp311-cp311-manylinux_2_17_x86_64.whl" },
    { .name = "miss-3.0.tar.gz" },
    { .name = "miss-3.0-cp312-cp312-win_amd64.whl" },
    { .name = "py-1.0-py3-none-any.whl", .python = ">=3.8" },
    { .name = "py-2.0-py3-none-any.whl", .python = ">=3.13" },
    { .name = "py-3.0-py3-none-any.whl", .python = "<3.12" },
    { .name = "py-4.0-py3-none-any.whl", .python = ">=3.6.*" },
    { .name = "py-5.0-py3-none-any.whl", .python = "nonsense" },
    { .name = "yank-1.0-py3-none-any.whl" },
    { .name = "yank-2.0-py3-none-any.whl", .yanked = "loses data" },
    { .name = "yank-2.0.0-py2.py3-none-any.whl", .yanked = "" },
    { .name = "pre-1.0-py3-none-any.whl" },
    { .name = "pre-1.1b1-py3-none-any.whl" },
    { .name = "pre-2.0.dev1-py3-none-any.whl" },
    { .name = "onlypre-1.0a1-py3-none-any.whl" },
    { .name = "onlypre-1.0a2-py3-none-any.whl" },
    { .name = "time-1.0-py3-none-any.whl", .time = 100 },
    { .name = "time-2.0-py3-none-any.whl", .time = 200 },
    { .name = "time-2.0-" MANY, .time = 400 },
    { .name = "time-3.0-py3-none-any.whl", .time = 400 },
    { .name = "time-4.0-py3-none-any.whl" },
};

static void init(struct fake *f, void **state)
{
    fake_init(f, world, COUNT(world), ((struct test_dir *)*state)->path);
}

static void is_file(struct fake *f, const char *project, const char *version, const char *want)
{
    const struct candidate *cand = fake_candidate(f, project, version);
    const struct catalog_project *p = fake_get(f, project);
    struct str got = catalog_text(p, cand, catalog_file(p, cand)->name);

    if (cand->state != CANDIDATE_WHEEL || !str_eq(got, str_of(want)))
        fail_msg("%s %s: state %d, '" STR_FMT "', want '%s'", project, version, cand->state, STR_ARG(got), want);
}

static void is_state(struct fake *f, const char *project, const char *version, enum candidate_state want)
{
    const struct candidate *cand = fake_candidate(f, project, version);

    if (cand->state != want)
        fail_msg("%s %s: state %d, want %d", project, version, cand->state, want);
}

/* The version that is tried first of all. */
static void chooses(struct fake *f, const char *project, const char *want)
{
    uint32_t i = fake_project(f, project);
    struct set all = set_span(0, f->c.projects.p[i]->n);
    uint32_t rank = catalog_choose(&f->c, i, &all);
    struct str got = rank == UINT32_MAX ? STR("none") : f->c.projects.p[i]->version[rank].text;

    if (!str_eq(got, str_of(want)))
        fail_msg("%s: '" STR_FMT "', want '%s'", project, STR_ARG(got), want);
}

static const struct spec *spec_of(struct fake *f, const char *text)
{
    struct spec *s = ARENA_NEW(&f->a, struct spec);
    struct err e = { 0 };

    assert_true(spec_parse(str_of(text), &f->a, s, &e));
    return s;
}

static void takes_the_best_tag_then_the_highest_build(void **state)
{
    struct fake f;

    init(&f, state);
    fake_open(&f);
    is_file(&f, "tags", "1.0", "tags-1.0-cp312-cp312-manylinux_2_28_x86_64.whl");
    is_file(&f, "build", "1.0", "build-1.0-10a-py3-none-any.whl");
    fake_close(&f);
}

static void says_what_the_nearest_file_lacks(void **state)
{
    struct fake f;

    init(&f, state);
    fake_open(&f);
    is_state(&f, "miss", "1.0", CANDIDATE_NO_FILE);
    assert_int_equal(fake_candidate(&f, "miss", "1.0")->miss, TAG_MISS_PLATFORM);
    is_state(&f, "miss", "2.0", CANDIDATE_NO_FILE);
    assert_int_equal(fake_candidate(&f, "miss", "2.0")->miss, TAG_MISS_ABI);
    is_state(&f, "miss", "3.0", CANDIDATE_SDIST_ONLY);
    fake_close(&f);
}

static void obeys_requires_python_as_far_as_it_can_be_read(void **state)
{
    struct fake f;

    init(&f, state);
    fake_open(&f);
    is_state(&f, "py", "1.0", CANDIDATE_WHEEL);
    is_state(&f, "py", "2.0", CANDIDATE_PYTHON);
    assert_true(str_eq(fake_candidate(&f, "py", "2.0")->why, STR(">=3.13")));
    is_state(&f, "py", "3.0", CANDIDATE_WHEEL); /* capped: no obstacle */
    is_state(&f, "py", "4.0", CANDIDATE_WHEEL);
    is_state(&f, "py", "5.0", CANDIDATE_WHEEL);
    fake_close(&f);
}

static void a_pre_release_of_python_satisfies_its_final_version(void **state)
{
    struct fake f;

    init(&f, state);
    assert_true(version_parse(STR("3.13.0b1"), &f.a, &f.target.python));
    fake_open(&f);
    is_state(&f, "py", "2.0", CANDIDATE_WHEEL);
    fake_close(&f);
}

static void yanked_versions_need_an_exact_pin_or_the_lock(void **state)
{
    static const struct {
        const char *pin, *preferred;
        enum candidate_state want;
    } cases[] = {
        { NULL, NULL, CANDIDATE_YANKED },   { "==2.0", NULL, CANDIDATE_WHEEL }, { "===2.0", NULL, CANDIDATE_WHEEL },
        { "==1.0", NULL, CANDIDATE_YANKED }, { NULL, "2.0", CANDIDATE_WHEEL },  { NULL, "1.0", CANDIDATE_YANKED },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake f;

        init(&f, state);
        fake_open(&f);
        struct catalog_project *p = fake_get(&f, "yank");

        p->pinned = cases[i].pin ? spec_of(&f, cases[i].pin) : NULL;
        p->preferred = str_of(cases[i].preferred ? cases[i].preferred : "");
        is_state(&f, "yank", "2.0", cases[i].want);
        if (cases[i].want == CANDIDATE_YANKED)
            assert_true(str_eq(fake_candidate(&f, "yank", "2.0")->why, STR("loses data")));
        fake_close(&f);
    }
}

static void a_constraint_leaves_versions_out_with_its_own_words(void **state)
{
    struct fake f;

    init(&f, state);
    fake_open(&f);
    struct catalog_project *p = fake_get(&f, "pre");

    p->constraint = spec_of(&f, "<1.1");
    p->constraint_text = STR("is left out");
    is_state(&f, "pre", "1.0", CANDIDATE_WHEEL);
    is_state(&f, "pre", "2.0.dev1", CANDIDATE_CONSTRAINED);
    assert_true(str_eq(fake_candidate(&f, "pre", "2.0.dev1")->why, STR("is left out")));
    fake_close(&f);
}

static void no_binary_leaves_wheels_out(void **state)
{
    static const struct {
        const char *word;
        enum candidate_state build, tags;
    } cases[] = {
        { "build", CANDIDATE_NO_FILE, CANDIDATE_WHEEL },
        { "BUILD", CANDIDATE_NO_FILE, CANDIDATE_WHEEL },
        { ":all:", CANDIDATE_NO_FILE, CANDIDATE_SDIST_ONLY },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str word = str_of(cases[i].word);
        struct fake f;

        init(&f, state);
        f.settings.no_binary = &word;
        f.settings.n_no_binary = 1;
        fake_open(&f);
        is_state(&f, "build", "1.0", cases[i].build);
        is_state(&f, "tags", "1.0", cases[i].tags);
        fake_close(&f);
    }
}

static void exclude_newer_looks_at_each_file(void **state)
{
    struct fake f;

    init(&f, state);
    f.settings.exclude_newer = 200;
    fake_open(&f);
    (void)fake_project(&f, "time");
    assert_int_equal(fake_get(&f, "time")->n, 2); /* without a time a file is too new */
    is_file(&f, "time", "2.0", "time-2.0-py3-none-any.whl");
    is_file(&f, "time", "1.0", "time-1.0-py3-none-any.whl");
    fake_close(&f);
}

static void pre_releases_follow_the_policy(void **state)
{
    static const struct {
        enum index_prerelease policy;
        bool wanted;
        const char *pre, *only;
    } cases[] = {
        { PRERELEASE_IF_NECESSARY, false, "1.0", "1.0a2" },
        { PRERELEASE_IF_NECESSARY, true, "2.0.dev1", "1.0a2" },
        { PRERELEASE_ALLOW, false, "2.0.dev1", "1.0a2" },
        { PRERELEASE_DISALLOW, true, "1.0", "none" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake f;

        init(&f, state);
        f.settings.prerelease = cases[i].policy;
        fake_open(&f);
        fake_get(&f, "pre")->wants_pre = cases[i].wanted;
        chooses(&f, "pre", cases[i].pre);
        chooses(&f, "onlypre", cases[i].only);
        fake_close(&f);
    }
}

static void the_version_of_the_lock_comes_first_while_it_fits(void **state)
{
    struct fake f;

    init(&f, state);
    fake_open(&f);
    fake_get(&f, "py")->preferred = STR("1.0.0");
    fake_get(&f, "pre")->preferred = STR("1.1b1");
    fake_get(&f, "tags")->preferred = STR("7");
    fake_get(&f, "miss")->preferred = STR("2.0"); /* no file of it fits */
    chooses(&f, "py", "1.0");
    chooses(&f, "pre", "1.1b1");
    chooses(&f, "tags", "1.0");
    chooses(&f, "miss", "3.0");
    fake_close(&f);
}

static void lowest_turns_the_order_round(void **state)
{
    struct fake f;

    init(&f, state);
    f.settings.resolution = RESOLUTION_LOWEST_DIRECT;
    fake_open(&f);
    fake_get(&f, "time")->direct = true;
    chooses(&f, "time", "1.0");
    chooses(&f, "py", "5.0");
    f.settings.resolution = RESOLUTION_LOWEST;
    chooses(&f, "py", "1.0");
    fake_close(&f);
}

static void an_absent_project_is_asked_of_the_next_index(void **state)
{
    static const struct str urls[] = { STR_INIT("https://one.example/"), STR_INIT("https://two.example/") };
    struct fake f;

    init(&f, state);
    f.settings.url = urls;
    f.settings.n_url = 2;
    fake_open(&f);
    uint32_t gone = catalog_project(&f.c, STR("gone")), tags = catalog_project(&f.c, STR("tags"));

    assert_false(catalog_list(&f.c, gone));
    assert_false(catalog_list(&f.c, gone)); /* noted once */
    assert_int_equal(f.c.lacking_list.n, 1);
    (void)fake_answer(&f);
    assert_true(catalog_list(&f.c, gone));
    assert_int_equal(f.pages, 2);
    assert_int_equal(f.c.projects.p[gone]->n, 0);
    assert_int_equal(f.c.projects.p[gone]->index.n, 0);
    assert_int_equal(fake_project(&f, "tags"), tags);
    assert_true(str_eq(f.c.projects.p[tags]->index, urls[0]));
    fake_close(&f);
}

/* Puts a record of `links` files into the cache as index `url` would have left it. */
static void put_record(struct fake *f, struct str url, const char *project, uint32_t links, int64_t until)
{
    struct page_link link[1] = { fake_link(f, &world[0]) };
    struct page page = { .link = link, .n = links };
    struct listing_source s = {
        .project = str_of(project), .url = url, .etag = STR("\"old\""), .until = until, .absent = links == 0
    };
    AUTO_BUF b = { .limit = LISTING_PAGE_MAX };
    struct err e = { 0 };
    char name[128];

    s.checked = until ? 1 : 0;
    assert_true(listing_from_links(&page, &s, &b, &e));
    catalog_page_name(url, str_of(project), name);
    assert_true(cache_put(&f->c.listings, name, (struct str){ b.p, b.n }));
}

static void a_fresh_record_of_the_cache_needs_no_index(void **state)
{
    struct fake f;

    init(&f, state);
    fake_open(&f);
    put_record(&f, fake_url, "tags", 1, 9999999999);
    assert_true(catalog_list(&f.c, catalog_project(&f.c, STR("tags"))));
    assert_int_equal(f.pages, 0);
    is_file(&f, "tags", "1.0", "tags-1.0-py3-none-any.whl");
    fake_close(&f);
}

static void a_stale_record_is_revalidated_at_its_own_index_only(void **state)
{
    static const struct str urls[] = { STR_INIT("https://one.example/"), STR_INIT("https://two.example/") };
    struct fake f;

    init(&f, state);
    f.settings.url = urls;
    f.settings.n_url = 2;
    fake_open(&f);
    put_record(&f, urls[0], "gone", 0, 0);
    uint32_t i = catalog_project(&f.c, STR("gone"));

    assert_false(catalog_list(&f.c, i));
    assert_true(f.c.projects.p[i]->stale && f.c.projects.p[i]->mapped.n > 0);
    fake_answer_page(&f, f.c.lacking_list.p[--f.c.lacking_list.n]);
    assert_int_equal(f.c.lacking_list.n, 1);
    assert_int_equal(f.c.projects.p[i]->asking, 1);
    assert_false(f.c.projects.p[i]->stale || f.c.projects.p[i]->mapped.n > 0 || f.c.projects.p[i]->fd >= 0);
    fake_close(&f);
}

static void a_damaged_record_is_a_miss_and_never_read_past_its_end(void **state)
{
    char name[128];
    struct str whole;
    int fd = -1;

    catalog_page_name(fake_url, STR("tags"), name);
    for (size_t i = 8; i < sizeof(struct listing_head) + sizeof(struct listing_version); i++) {
        struct fake g;

        init(&g, state);
        g.settings.exclude_newer = 1000;
        fake_open(&g);
        put_record(&g, fake_url, "tags", 1, 9999999999);
        assert_true(cache_map(&g.c.listings, name, &whole, &fd));
        assert_true(cache_patch(fd, i, STR("\xff")));
        fd_unmap(&whole);
        fd_close(&fd);
        uint32_t p = catalog_project(&g.c, STR("tags"));

        if (catalog_list(&g.c, p))
            for (uint32_t rank = 0; rank < g.c.projects.p[p]->n; rank++)
                assert_true(catalog_candidate(&g.c, p, rank)->state != CANDIDATE_UNKNOWN);
        fake_close(&g);
    }
}

static void metadata_is_asked_for_once_and_then_known(void **state)
{
    AUTO_ARENA a = { 0 };
    struct known_meta m;
    struct fake f;

    for (int life = 0; life < 2; life++) {
        init(&f, state);
        fake_open(&f);
        uint32_t i = fake_project(&f, "tags");

        if (life == 0) {
            assert_false(catalog_metadata(&f.c, i, 0, true, &a, &m));
            assert_int_equal(f.c.lacking_meta.n, 0);
            assert_false(catalog_metadata(&f.c, i, 0, false, &a, &m));
            assert_int_equal(f.c.lacking_meta.n, 1);
            (void)fake_answer(&f);
        }
        assert_true(catalog_metadata(&f.c, i, 0, false, &a, &m));
        assert_int_equal(f.metadata, life == 0);
        fake_close(&f);
    }
}

static void metadata_that_cannot_be_used_breaks_the_version(void **state)
{
    struct fake f;

    init(&f, state);
    fake_open(&f);
    uint32_t i = fake_project(&f, "tags");

    catalog_learned(&f.c, i, 0, NULL, STR("has unusable metadata"));
    is_state(&f, "tags", "1.0", CANDIDATE_BROKEN);
    assert_true(str_eq(fake_candidate(&f, "tags", "1.0")->why, STR("has unusable metadata")));
    fake_close(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(takes_the_best_tag_then_the_highest_build),
        TEST_IN_DIR(says_what_the_nearest_file_lacks),
        TEST_IN_DIR(obeys_requires_python_as_far_as_it_can_be_read),
        TEST_IN_DIR(a_pre_release_of_python_satisfies_its_final_version),
        TEST_IN_DIR(yanked_versions_need_an_exact_pin_or_the_lock),
        TEST_IN_DIR(a_constraint_leaves_versions_out_with_its_own_words),
        TEST_IN_DIR(no_binary_leaves_wheels_out),
        TEST_IN_DIR(exclude_newer_looks_at_each_file),
        TEST_IN_DIR(pre_releases_follow_the_policy),
        TEST_IN_DIR(the_version_of_the_lock_comes_first_while_it_fits),
        TEST_IN_DIR(lowest_turns_the_order_round),
        TEST_IN_DIR(an_absent_project_is_asked_of_the_next_index),
        TEST_IN_DIR(a_fresh_record_of_the_cache_needs_no_index),
        TEST_IN_DIR(a_stale_record_is_revalidated_at_its_own_index_only),
        TEST_IN_DIR(a_damaged_record_is_a_miss_and_never_read_past_its_end),
        TEST_IN_DIR(metadata_is_asked_for_once_and_then_known),
        TEST_IN_DIR(metadata_that_cannot_be_used_breaks_the_version),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
