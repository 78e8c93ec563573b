#include "index/flat.h"

#include "index/test_index.h"
#include "index/test_wheel.h"

static void put(struct test_dir *t, const char *path)
{
    struct err e = { 0 };
    size_t slash = str_rfind(str_of(path), '/');
    AUTO_FD dir = -1;
    char folder[100];

    (void)snprintf(folder, sizeof folder, "%.*s", (int)slash, path);
    assert_true(file_make_dirs(t->fd, folder, 0777, &e) && fd_open_dir(t->fd, folder, &dir, &e));
    assert_true(file_replace(dir, path + slash + 1, STR("not read"), 0666, FILE_NO_SYNC, &e));
}

static void open_links(struct fake *f, struct test_dir *t, const struct str *links, size_t n)
{
    fake_init(f, NULL, 0, t->path);
    f->settings.find_links = links;
    f->settings.n_find_links = n;
    f->settings.n_url = 0;
    fake_open(f);
}

static struct str in(struct fake *f, const struct test_dir *t, const char *name)
{
    return arena_printf(&f->a, "%s/%s", t->path, name);
}

static void takes_the_distributions_of_a_folder(void **state)
{
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct str link = arena_printf(&a, "%s/links", t->path);
    struct fake f;

    put(t, "links/My_Demo-1.0-py3-none-any.whl");
    put(t, "links/my-demo-2.0.tar.gz");
    put(t, "links/other-1.0-py3-none-any.whl");
    put(t, "links/readme.txt");
    open_links(&f, t, &link, 1);
    (void)fake_project(&f, "my-demo");
    assert_int_equal(fake_get(&f, "my-demo")->n, 2);
    assert_int_equal(fake_candidate(&f, "my-demo", "1.0")->state, CANDIDATE_WHEEL);
    assert_int_equal(fake_candidate(&f, "my-demo", "2.0")->state, CANDIDATE_SDIST_ONLY);
    (void)fake_project(&f, "readme.txt");
    assert_int_equal(fake_get(&f, "readme.txt")->n, 0);
    fake_close(&f);
}

static void files_of_two_folders_are_candidates_side_by_side(void **state)
{
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct str links[] = { arena_printf(&a, "%s/one", t->path), arena_printf(&a, "file://%s/two", t->path) };
    struct fake f;

    put(t, "one/demo-1.0-py3-none-any.whl");
    put(t, "one/demo-3.0-py3-none-any.whl");
    put(t, "two/demo-2.0-py3-none-any.whl");
    open_links(&f, t, links, 2);
    (void)fake_project(&f, "demo");
    struct catalog_project *p = fake_get(&f, "demo");

    assert_int_equal(p->n, 3);
    for (uint32_t i = 0; i < 3; i++)
        assert_int_equal(p->version[i].text.p[0], '1' + (int)i);
    fake_close(&f);
}

static void files_of_a_folder_stand_beside_those_of_the_index(void **state)
{
    static const struct fake_file world[] = { { .name = "demo-1.0-py3-none-any.whl" },
                                              { .name = "demo-2.0-py3-none-any.whl" } };
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct str link = arena_printf(&a, "%s/links", t->path);
    struct fake f;

    put(t, "links/demo-2.0.0-cp312-cp312-linux_x86_64.whl");
    put(t, "links/demo-3.0-py3-none-any.whl");
    fake_init(&f, world, COUNT(world), t->path);
    f.settings.find_links = &link;
    f.settings.n_find_links = 1;
    fake_open(&f);
    (void)fake_project(&f, "demo");
    struct catalog_project *p = fake_get(&f, "demo");

    assert_int_equal(p->n, 3);
    struct candidate *both = catalog_candidate(&f.c, 0, 1);

    assert_true(str_eq(catalog_text(p, both, catalog_file(p, both)->name),
                       STR("demo-2.0.0-cp312-cp312-linux_x86_64.whl")));
    fake_close(&f);
}

