/* blast explain: what a kind of error means, and what to do. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"

static const struct {
    enum err_kind kind;
    const char *text;
} texts[] = {
    { ERR_IO, "A file could not be read or written, or a system call refused. The last line of the message names the\n"
              "call and the file. Look at permissions, free space (df) and limits (ulimit -n)." },
    { ERR_PYTHON, "No interpreter fits, or the one found does not work. blast python list shows what is here and what\n"
                  "was skipped and why. Ask for another one with --python, .python-version or [env] python_version." },
    { ERR_PACKAGE, "A package or a page about it breaks the rules: a name that does not parse, a wrong hash, an\n"
                   "archive that cannot be trusted. Nothing of it was installed. A wrong hash ends with exit code 5." },
    { ERR_ENVIRONMENT, "The environment is missing, damaged, or made by something else. blast doctor looks closer;\n"
                       "blast start makes it right; blast kill --purge and blast start make it anew." },
    { ERR_CACHE, "The cache or the store is damaged or cannot be used. blast cache verify finds what is wrong, blast\n"
                 "cache clear starts over; nothing in it is needed for good." },
    { ERR_RESOLUTION, "No set of versions fits all requirements. The message names the requirements that exclude each\n"
                      "other, yours with file and line. Loosen one of them, or take the package out." },
    { ERR_CONFIG, "blast.toml, pyproject.toml, a requirements file or the command line says something that is not\n"
                  "understood. The message has file, line and column. Exit code 2." },
    { ERR_NETWORK, "The index or a file host could not be reached, or its answer was refused. The message names the\n"
                   "host and what happened; what is in the cache still works with --offline. Exit code 6." },
    { ERR_DAEMON, "The daemon could not be started, reached or asked. Every command works without it: --no-daemon." },
};

static void print_json(struct str word)
{
    struct json_result r;

    json_result_begin(&r, "blast.explain/1");
    json_write_key(&r.w, STR("kinds"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *name = err_word(texts[i].kind);

        if (word.n && !str_eq(word, str_of(name)))
            continue;
        json_write_object_begin(&r.w);
        json_write_member_cstr(&r.w, "kind", name);
        json_write_member_cstr(&r.w, "text", texts[i].text);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

static bool is_kind(struct str word)
{
    for (size_t i = 0; i < COUNT(texts); i++)
        if (str_eq(word, str_of(err_word(texts[i].kind))))
            return true;
    return word.n == 0;
}

bool cmd_explain(struct cmd *c, struct err *e)
{
    struct str word = c->options.words.n ? c->options.words.p[0] : STR("");

    if (!is_kind(word)) {
        (void)err_set(e, ERR_CONFIG, "there is no kind of error '" STR_FMT "'", STR_ARG(word));
        return err_hint(e, "blast explain lists them");
    }
    if (ui.json) {
        print_json(word);
        return true;
    }

    for (size_t i = 0; i < COUNT(texts); i++) {
        const char *name = err_word(texts[i].kind);

        if (word.n && !str_eq(word, str_of(name)))
            continue;
        ui_out("%s%s%s\n%s\n%s", ui_on(stdout, UI_BOLD), name, ui_on(stdout, UI_PLAIN), texts[i].text,
               word.n ? "" : "\n");
    }
    return true;
}
