#include "sync/journal.h"

#include "sync/test_project.h"

static const struct journal_file files[] = {
    { "pyproject.toml", STR_INIT("# old"), STR_INIT("# new\n# \"quoted\" \xc3\xa9") },
    { "pylock.toml", { NULL, 0 }, STR_INIT("new lock") },
};

static void is_text(struct test_project *p, const char *path, const char *want)
{
    const char *got = test_read(p, path);

    if (got ? !want || strcmp(got, want) != 0 : want != NULL)
        fail_msg("%s: '%s', want '%s'", path, got ? got : "(none)", want ? want : "(none)");
}

static void begin(struct test_project *p, uint32_t seq)
{
    struct err e = { 0 };

    test_write(p->t, "p/pyproject.toml", "# old");
    if (!journal_begin(&p->w, files, COUNT(files), seq, &e))
        fail_msg("%s", e.text);
}

static void recover(struct test_project *p, uint32_t seq, bool want)
{
    struct err e = { 0 };
    bool did;

    if (!journal_recover(&p->w, seq, &did, &e))
        fail_msg("%s", e.text);
    assert_int_equal(did, want);
    assert_true(journal_recover(&p->w, seq, &did, &e));
    assert_false(did); /* it is gone */
}

/* The steps of a change: journal, each file, the new generation. After a crash behind any of them all is old, or, when
 * the generation is current, all is new. */
static void a_crash_leaves_everything_old_or_everything_new(void **state)
{
    for (unsigned steps = 0; steps <= 3; steps++) {
        struct test_project p;

        test_init(&p, state);
        (void)test_open(&p);
        begin(&p, 7);
        if (steps >= 1)
            test_write(p.t, "p/pyproject.toml", files[0].new.p);
        if (steps >= 2)
            test_write(p.t, "p/pylock.toml", files[1].new.p);
        recover(&p, steps == 3 ? 8 : 7, true);
        is_text(&p, "p/pyproject.toml", steps == 3 ? files[0].new.p : "# old");
        is_text(&p, "p/pylock.toml", steps == 3 ? files[1].new.p : NULL);
        test_close(&p);
    }
}

static void edits_by_hand_in_between_are_kept(void **state)
{
    struct test_project p;

    test_init(&p, state);
    (void)test_open(&p);
    begin(&p, 1);
    test_write(p.t, "p/pyproject.toml", "by hand");
    test_write(p.t, "p/pylock.toml", "by hand too");
    recover(&p, 1, true);
    is_text(&p, "p/pyproject.toml", "by hand");
    is_text(&p, "p/pylock.toml", "by hand too");
    test_close(&p);
}

static void a_file_that_was_removed_by_hand_stays_removed(void **state)
{
    struct test_project p;
    struct err e = { 0 };

    test_init(&p, state);
    (void)test_open(&p);
    begin(&p, 1);
    assert_true(file_remove_tree(p.t->fd, "p/pyproject.toml", &e));
    recover(&p, 1, true);
    is_text(&p, "p/pyproject.toml", NULL);
    test_close(&p);
}

static void what_somebody_wrote_meanwhile_is_told_from_what_was_read(void **state)
{
    static const struct {
        const char *read, *now; /* NULL: no such file */
        bool same;
    } cases[] = {
        { "a", "a", true }, { NULL, NULL, true }, { "a", "b", false }, { "a", NULL, false }, { NULL, "a", false },
        { "", NULL, false },
    };
    struct test_project p;

    test_init(&p, state);
    (void)test_open(&p);
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct str read = cases[i].read ? str_of(cases[i].read) : (struct str){ NULL, 0 };

        (void)unlinkat(p.t->fd, "p/pylock.toml", 0);
        if (cases[i].now)
            test_write(p.t, "p/pylock.toml", cases[i].now);
        if (journal_unmoved(&p.w, "pylock.toml", read, &e) != cases[i].same)
            fail_msg("case %zu: %s", i, e.text);
        if (!cases[i].same) {
            assert_int_equal(err_exit_code(&e), 7);
            assert_non_null(strstr(e.text, "pylock.toml was written by another program meanwhile"));
        }
    }
    test_close(&p);
}

