#include "env/shell_init.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/err.h"
#include "base/proc.h"
#include "env/activate.h"

#define TEXT_MAX ((size_t)1 << 20)

static void says_one_word_with_every_value_quoted(void **state)
{
    static const struct {
        enum shell_kind shell;
        struct shell_enter enter;
        const char *text;
    } cases[] = {
        { SHELL_BASH, { STR_INIT("/p/.venv"), STR_INIT("/p"), STR_INIT("app"), false, false },
          "_blast_enter '/p/.venv' '/p' 'app'\n" },
        { SHELL_ZSH, { STR_INIT("/it's"), STR_INIT(""), STR_INIT("$(id)"), true, false },
          "_blast_enter '/it'\\''s' '' '$(id)' stack\n" },
        { SHELL_SH, { STR_INIT("/a\nb"), STR_INIT("/a"), STR_INIT("one\ntwo\033[31m\x7f"), false, true },
          "_blast_enter '/a\nb' '/a' 'one?two?[31m?' alone shims\n" },
        { SHELL_FISH, { STR_INIT("/it's"), STR_INIT("/a\\b"), STR_INIT("$x"), true, true },
          "_blast_enter '/it\\'s' '/a\\\\b' '$x' stack shims\n" },
        { SHELL_PWSH, { STR_INIT("/it's"), STR_INIT("/\xe2\x80\x99$x"), STR_INIT("`n"), false, false },
          "_blast_enter '/it''s' '/\xe2\x80\x99\xe2\x80\x99$x' '`n'\n" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        AUTO_BUF b = { .limit = TEXT_MAX };

        assert_true(shell_enter_text(cases[i].shell, &cases[i].enter, &b));
        assert_string_equal(buf_done(&b).p, cases[i].text);
        buf_reset(&b);
        assert_true(shell_leave_text(cases[i].shell, &b));
        assert_string_equal(buf_done(&b).p, "_blast_leave\n");
    }
}

static void knows_shells_by_their_names(void **state)
{
    static const struct {
        const char *name;
        bool known;
        enum shell_kind kind;
    } cases[] = {
        { "bash", true, SHELL_BASH }, { "zsh", true, SHELL_ZSH },   { "fish", true, SHELL_FISH },
        { "sh", true, SHELL_SH },     { "dash", true, SHELL_SH },   { "pwsh", true, SHELL_PWSH },
        { "tcsh", false, 0 },         { "", false, 0 },             { "BASH", false, 0 },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        enum shell_kind kind = SHELL_BASH;

        if (shell_find(str_of(cases[i].name), &kind) != cases[i].known || (cases[i].known && kind != cases[i].kind))
            fail_msg("'%s'", cases[i].name);
    }
}

static void gives_each_shell_what_the_directives_call(void **state)
{
    (void)state;
    for (int i = SHELL_BASH; i <= SHELL_PWSH; i++) {
        AUTO_BUF plain = { .limit = TEXT_MAX };
        AUTO_BUF by_cd = { .limit = TEXT_MAX };

        assert_true(shell_init_text((enum shell_kind)i, false, &plain));
        assert_true(shell_init_text((enum shell_kind)i, true, &by_cd));
        if (str_search(buf_done(&plain), STR("_blast_enter")) == plain.n ||
            str_search(buf_done(&plain), STR("_blast_leave")) == plain.n)
            fail_msg("shell %d does not know the words that are sent to it", i);
        assert_true(str_starts(buf_done(&by_cd), buf_done(&plain))); /* --auto only switches on */
    }
}

/* Words of every byte but NUL, alone and in bad company, as one line for the shell. */
static void add_words(enum activate_shell shell, struct buf *line, struct buf *wanted)
{
    static const struct {
        const char *before, *after;
    } company[] = {
        { "", "" },  { "'", "" }, { "", "'" },   { "\\", "" }, { "", "\\" },       { "\"", "\"" }, { "$", "" },
        { "`", "" }, { "!", "" }, { "", "\n" }, { "-", "" },  { "\xc3\xa9", "" }, { "{", "}" },
    };

    for (unsigned byte = 1; byte < 256; byte++) {
        if (shell == ACTIVATE_PWSH && byte >= 0x80)
            continue; /* it holds text, not bytes */
        for (size_t i = 0; i < COUNT(company); i++) {
            char word[16];

            (void)snprintf(word, sizeof word, "%s%c%s", company[i].before, (char)byte, company[i].after);
            assert_true(buf_char(line, ' ') && activate_quote(shell, str_of(word), line));
            assert_true(buf_char(wanted, '<') && buf_str(wanted, str_of(word)) && buf_char(wanted, '>'));
        }
    }
}

struct reader {
    const char *program;
    enum activate_shell shell;
};

static void reads_back_every_byte(void **state)
{
    const struct reader *r = *state;
    const char *argv[] = { r->program, "-c", NULL, NULL };
    const char *env[] = { "LC_ALL=C.UTF-8", "HOME=/nonexistent", "PATH=/usr/bin:/bin", NULL };
    AUTO_BUF line = { .limit = TEXT_MAX };
    AUTO_BUF wanted = { .limit = TEXT_MAX };
    AUTO_BUF out = { .limit = TEXT_MAX };
    struct err e = { 0 };
    int status;

    if (access(r->program, X_OK) < 0) {
        print_message("SKIP %s is not installed\n", r->program);
        skip();
    }
    assert_true(buf_str(&line, STR("printf '<%s>'")));
    add_words(r->shell, &line, &wanted);
    argv[2] = buf_done(&line).p;
    assert_true(proc_run(&(struct proc_spec){ .argv = argv, .env = env, .out = &out }, &status, &e));
    if (str_eq(buf_done(&out), buf_done(&wanted)))
        return;
    size_t at = 0;

    while (at < MIN(out.n, wanted.n) && out.p[at] == wanted.p[at])
        at++;
    fail_msg("%s read %zu bytes of %zu; from byte %zu: '%.20s', wanted '%.20s'", r->program, out.n, wanted.n, at,
             out.p + at, wanted.p + at);
}

int main(void)
{
    static struct reader readers[] = { { "/usr/bin/bash", ACTIVATE_POSIX }, { "/usr/bin/dash", ACTIVATE_POSIX },
                                       { "/usr/bin/zsh", ACTIVATE_POSIX },  { "/usr/bin/fish", ACTIVATE_FISH },
                                       { "/usr/bin/pwsh", ACTIVATE_PWSH } };
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(says_one_word_with_every_value_quoted),
        cmocka_unit_test(knows_shells_by_their_names),
        cmocka_unit_test(gives_each_shell_what_the_directives_call),
        { "bash_reads_back_every_byte", reads_back_every_byte, NULL, NULL, &readers[0] },
        { "dash_reads_back_every_byte", reads_back_every_byte, NULL, NULL, &readers[1] },
        { "zsh_reads_back_every_byte", reads_back_every_byte, NULL, NULL, &readers[2] },
        { "fish_reads_back_every_byte", reads_back_every_byte, NULL, NULL, &readers[3] },
        { "pwsh_reads_back_every_byte", reads_back_every_byte, NULL, NULL, &readers[4] },
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
