#include "cli/pip_words.h"

#include "base/err.h"
#include "cli/cli.h"
#include "cli/ui.h"

#define WAY_OUT "the real pip does it: blast pip --real ..., a change by hand that blast drift shows"

#define OUTSIDE "it installs outside the environment: blast venv DIR, then blast install --env DIR"
#define VERIFIED "packages come from verified copies; blast doctor finds damage"

enum act {
    PASS,    /* `id` is an option of Blast */
    OWN,     /* `id` is one of enum pip_own */
    NOTHING, /* has no effect here */
    REFUSE   /* `why` says the reason */
};

struct row {
    const char *name;
    char letter;
    bool value;
    unsigned where;
    enum act act;
    int id;
    const char *why;
};

#define RESOLVING (PIP_INSTALL | PIP_DOWNLOAD)
#define LISTING (PIP_LIST | PIP_FREEZE)

static const struct row rows[] = {
    { "requirement", 'r', true, RESOLVING | PIP_UNINSTALL, PASS, OPT_REQUIREMENT, NULL },
    { "constraint", 'c', true, RESOLVING, PASS, OPT_CONSTRAINT, NULL },
    { "index-url", 'i', true, RESOLVING | PIP_LIST, PASS, OPT_INDEX_URL, NULL },
    { "pypi-url", 0, true, RESOLVING | PIP_LIST, PASS, OPT_INDEX_URL, NULL },
    { "extra-index-url", 0, true, RESOLVING | PIP_LIST, PASS, OPT_EXTRA_INDEX_URL, NULL },
    { "find-links", 'f', true, RESOLVING | PIP_LIST, PASS, OPT_FIND_LINKS, NULL },
    { "no-index", 0, false, RESOLVING | PIP_LIST, PASS, OPT_NO_INDEX, NULL },
    { "no-deps", 0, false, RESOLVING, PASS, OPT_NO_DEPS, NULL },
    { "no-binary", 0, true, RESOLVING, PASS, OPT_NO_BINARY, NULL },
    { "require-hashes", 0, false, RESOLVING, PASS, OPT_REQUIRE_HASHES, NULL },
    { "pre", 0, false, RESOLVING | PIP_LIST, PASS, OPT_PRERELEASE, "allow" },
    { "upgrade", 'U', false, PIP_INSTALL, PASS, OPT_UPGRADE, NULL },
    { "dry-run", 0, false, PIP_INSTALL, PASS, OPT_DRY_RUN, NULL },
    { "yes", 'y', false, PIP_UNINSTALL, OWN, PIP_YES, NULL },
    { "format", 0, true, PIP_LIST, OWN, PIP_FORMAT, NULL },
    { "outdated", 'o', false, PIP_LIST, OWN, PIP_OUTDATED, NULL },
    { "editable", 'e', false, PIP_LIST, OWN, PIP_EDITABLES, NULL },
    { "files", 'f', false, PIP_SHOW, OWN, PIP_FILES, NULL },
    { "dest", 'd', true, PIP_DOWNLOAD, OWN, PIP_DEST, NULL },
    { "exclude", 0, true, LISTING, OWN, PIP_EXCLUDE, NULL },
    { "all", 0, false, PIP_FREEZE, OWN, PIP_ALL, NULL },
    { "local", 'l', false, LISTING, NOTHING, 0, NULL },
    { "verbose", 'v', false, PIP_EVERY, PASS, OPT_VERBOSE, NULL },
    { "quiet", 'q', false, PIP_EVERY, PASS, OPT_QUIET, NULL },
    { "help", 'h', false, PIP_EVERY, NOTHING, 0, NULL },
    { "no-input", 0, false, PIP_EVERY, PASS, OPT_NO_INPUT, NULL },
    { "no-color", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "no-cache-dir", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "cache-dir", 0, true, PIP_EVERY, NOTHING, 0, NULL },
    { "disable-pip-version-check", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "no-python-version-warning", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "no-warn-script-location", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "no-warn-conflicts", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "root-user-action", 0, true, PIP_EVERY, NOTHING, 0, NULL },
    { "break-system-packages", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "require-virtualenv", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "isolated", 0, false, PIP_EVERY, NOTHING, 0, NULL },
    { "progress-bar", 0, true, PIP_EVERY, NOTHING, 0, NULL },
    { "retries", 0, true, PIP_EVERY, NOTHING, 0, NULL },
    { "timeout", 0, true, PIP_EVERY, NOTHING, 0, NULL },
    { "exists-action", 0, true, PIP_EVERY, NOTHING, 0, NULL },
    { "use-feature", 0, true, PIP_EVERY, NOTHING, 0, NULL },
    { "prefer-binary", 0, false, RESOLVING, NOTHING, 0, NULL },
    { "only-binary", 0, true, RESOLVING, NOTHING, 0, NULL },
    { "upgrade-strategy", 0, true, PIP_INSTALL, NOTHING, 0, NULL },
    { "use-pep517", 0, false, RESOLVING, NOTHING, 0, NULL },
    { "no-build-isolation", 0, false, RESOLVING, NOTHING, 0, NULL },
    { "compile", 0, false, PIP_INSTALL, NOTHING, 0, NULL },
    { "no-compile", 0, false, PIP_INSTALL, NOTHING, 0, NULL },
    { "editable", 'e', true, PIP_INSTALL, PASS, OPT_EDITABLE, NULL },
    { "user", 0, false, PIP_INSTALL | LISTING, REFUSE, 0, "in an environment there are no user packages" },
    { "target", 't', true, PIP_INSTALL, REFUSE, 0, OUTSIDE },
    { "prefix", 0, true, PIP_INSTALL, REFUSE, 0, OUTSIDE },
    { "root", 0, true, PIP_INSTALL, REFUSE, 0, OUTSIDE },
    { "force-reinstall", 0, false, PIP_INSTALL, REFUSE, 0, VERIFIED },
    { "ignore-installed", 'I', false, PIP_INSTALL, REFUSE, 0, VERIFIED },
    { "trusted-host", 0, true, PIP_EVERY, REFUSE, 0, "[resolver] verify_ssl of blast.toml decides" },
    { "proxy", 0, true, PIP_EVERY, REFUSE, 0, "set HTTPS_PROXY" },
    { "cert", 0, true, PIP_EVERY, REFUSE, 0, "set SSL_CERT_FILE" },
};

