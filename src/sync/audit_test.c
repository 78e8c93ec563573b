#include "sync/audit.h"

#include <sys/stat.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/buf.h"
#include "base/test_dir.h"
#include "config/dirs.h"
#include "sync/audit_file.h"

static struct dirs dirs_of(const struct test_dir *t)
{
    return (struct dirs){ .home = t->path, .state = t->path, .cache = t->path, .store = t->path, .config = t->path };
}

static void append(const struct test_dir *t, enum audit_event event, struct str data)
{
    struct dirs d = dirs_of(t);
    struct audit_entry entry = { .event = event, .env = STR("/p/.venv"), .gen = 3, .data = data };
    struct err e = { 0 };

    if (!audit_append(&d, &entry, &e))
        fail_msg("%s", e.text);
}

static struct audit_verdict verify(const struct test_dir *t, struct arena *a)
{
    struct dirs d = dirs_of(t);
    struct audit_verdict v;
    struct err e = { 0 };

    if (!audit_verify(&d, NULL, a, &v, &e))
        fail_msg("%s", e.text);
    return v;
}

static struct str load(const struct test_dir *t, const char *name, struct arena *a)
{
    struct str text;
    struct err e = { 0 };

    if (!fd_read_file(t->fd, name, 64u << 20, a, &text, &e))
        fail_msg("%s", e.text);
    return text;
}

static void store(const struct test_dir *t, const char *name, struct str text)
{
    struct err e = { 0 };
    AUTO_FD fd = -1;

    if (!fd_open(t->fd, name, O_WRONLY | O_TRUNC, 0, &fd, &e) || !fd_write_all(fd, text.p, text.n, name, &e))
        fail_msg("%s", e.text);
}

/* {"x":"yyyy"} of n bytes. */
static struct str big_data(struct arena *a, size_t n)
{
    char *p = arena_alloc(a, n);

    memset(p, 'y', n);
    memcpy(p, "{\"x\":\"", 6);
    memcpy(p + n - 2, "\"}", 2);
    return (struct str){ p, n };
}

struct collected {
    struct arena *a;
    struct audit_line line[64];
    size_t n;
};

static bool collect(void *ctx, const struct audit_line *l)
{
    struct collected *c = ctx;
    struct audit_line *to = &c->line[c->n++];

    *to = *l;
    to->text = arena_str(c->a, l->text);
    to->event = arena_str(c->a, l->event);
    to->data = arena_str(c->a, l->data);
    to->actor = arena_str(c->a, l->actor);
    to->env = arena_str(c->a, l->env);
    return c->n < COUNT(c->line);
}

static void read_all(const struct test_dir *t, struct arena *a, struct collected *out)
{
    struct dirs d = dirs_of(t);
    struct err e = { 0 };

    *out = (struct collected){ .a = a };
    if (!audit_each(&d, collect, out, &e))
        fail_msg("%s", e.text);
}

static void entries_come_back_in_order_and_form_a_chain(void **state)
{
    AUTO_ARENA a = { 0 };
    struct collected c;

    arena_init(&a);
    append(*state, AUDIT_CREATED, STR(""));
    append(*state, AUDIT_GENERATION, STR("{\"command\":\"install \\u001b[31mx\"}"));
    append(*state, AUDIT_DENIED, STR(""));
    read_all(*state, &a, &c);
    assert_int_equal(c.n, 3);
    for (size_t i = 0; i < c.n; i++) {
        assert_int_equal(c.line[i].seq, i + 1);
        assert_true(str_eq(c.line[i].env, STR("/p/.venv")));
        assert_true(str_eq(c.line[i].actor, STR("cli")));
        assert_int_equal(c.line[i].gen, 3);
        assert_int_equal(c.line[i].uid, geteuid());
    }
    assert_true(str_eq(c.line[1].event, STR("generation")));
    assert_true(str_eq(c.line[1].data, STR("{\"command\":\"install \\u001b[31mx\"}")));
    assert_true(str_eq(c.line[0].data, STR("{}")));
    struct audit_verdict v = verify(*state, &a);

    assert_true(v.whole);
    assert_int_equal(v.lines, 3);
    assert_int_equal(v.checkpoint, 3);
}

static void an_empty_log_is_whole(void **state)
{
    AUTO_ARENA a = { 0 };

    arena_init(&a);
    struct audit_verdict v = verify(*state, &a);

    assert_true(v.whole);
    assert_int_equal(v.lines, 0);
}

static void every_changed_byte_is_found_and_named(void **state)
{
    AUTO_ARENA a = { 0 };
    static const char put[] = { 'x', '"', '\n', '0', '\0', ' ' };

    arena_init(&a);
    for (unsigned i = 0; i < 4; i++)
        append(*state, AUDIT_GENERATION, STR("{\"command\":\"sync\"}"));
    struct str text = load(*state, "audit/log.jsonl", &a);
    char *changed = arena_cstr(&a, text);
    uint64_t line = 1;

    for (size_t i = 0; i < text.n; i++) {
        for (size_t k = 0; k < sizeof put; k++) {
            if (text.p[i] == put[k])
                continue;
            AUTO_ARENA b = { 0 };

            arena_init(&b);
            changed[i] = put[k];
            store(*state, "audit/log.jsonl", (struct str){ changed, text.n });
            struct audit_verdict v = verify(*state, &b);

            if (v.whole || v.bad != line)
                fail_msg("byte %zu of line %llu made 0x%02x: whole %d, bad %llu", i, (unsigned long long)line, put[k],
                         v.whole, (unsigned long long)v.bad);
            changed[i] = text.p[i];
        }
        line += text.p[i] == '\n';
    }
}

