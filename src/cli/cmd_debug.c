/* blast debug: plumbing for tests (see debug.h). */
#include <stdio.h>
#include <stdlib.h>
#include <fcntl.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/cli.h"
#include "cli/debug.h"
#include "cli/debug_resolve.h"
#include "cli/debug_toml.h"
#include "cli/ui.h"
#include "codec/json.h"
#include "codec/json_write.h"

#define INPUT_MAX ((size_t)256 << 20)
#define ANSWER_MAX ((size_t)64 << 20)
#define WORDS_MAX 4096

struct verb {
    const char *name;
    bool (*run)(struct debug_call *c, struct err *e);
};

static const struct verb verbs[] = {
#define DEBUG_VERB(word, function) { word, function },
#include "cli/debug.def"
#undef DEBUG_VERB
};

static const struct verb *find_verb(struct str name)
{
    for (size_t i = 0; i < COUNT(verbs); i++)
        if (str_eq(name, str_of(verbs[i].name)))
            return &verbs[i];
    return NULL;
}

static bool answer(const struct verb *v, const struct str *word, size_t n, struct arena *a, struct err *e)
{
    AUTO_BUF out;
    struct debug_call call = { .word = word, .n = n, .a = a, .out = &out };

    buf_init(&out, ANSWER_MAX);
    if (!v->run(&call, e))
        return false;
    ui_out(STR_FMT "\n", STR_ARG(buf_done(&out)));
    return true;
}

/* One line: a JSON array of words. */
static bool batch_line(const struct verb *v, struct str line, struct err *e)
{
    AUTO_ARENA a = { 0 };
    struct str *word = ARENA_ARRAY(&a, struct str, WORDS_MAX);
    size_t n = 0;
    struct json j;

    json_init(&j, line, &a, e);
    if (json_array_begin(&j)) {
        while (json_array_next(&j)) {
            if (n == WORDS_MAX)
                return json_fail(&j, "more than %d words", WORDS_MAX);
            (void)json_string(&j, &word[n++]);
        }
    }
    return json_end(&j) && answer(v, word, n, &a, e);
}

static bool batch(const struct verb *v, struct err *e)
{
    char *line = NULL;
    size_t cap = 0;
    ssize_t n;
    bool ok = true;

    while (ok && (n = getline(&line, &cap, stdin)) > 0) {
        struct str text = str_trim((struct str){ line, (size_t)n });

        ok = text.n == 0 || batch_line(v, text, e);
    }
    free(line);
    return ok;
}

static bool read_stdin(struct arena *a, struct str *out, struct err *e)
{
    AUTO_BUF b;

    buf_init(&b, INPUT_MAX);
    if (!fd_read_all(STDIN_FILENO, &b, "standard input", e))
        return false;
    *out = arena_str(a, buf_done(&b));
    return true;
}

/* Verbs that take a text and give one. */
static bool text_verb(struct cmd *c, struct str name, bool *known, struct err *e)
{
    AUTO_BUF out;
    struct str in;
    bool toml = str_eq(name, STR("toml")), json = str_eq(name, STR("json"));
    bool ok;

    buf_init(&out, INPUT_MAX);
    *known = true;
    if (str_eq(name, STR("resolve"))) {
        if (c->options.words.n != 2)
            return err_set(e, ERR_CONFIG, "debug resolve takes one FILE");
        ok = fd_read_file(AT_FDCWD, arena_cstr(c->a, c->options.words.p[1]), INPUT_MAX, c->a, &in, e) &&
             debug_resolve(in, &out, e);
    } else if (toml || json) {
        if (!read_stdin(c->a, &in, e))
            return false;
        ok = toml ? debug_toml(in, &out, e) : json_write_minified(in, &out, e);
        if (!ok)
            return err_exit(e, 1);
    } else {
        *known = false;
        return false;
    }
    if (ok)
        ui_out(STR_FMT "%s", STR_ARG(buf_done(&out)), out.n && out.p[out.n - 1] == '\n' ? "" : "\n");
    return ok;
}

bool cmd_debug(struct cmd *c, struct err *e)
{
    size_t n = c->options.words.n;
    const struct str *word = c->options.words.p;
    bool known;

    if (n == 0)
        return err_set(e, ERR_CONFIG, "debug wants a VERB");
    const struct verb *v = find_verb(word[0]);

    if (v && n == 2 && str_eq(word[1], STR("--batch")))
        return batch(v, e);
    if (v)
        return answer(v, word + 1, n - 1, c->a, e);
    bool ok = text_verb(c, word[0], &known, e);

    if (!known)
        return err_set(e, ERR_CONFIG, "unknown verb '" STR_FMT "'", STR_ARG(word[0]));
    return ok;
}