static void undoing_puts_back_what_was_written(void **state)
{
    struct test_project p;
    struct err e = { 0 };

    test_init(&p, state);
    (void)test_open(&p);
    begin(&p, 1);
    test_write(p.t, "p/pyproject.toml", files[0].new.p);
    test_write(p.t, "p/pylock.toml", files[1].new.p);
    assert_true(journal_undo(&p.w, files, COUNT(files), &e) && journal_end(&p.w, &e));
    is_text(&p, "p/pyproject.toml", "# old");
    is_text(&p, "p/pylock.toml", NULL);
    recover(&p, 1, false);
    test_close(&p);
}

static void without_a_journal_nothing_is_done(void **state)
{
    struct test_project p;
    struct err e = { 0 };

    test_init(&p, state);
    (void)test_open(&p);
    recover(&p, 0, false);
    assert_true(journal_end(&p.w, &e));
    begin(&p, 0);
    assert_true(journal_end(&p.w, &e));
    recover(&p, 0, false);
    test_close(&p);
}

static void each_project_has_a_journal_of_its_own(void **state)
{
    struct test_project p, q;
    struct err e = { 0 };

    test_init(&p, state);
    (void)test_open(&p);
    begin(&p, 1);
    test_write(p.t, "p/pyproject.toml", files[0].new.p);
    test_init(&q, state);
    assert_true(file_make_dirs(q.t->fd, "q", 0777, &e));
    q.r.project = arena_printf(&q.a, "%s/q", q.t->path);
    (void)test_open(&q);
    recover(&q, 1, false);
    is_text(&p, "p/pyproject.toml", files[0].new.p);
    recover(&p, 1, true);
    is_text(&p, "p/pyproject.toml", "# old");
    test_close(&q);
    test_close(&p);
}

static void a_damaged_journal_changes_nothing_and_says_what_to_do(void **state)
{
    static const char *const texts[] = {
        "", "{", "{\"seq\":1,\"files\":[{\"name\":\"../x\",\"old\":\"a\",\"new\":\"b\"}]}",
        "{\"seq\":1,\"files\":[{\"old\":\"a\",\"new\":\"b\"}]}", "{\"seq\":\"x\",\"files\":[]}",
        "{\"seq\":1,\"files\":[{},{},{},{},{},{},{},{},{}]}",
    };

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct test_project p;
        struct err e = { 0 };
        AUTO_FD dir = -1;
        AUTO_FILE_LIST list = { NULL };
        const struct dirent *d;
        bool did;

        test_init(&p, state);
        (void)test_open(&p);
        begin(&p, 1);
        assert_true(fd_open_dir(p.t->fd, "home/state/projects", &dir, &e));
        assert_true(file_list_open(dir, ".", &list, &e) && file_list_next(&list, &d, &e));
        assert_true(file_replace(dir, d->d_name, str_of(texts[i]), 0600, FILE_NO_SYNC, &e));
        if (journal_recover(&p.w, 1, &did, &e))
            fail_msg("believed: %s", texts[i]);
        assert_int_equal(e.kind, ERR_ENVIRONMENT);
        assert_non_null(strstr(e.text, "settle the change that was interrupted"));
        assert_non_null(strstr(e.hint, "home/state/projects/"));
        is_text(&p, "p/pyproject.toml", "# old");
        err_clear(&e);
        assert_true(journal_end(&p.w, &e));
        test_close(&p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(a_crash_leaves_everything_old_or_everything_new),
        TEST_IN_DIR(edits_by_hand_in_between_are_kept),
        TEST_IN_DIR(a_file_that_was_removed_by_hand_stays_removed),
        TEST_IN_DIR(what_somebody_wrote_meanwhile_is_told_from_what_was_read),
        TEST_IN_DIR(undoing_puts_back_what_was_written),
        TEST_IN_DIR(without_a_journal_nothing_is_done),
        TEST_IN_DIR(each_project_has_a_journal_of_its_own),
        TEST_IN_DIR(a_damaged_journal_changes_nothing_and_says_what_to_do),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