static void lines_taken_out_doubled_or_exchanged_are_found(void **state)
{
    AUTO_ARENA a = { 0 };
    struct str line[4], rest;
    static const struct {
        int order[4];
        uint64_t bad;
    } cases[] = {
        { { 1, 2, 3, -1 }, 1 }, { { 0, 2, 3, -1 }, 2 }, { { 0, 1, 3, -1 }, 3 }, { { 0, 2, 1, 3 }, 2 },
        { { 0, 0, 1, 2 }, 2 },  { { 0, 1, 2, -1 }, 4 },
    };

    arena_init(&a);
    for (unsigned i = 0; i < 4; i++)
        append(*state, AUDIT_GENERATION, STR(""));
    rest = load(*state, "audit/log.jsonl", &a);
    for (unsigned i = 0; i < 4; i++)
        assert_true(str_next(&rest, '\n', &line[i]));
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct str text = STR("");

        for (unsigned k = 0; k < 4 && cases[i].order[k] >= 0; k++)
            text = arena_printf(&a, STR_FMT STR_FMT "\n", STR_ARG(text), STR_ARG(line[cases[i].order[k]]));
        store(*state, "audit/log.jsonl", text);
        struct audit_verdict v = verify(*state, &a);

        assert_false(v.whole);
        assert_int_equal(v.bad, cases[i].bad);
    }
    struct audit_verdict v = verify(*state, &a);

    assert_true(v.truncated); /* the last case: only the checkpoint knows of line 4 */
    assert_non_null(strstr(v.why.p, "knows line 4"));
}

/* Somebody who knows the rules: the line and all behind it are hashed anew. The checkpoint tells. */
static void a_log_written_anew_does_not_fit_an_outside_checkpoint(void **state)
{
    AUTO_ARENA a = { 0 };
    struct dirs d = dirs_of(*state);
    struct audit_checkpoint kept = { .seq = 2 };
    struct audit_verdict v;
    struct err e = { 0 };

    arena_init(&a);
    append(*state, AUDIT_TRUSTED, STR(""));
    append(*state, AUDIT_DENIED, STR(""));
    v = verify(*state, &a);
    assert_int_equal(v.head.n, HASH_HEX256);
    memcpy(kept.hash, v.head.p, HASH_HEX256);
    append(*state, AUDIT_DENIED, STR(""));
    assert_true(audit_verify(&d, &kept, &a, &v, &e));
    assert_true(v.whole);
    assert_int_equal(v.checkpoint, 2);
    struct err ignored = { 0 };

    assert_true(file_remove_tree(((struct test_dir *)*state)->fd, "audit", &ignored));
    for (unsigned i = 0; i < 3; i++)
        append(*state, AUDIT_GENERATION, STR(""));
    assert_true(verify(*state, &a).whole); /* by itself it is a log like any other */
    assert_true(audit_verify(&d, &kept, &a, &v, &e));
    assert_false(v.whole);
    assert_int_equal(v.bad, 2);
}

static void a_torn_last_line_is_removed_and_recorded(void **state)
{
    AUTO_ARENA a = { 0 };
    struct collected c;

    arena_init(&a);
    append(*state, AUDIT_GENERATION, STR(""));
    append(*state, AUDIT_GENERATION, STR(""));
    struct str text = load(*state, "audit/log.jsonl", &a);

    for (size_t cut = 1; cut < 40; cut += 13) {
        store(*state, "audit/log.jsonl", str_sub(text, 0, text.n - cut));
        struct audit_verdict v = verify(*state, &a);

        assert_true(v.torn);
        assert_int_equal(v.bad, 2);
    }
    append(*state, AUDIT_DENIED, STR(""));
    read_all(*state, &a, &c);
    assert_int_equal(c.n, 3);
    assert_true(str_eq(c.line[1].event, STR("healed")));
    assert_non_null(strstr(c.line[1].data.p, "torn_bytes"));
    assert_true(str_eq(c.line[2].event, STR("denied")));
    assert_true(verify(*state, &a).whole);
}