static const struct {
    const char *name;
    enum pip_command command;
} commands[] = {
    { "install", PIP_INSTALL }, { "uninstall", PIP_UNINSTALL }, { "list", PIP_LIST }, { "freeze", PIP_FREEZE },
    { "show", PIP_SHOW },       { "check", PIP_CHECK },         { "download", PIP_DOWNLOAD },
};

struct reader {
    struct cmd *c;
    struct pip_words *out;
    size_t at; /* of the word that is read */
    struct err *e;
};

void pip_words_help(void)
{
    ui_out("Usage: pip <command> [options]\n\nCommands that Blast answers here:\n"
           "  install      packages, beside the project until its lock changes; -r, -c, -U, --pre, --no-deps ...\n"
           "  uninstall    packages; -y\n"
           "  list         what is installed; --format, --outdated\n"
           "  freeze       the same as requirements\n"
           "  show         one package; -f\n"
           "  check        do all fit together?\n"
           "  download     wheels; -d DIR\n\n"
           "Packages of the project: blast install, blast remove. The real pip: pip --real ...\n");
}

struct str pip_words_value(const struct pip_words *w, enum pip_own own)
{
    return w->own[own].n ? w->own[own].p[w->own[own].n - 1] : (struct str){ NULL, 0 };
}

static bool unknown_option(struct reader *r, struct str name)
{
    (void)err_set(r->e, ERR_CONFIG, "no such option here: '" STR_FMT "'", STR_ARG(name));
    (void)err_hint(r->e, WAY_OUT);
    return err_exit(r->e, 2);
}

