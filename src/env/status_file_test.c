#include "env/status_file.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"

struct place {
    char path[64];
    int dir;
    struct arena a;
};

static int set_up(void **state)
{
    static struct place p;
    struct err e = { 0 };

    p = (struct place){ .path = "/tmp/blast-status-XXXXXX", .dir = -1 };
    *state = &p;
    return mkdtemp(p.path) && fd_open_dir(AT_FDCWD, p.path, &p.dir, &e) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };

    fd_close(&p->dir);
    arena_clear(&p->a);
    return file_remove_tree(AT_FDCWD, p->path, &e) ? 0 : -1;
}

static void put(struct place *p, const char *text)
{
    struct err e = { 0 };

    assert_true(file_replace(p->dir, STATUS_FILE, str_of(text), 0644, FILE_NO_SYNC, &e));
}

static void is_one_line_of_words(void **state)
{
    struct place *p = *state;
    static const struct {
        struct status_file s;
        const char *line;
    } cases[] = {
        { { 1, STATUS_OK, STR_INIT("") }, "1 ok\n" },
        { { 12, STATUS_PINNED, STR_INIT("") }, "12 pinned\n" },
        { { 4294967295u, STATUS_SYNC, STR_INIT("") }, "4294967295 sync\n" },
        { { 3, STATUS_FAILED, STR_INIT("") }, "3 failed\n" },
        { { 3, STATUS_DECIDE, STR_INIT("1 decision: httpx needs anyio>=4.9 -> blast resolve") },
          "3 decide 1 decision: httpx needs anyio>=4.9 -> blast resolve\n" },
        { { 3, STATUS_OK, STR_INIT(" red \033[31m\nline\r\x7f ") }, "3 ok red  [31m line  \n" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct err e = { 0 };
        struct str text;

        assert_true(status_file_write(p->dir, &cases[i].s, &e));
        assert_true(fd_read_file(p->dir, STATUS_FILE, 1000, &p->a, &text, &e));
        assert_string_equal(text.p, cases[i].line);
    }
}

static void cuts_a_long_notice_before_a_whole_character(void **state)
{
    struct place *p = *state;
    char text[STATUS_NOTICE_MAX + 10];
    struct status_file s = { 1, STATUS_OK, { text, sizeof text } }, back;
    struct err e = { 0 };
    bool there;

    memset(text, 'x', sizeof text);
    memcpy(text + STATUS_NOTICE_MAX - 1, "\xc3\xa9", 2); /* the limit is within it */
    assert_true(status_file_write(p->dir, &s, &e));
    assert_true(status_file_read(p->dir, &p->a, &back, &there, &e));
    assert_true(there);
    assert_int_equal(back.notice.n, STATUS_NOTICE_MAX - 1);
}

static void is_read_as_it_was_written(void **state)
{
    struct place *p = *state;
    static const struct {
        const char *text;
        bool there;
        uint32_t seq;
        enum status_word word;
        const char *notice;
    } cases[] = {
        { "7 ok\n", true, 7, STATUS_OK, "" },
        { "7 ok", true, 7, STATUS_OK, "" },
        { "7 decide one  two \n", true, 7, STATUS_DECIDE, "one  two" },
        { "7 pinned \nmore\n", true, 7, STATUS_PINNED, "" },
        { "", false, 0, STATUS_OK, "" },
        { "\n", false, 0, STATUS_OK, "" },
        { "7\n", false, 0, STATUS_OK, "" },
        { "7 broken\n", false, 0, STATUS_OK, "" },
        { "-7 ok\n", false, 0, STATUS_OK, "" },
        { "4294967296 ok\n", false, 0, STATUS_OK, "" },
        { "ok 7\n", false, 0, STATUS_OK, "" },
    };

    for (size_t i = 0; i < COUNT(cases); i++) {
        struct status_file s;
        struct err e = { 0 };
        bool there;

        put(p, cases[i].text);
        assert_true(status_file_read(p->dir, &p->a, &s, &there, &e));
        if (there != cases[i].there || s.seq != cases[i].seq || s.word != cases[i].word ||
            !str_eq(s.notice, str_of(cases[i].notice)))
            fail_msg("'%s' became %d %u %s '" STR_FMT "'", cases[i].text, there, s.seq, status_word(s.word),
                     STR_ARG(s.notice));
    }
}

static void may_be_missing(void **state)
{
    struct place *p = *state;
    struct status_file s;
    struct err e = { 0 };
    bool there = true;

    assert_true(status_file_read(p->dir, &p->a, &s, &there, &e));
    assert_false(there);
}

static void says_for_whom_it_cannot_write(void **state)
{
    struct place *p = *state;
    struct status_file s = { 1, STATUS_OK, STR_INIT("") };
    struct err e = { 0 };

    assert_int_equal(mkdirat(p->dir, STATUS_FILE, 0777), 0); /* nothing can be renamed over a directory */
    assert_false(status_file_write(p->dir, &s, &e));
    assert_int_equal(e.kind, ERR_ENVIRONMENT);
    assert_non_null(strstr(e.text, "tell the prompt the state of the environment"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(is_one_line_of_words, set_up, tear_down),
        cmocka_unit_test_setup_teardown(cuts_a_long_notice_before_a_whole_character, set_up, tear_down),
        cmocka_unit_test_setup_teardown(is_read_as_it_was_written, set_up, tear_down),
        cmocka_unit_test_setup_teardown(may_be_missing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(says_for_whom_it_cannot_write, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
