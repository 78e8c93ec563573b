#include "base/test_dir.h"

#include "base/str.h"
#include "daemon/record.h"
#include "daemon/seen.h"

static void what_was_seen_is_remembered(void **state)
{
    const struct test_dir *t = *state;
    struct seen_list l = { 0 }, m = { 0 };
    struct err e = { 0 };
    bool damaged;
    struct seen *s = seen_get(&l, "/a \"b\"", 10);

    *s = (struct seen){ s->path, .inputs = UINT64_MAX, .env = UINT64_MAX - 1, .site = 2, .sync = 3, .check = 4,
                        .snapshot = 5, .change = 6, .used = 7 };
    (void)seen_get(&l, "/c", 8);
    assert_ptr_equal(seen_get(&l, "/c", 9), seen_get(&l, "/c", 9));
    assert_true(seen_save(&l, t->fd, "seen", &e));
    assert_true(seen_load(&m, t->fd, "seen", &damaged, &e));
    assert_false(damaged);
    assert_int_equal(m.all.n, 2);
    s = seen_get(&m, "/a \"b\"", 7);
    assert_true(s->inputs == UINT64_MAX && s->env == UINT64_MAX - 1 && s->site == 2 && s->sync == 3 && s->check == 4 &&
                s->snapshot == 5 && s->change == 6);
    assert_int_equal(m.all.n, 2);
    seen_clear(&l);
    seen_clear(&m);
}

static void what_was_used_longest_ago_is_forgotten(void **state)
{
    const struct test_dir *t = *state;
    struct seen_list l = { 0 }, m = { 0 };
    struct err e = { 0 };
    bool damaged;
    char path[32];

    for (int i = 0; i < SEEN_MAX + 10; i++) {
        (void)snprintf(path, sizeof path, "/p%d", i);
        (void)seen_get(&l, path, 1000 + i);
    }
    assert_true(seen_save(&l, t->fd, "seen", &e));
    assert_true(seen_load(&m, t->fd, "seen", &damaged, &e));
    assert_false(damaged);
    assert_int_equal(m.all.n, SEEN_MAX);
    assert_false(m.changed);
    (void)seen_get(&m, "/p10", 1); /* the oldest that was kept */
    assert_false(m.changed);
    (void)seen_get(&m, "/p9", 1);
    assert_true(m.changed);
    seen_clear(&l);
    seen_clear(&m);
}

static void damage_means_to_look_once_more(void **state)
{
    static const char *const texts[] = { "{}", "[1]", "[{\"path\":1}]", "[{\"path\":\"/a\"},", "" };
    const struct test_dir *t = *state;
    struct err e = { 0 };

    for (size_t i = 0; i < COUNT(texts); i++) {
        struct seen_list l = { 0 };
        bool damaged;

        assert_true(record_save(&(struct record){ t->fd, "seen", "blast-seen-1" }, str_of(texts[i]), &e));
        if (!seen_load(&l, t->fd, "seen", &damaged, &e) || l.all.n > 1)
            fail_msg("case %zu: %zu projects", i, l.all.n);
        assert_true(damaged);
        seen_clear(&l);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(what_was_seen_is_remembered),
        TEST_IN_DIR(what_was_used_longest_ago_is_forgotten),
        TEST_IN_DIR(damage_means_to_look_once_more),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