static bool take(struct reader *r, const struct row *row, struct str value)
{
    struct options *o = &r->c->options;

    if (str_eq(str_of(row->name), STR("help")))
        r->out->help = true;
    if (row->act == REFUSE) {
        (void)err_set(r->e, ERR_CONFIG, "--%s is not done here: %s", row->name, row->why);
        (void)err_hint(r->e, WAY_OUT);
        return err_exit(r->e, 1);
    }
    if (row->act == OWN)
        VEC_PUSH_IN(r->c->a, &r->out->own[row->id], value);
    if (row->act != PASS)
        return true;
    o->at[row->id].count++;
    if (row->value || row->why)
        VEC_PUSH_IN(r->c->a, &o->at[row->id].values, row->value ? value : str_of(row->why));
    if (row->id == OPT_QUIET)
        ui.quiet = true;
    if (row->id == OPT_VERBOSE)
        ui.verbose++;
    return true;
}

static const struct row *find_row(const struct reader *r, struct str name, char letter)
{
    for (size_t i = 0; i < COUNT(rows); i++)
        if (rows[i].where & r->out->command &&
            (letter ? rows[i].letter == letter : str_eq(name, str_of(rows[i].name))))
            return &rows[i];
    return NULL;
}

/* The value behind an option; false when there is none. */
static bool next_word(struct reader *r, struct str option, struct str *value)
{
    if (++r->at < r->c->options.words.n) {
        *value = r->c->options.words.p[r->at];
        return true;
    }
    (void)err_set(r->e, ERR_CONFIG, "'" STR_FMT "' wants a value", STR_ARG(option));
    return err_exit(r->e, 2);
}

static bool read_long(struct reader *r, struct str word)
{
    size_t eq = str_find(word, '=');
    const struct row *row = find_row(r, str_sub(word, 2, eq), 0);
    struct str value = eq < word.n ? str_sub(word, eq + 1, word.n) : STR("");

    if (!row)
        return unknown_option(r, word);
    if (row->value && eq == word.n && !next_word(r, word, &value))
        return false;
    return take(r, row, value);
}

static bool read_short(struct reader *r, struct str word)
{
    for (size_t k = 1; k < word.n; k++) {
        const struct row *row = find_row(r, STR(""), word.p[k]);
        struct str value = str_sub(word, k + 1, word.n);

        if (!row)
            return unknown_option(r, word);
        if (row->value)
            return (value.n || next_word(r, word, &value)) && take(r, row, value);
        if (!take(r, row, STR("")))
            return false;
    }
    return true;
}

/* Options may stand before the command, as in `pip --disable-pip-version-check list`. */
static bool find_command(struct reader *r, size_t *at)
{
    const struct options *o = &r->c->options;

    for (size_t i = 0; i < o->words.n; i++) {
        for (size_t k = 0; k < COUNT(commands); k++) {
            if (str_eq(o->words.p[i], str_of(commands[k].name))) {
                r->out->command = commands[k].command;
                *at = i;
                return true;
            }
        }
        if (!str_starts(o->words.p[i], STR("-"))) {
            (void)err_set(r->e, ERR_CONFIG, "pip's command '" STR_FMT "' is not answered here",
                          STR_ARG(o->words.p[i]));
            (void)err_hint(r->e, str_eq(o->words.p[i], STR("config"))  ? "blast config has the settings in force"
                                 : str_eq(o->words.p[i], STR("cache")) ? "blast cache looks after the cache"
                                                                       : WAY_OUT);
            return err_exit(r->e, 1);
        }
    }
    return unknown_option(r, o->words.p[0]);
}

bool pip_words_read(struct cmd *c, struct pip_words *out, struct err *e)
{
    struct reader r = { .c = c, .out = out, .e = e };
    size_t command = 0;
    bool only_words = false;

    *out = (struct pip_words){ 0 };
    if (!find_command(&r, &command))
        return false;
    for (; r.at < c->options.words.n; r.at++) {
        struct str word = c->options.words.p[r.at];

        if (r.at == command)
            continue;
        if (only_words || word.n < 2 || word.p[0] != '-') {
            VEC_PUSH_IN(c->a, &out->word, word);
        } else if (str_eq(word, STR("--"))) {
            only_words = true;
        } else if (!(word.p[1] == '-' ? read_long(&r, word) : read_short(&r, word))) {
            return false;
        }
    }
    return true;
}