static void names_the_folder_that_cannot_be_read(void **state)
{
    struct test_dir *t = *state;
    struct fake f;
    struct err e = { 0 };
    AUTO_ARENA a = { 0 };
    struct str link = arena_printf(&a, "%s/nothing", t->path);

    fake_init(&f, NULL, 0, t->path);
    f.settings.find_links = &link;
    f.settings.n_find_links = 1;
    assert_false(catalog_open(&f.settings, &f.target, &f.c, &e));
    assert_int_equal(e.kind, ERR_CONFIG);
    assert_non_null(strstr(e.text, "read --find-links '"));
    assert_non_null(strstr(e.text, "nothing': No such file or directory"));
    fake_close(&f);
}

/* A wheel that is built again keeps its name: what was learned of it must not outlive the run. */
static void metadata_of_local_files_is_read_each_time(void **state)
{
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct str link = arena_printf(&a, "%s/links", t->path);
    AUTO_FD dir = -1;
    struct err e = { 0 };

    put(t, "links/readme.txt");
    assert_true(fd_open_dir(t->fd, "links", &dir, &e));
    for (size_t life = 0; life < 3; life++) {
        struct test_member m = { "demo-1.0.dist-info/METADATA", "" };
        struct known_meta got;
        struct fake f;

        m.data = arena_printf(&a, "Metadata-Version: 2.1\nName: demo\nVersion: 1.0\nRequires-Python: >=3.%zu\n",
                              life).p;
        assert_true(file_replace(dir, "demo-1.0-py3-none-any.whl", test_archive(&a, &m, 1), 0666, FILE_NO_SYNC, &e));
        open_links(&f, t, &link, 1);
        uint32_t i = fake_project(&f, "demo");

        assert_true(catalog_metadata(&f.c, i, 0, false, &a, &got));
        assert_int_equal(got.requires_python.p[4], '0' + (int)life);
        assert_int_equal(f.c.lacking_meta.n, 0);
        fake_close(&f);
    }
}

static void a_local_file_that_is_broken_is_not_asked_for(void **state)
{
    struct test_dir *t = *state;
    static const char *const roots[] = { "demo", NULL };
    AUTO_ARENA a = { 0 };
    struct str link = arena_printf(&a, "%s/links", t->path);
    struct fake f;

    put(t, "links/demo-1.0-py3-none-any.whl");
    open_links(&f, t, &link, 1);
    struct str got = fake_solve(&f, roots, false);

    if (str_search(got, STR("demo 1.0 has unusable metadata: read ")) == got.n)
        fail_msg("'" STR_FMT "'", STR_ARG(got));
    assert_int_equal(f.c.lacking_meta.n, 0);
    fake_close(&f);
}