static void rotation_carries_the_chain_and_keeps_the_size_bounded(void **state)
{
    const struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };
    struct str data = big_data(&a, 60000);
    size_t lines = AUDIT_FILE_MAX / 60000 * (AUDIT_FILES + 1);
    struct stat st;

    for (size_t i = 0; i < lines; i++)
        append(t, AUDIT_GENERATION, data);
    struct audit_verdict v = verify(t, &a);

    if (!v.whole)
        fail_msg("line %llu: %s", (unsigned long long)v.bad, v.why.p);
    assert_true(v.first > 1);
    assert_int_equal(v.last - v.first + 1, v.lines);
    for (unsigned i = 0; i < AUDIT_FILES; i++) {
        char name[AUDIT_NAME + 8];

        memcpy(name, "audit/", 7);
        audit_file_name(i, name + 6);
        assert_int_equal(fstatat(t->fd, name, &st, 0), 0);
        assert_true((size_t)st.st_size <= AUDIT_FILE_MAX);
    }
    assert_int_not_equal(fstatat(t->fd, "audit/log.4.jsonl", &st, 0), 0);
    assert_int_equal(unlinkat(t->fd, "audit/log.2.jsonl", 0), 0);
    assert_false(verify(t, &a).whole);
}

/* A crash between the renames and the first line of the new file. */
static void a_new_file_without_its_first_line_goes_on_with_the_chain(void **state)
{
    const struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };

    arena_init(&a);
    append(t, AUDIT_GENERATION, STR(""));
    append(t, AUDIT_GENERATION, STR(""));
    assert_int_equal(renameat(t->fd, "audit/log.jsonl", t->fd, "audit/log.1.jsonl"), 0);
    append(t, AUDIT_GENERATION, STR(""));
    struct audit_verdict v = verify(t, &a);

    assert_true(v.whole);
    assert_int_equal(v.last, 3);
}

/* More than is read at first, and less than the most. */
static void long_lines_whole_or_torn_are_found(void **state)
{
    AUTO_ARENA a = { 0 };
    struct collected c;

    arena_init(&a);
    append(*state, AUDIT_GENERATION, STR(""));
    append(*state, AUDIT_GENERATION, big_data(&a, 20000));
    append(*state, AUDIT_DENIED, STR("")); /* behind it */
    assert_true(verify(*state, &a).whole);
    append(*state, AUDIT_GENERATION, big_data(&a, 30000));
    struct str text = load(*state, "audit/log.jsonl", &a);

    store(*state, "audit/log.jsonl", str_sub(text, 0, text.n - 100));
    append(*state, AUDIT_DENIED, STR(""));
    read_all(*state, &a, &c);
    assert_int_equal(c.n, 5);
    assert_int_equal(c.line[3].seq, 4);
    assert_true(str_eq(c.line[3].event, STR("healed")));
    assert_true(verify(*state, &a).whole);
}

static void a_deleted_log_does_not_begin_from_one(void **state)
{
    const struct test_dir *t = *state;
    AUTO_ARENA a = { 0 };

    arena_init(&a);
    append(t, AUDIT_GENERATION, STR(""));
    append(t, AUDIT_GENERATION, STR(""));
    assert_int_equal(unlinkat(t->fd, "audit/log.jsonl", 0), 0);
    append(t, AUDIT_GENERATION, STR(""));
    struct audit_verdict v = verify(t, &a);

    assert_false(v.whole);
    assert_non_null(strstr(v.why.p, "is gone"));
}

static void data_that_is_too_long_is_left_out_and_said(void **state)
{
    AUTO_ARENA a = { 0 };
    struct collected c;

    append(*state, AUDIT_GENERATION, big_data(&a, AUDIT_LINE_MAX));
    read_all(*state, &a, &c);
    assert_int_equal(c.n, 1);
    assert_non_null(strstr(c.line[0].data.p, "left_out_bytes"));
    assert_true(verify(*state, &a).whole);
}

static void secrets_of_urls_are_left_out(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        { "x @ https://user:pw@host.example/a/x.whl?token=1 y", "x @ https://host.example/a/x.whl y" },
        { "https://tok@h/p@q/x", "https://h/p@q/x" },
        { "two http://a:b@c, https://d/e?f=g", "two http://c, https://d/e" },
        { "no url: a@b?c", "no url: a@b?c" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_ARENA a = { 0 };

        arena_init(&a);
        struct str want = arena_printf(&a, "{\"k\":\"%s\"}", cases[i].want);

        assert_string_equal(audit_data(&a, "k", cases[i].text, (char *)NULL).p, want.p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(entries_come_back_in_order_and_form_a_chain),
        TEST_IN_DIR(an_empty_log_is_whole),
        TEST_IN_DIR(every_changed_byte_is_found_and_named),
        TEST_IN_DIR(lines_taken_out_doubled_or_exchanged_are_found),
        TEST_IN_DIR(a_log_written_anew_does_not_fit_an_outside_checkpoint),
        TEST_IN_DIR(a_torn_last_line_is_removed_and_recorded),
        TEST_IN_DIR(long_lines_whole_or_torn_are_found),
        TEST_IN_DIR(rotation_carries_the_chain_and_keeps_the_size_bounded),
        TEST_IN_DIR(a_new_file_without_its_first_line_goes_on_with_the_chain),
        TEST_IN_DIR(a_deleted_log_does_not_begin_from_one),
        TEST_IN_DIR(data_that_is_too_long_is_left_out_and_said),
        cmocka_unit_test(secrets_of_urls_are_left_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