static void a_direct_file_brings_its_hash(void **state)
{
    static const struct {
        const char *fragment;
        uint32_t flags;
        const char *other;
    } cases[] = {
        { "", LISTING_WHEEL, "" },
        { "#egg=demo", LISTING_WHEEL, "" },
        { "#sha256=1111111111111111111111111111111111111111111111111111111111111111", LISTING_WHEEL | LISTING_SHA256,
          "" },
        { "#egg=demo&sha512=ab", LISTING_WHEEL, "sha512=ab" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct fake f;
        struct err e = { 0 };
        uint32_t project;

        open_links(&f, *state, NULL, 0);
        struct str url = arena_printf(&f.a, "https://files.example/Demo-1%%2B2-py3-none-any.whl%s", cases[i].fragment);

        if (!flat_direct(&f.c, url, STR("demo"), &project, &e) || !flat_direct(&f.c, url, STR(""), &project, &e))
            fail_msg("%s", e.text);
        struct catalog_project *p = f.c.projects.p[project];
        const struct listing_file *file = &p->listing[0].file[0];

        assert_true(p->only_direct && p->n == 1 && str_eq(p->name, STR("demo")));
        assert_true(str_eq(p->version[0].text, STR("1+2")));
        assert_int_equal(file->flags, cases[i].flags);
        assert_true(str_eq(listing_text(&p->listing[0], file->other_hash), str_of(cases[i].other)));
        assert_true(str_eq(listing_text(&p->listing[0], file->url),
                           STR("https://files.example/Demo-1%2B2-py3-none-any.whl")));
        fake_close(&f);
    }
}

static void a_cutoff_says_nothing_of_files_that_are_given(void **state)
{
    struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct str link = arena_printf(&a, "%s/links", t->path);
    struct fake f;
    struct err e = { 0 };
    uint32_t project;

    put(t, "links/demo-1.0-py3-none-any.whl");
    fake_init(&f, NULL, 0, t->path);
    f.settings.find_links = &link;
    f.settings.n_find_links = 1;
    f.settings.exclude_newer = 1000;
    fake_open(&f);
    assert_int_equal(fake_candidate(&f, "demo", "1.0")->state, CANDIDATE_WHEEL);
    assert_true(flat_direct(&f.c, STR("https://files.example/lib-1.0-py3-none-any.whl"), STR(""), &project, &e));
    assert_int_equal(catalog_candidate(&f.c, project, 0)->state, CANDIDATE_WHEEL);
    fake_close(&f);
}

static void only_wheels_can_be_direct(void **state)
{
    struct fake f;
    struct err e = { 0 };
    uint32_t project;

    open_links(&f, *state, NULL, 0);
    assert_false(flat_direct(&f.c, in(&f, *state, "demo-1.0.zip"), STR(""), &project, &e));
    assert_int_equal(e.kind, ERR_PACKAGE);
    fake_close(&f);
}

static void a_source_is_the_only_candidate_of_its_project(void **state)
{
    static const struct {
        const char *name, *metadata, *why; /* NULL: taken */
    } cases[] = {
        { "My.Lib", "Metadata-Version: 2.1\nName: my-lib\nVersion: 1.5+local\nRequires-Dist: dep\n", NULL },
        { "other", "Metadata-Version: 2.1\nName: my-lib\nVersion: 1.5\n", "'other' is required, but the source is" },
        { "my-lib", "Metadata-Version: 2.1\nName: my-lib\n", "read the metadata of 'file:///src'" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct flat_source s = { .url = STR("file:///src"), .metadata = str_of(cases[i].metadata) };
        struct fake f;
        struct err e = { 0 };

        open_links(&f, *state, NULL, 0);
        bool ok = flat_given(&f.c, &s, str_of(cases[i].name), &e);

        if (ok != !cases[i].why || (!ok && !strstr(e.text, cases[i].why)))
            fail_msg("%s: %d %s", cases[i].name, ok, e.text);
        if (ok) {
            uint32_t project = catalog_project(&f.c, STR("my-lib"));
            AUTO_ARENA a = { 0 };
            struct known_meta m;

            assert_true(f.c.projects.p[project]->only_direct);
            assert_int_equal(f.c.projects.p[project]->n, 1);
            assert_true(catalog_metadata(&f.c, project, 0, true, &a, &m));
            assert_int_equal(m.n_requires, 1);
            s.url = STR("file:///elsewhere");
            assert_false(flat_given(&f.c, &s, STR("my-lib"), &e));
            assert_non_null(strstr(e.text, "is required from"));
        }
        fake_close(&f);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(takes_the_distributions_of_a_folder),
        TEST_IN_DIR(files_of_two_folders_are_candidates_side_by_side),
        TEST_IN_DIR(files_of_a_folder_stand_beside_those_of_the_index),
        TEST_IN_DIR(names_the_folder_that_cannot_be_read),
        TEST_IN_DIR(metadata_of_local_files_is_read_each_time),
        TEST_IN_DIR(a_local_file_that_is_broken_is_not_asked_for),
        TEST_IN_DIR(a_direct_file_brings_its_hash),
        TEST_IN_DIR(a_cutoff_says_nothing_of_files_that_are_given),
        TEST_IN_DIR(only_wheels_can_be_direct),
        TEST_IN_DIR(a_source_is_the_only_candidate_of_its_project),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
