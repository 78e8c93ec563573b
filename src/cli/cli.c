#include "cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include "base/err.h"
#include "build_config.h"
#include "cli/directive.h"
#include "cli/help.h"
#include "cli/interrupt.h"
#include "cli/report.h"
#include "cli/settle.h"
#include "cli/timings_report.h"
#include "cli/ui.h"

/* The word of a command is its name in C. One with a hyphen stands here: `HYPHEN_name`, whose comma moves its word to
 * the second place. */
#define HYPHEN_shell_init ~, "shell-init"
#define SECOND(a, b, ...) b
#define SECOND_OF(...) SECOND(__VA_ARGS__)
#define WORD(name) SECOND_OF(HYPHEN_##name, #name, ~)

const struct command command_table[] = {
#define COMMAND(name, arguments, where, text, examples)                                                                \
    { WORD(name), arguments, where, text, examples, cmd_##name },
#include "cli/commands.def"
#undef COMMAND
    { 0 },
};

const struct command *command_find(struct str name)
{
    for (const struct command *c = command_table; c->name; c++)
        if (str_eq(name, str_of(c->name)))
            return c;
    return NULL;
}

static uint64_t where_of(struct str name)
{
    const struct command *c = command_find(name);

    return c ? c->where | W_ALL : 0;
}

/* What other tools call it. */
static const char *known_elsewhere(struct str name)
{
    static const struct {
        const char *word, *command;
    } words[] = {
        { "add", "install" },          { "uninstall", "remove" },     { "rm", "remove" },
        { "del", "remove" },           { "upgrade", "update" },       { "up", "update" },
        { "ls", "list" },              { "freeze", "lock -o requirements.txt" },
        { "show", "why NAME" },        { "info", "status" },          { "log", "history" },
        { "logs", "daemon logs" },     { "shell", "start" },          { "activate", "start" },
        { "use", "start" },            { "env", "status" },           { "deactivate", "kill" },
        { "stop", "kill" },            { "exit", "kill" },            { "quit", "kill" },
        { "exec", "run" },             { "x", "run" },                { "test", "run pytest" },
        { "export", "lock -o requirements.txt" },                     { "compile", "lock -r FILE -o FILE" },
        { "check", "sync --check" },   { "verify", "cache verify" },  { "clean", "cache gc" },
        { "gc", "cache gc" },          { "revert", "undo" },          { "restore", "rollback GENERATION" },
        { "downgrade", "rollback GENERATION" },                       { "new", "init" },
        { "version", "--version" },    { "deps", "tree" },            { "self", "doctor" },
    };

    for (size_t i = 0; i < COUNT(words); i++)
        if (str_eq(name, str_of(words[i].word)))
            return words[i].command;
    return NULL;
}

static bool unknown_command(struct str name, struct err *e)
{
    const char *best = known_elsewhere(name);
    unsigned best_distance = best ? 0 : name.n > 3 ? 3 : 2; /* a short word resembles everything */

    for (const struct command *c = command_table; c->name; c++) {
        if (c->where & W_HIDDEN)
            continue;
        unsigned d = str_distance(name, str_of(c->name), 2);

        if (d < best_distance) {
            best = c->name;
            best_distance = d;
        }
    }
    (void)err_set(e, ERR_CONFIG, "unknown command '" STR_FMT "'", STR_ARG(name));
    return best ? err_hint(e, "did you mean: blast %s", best) : err_hint(e, "blast --help lists the commands");
}

static bool run_command(struct cmd *c, struct str name, struct err *e)
{
    if (!name.p || str_eq(name, STR("help"))) {
        struct str topic = name.p && c->options.words.n ? c->options.words.p[0] : (struct str){ NULL, 0 };

        if (!topic.p) {
            help_overview(option_flag(&c->options, OPT_HELP) || name.p);
            return true;
        }
        name = topic;
        c->options.at[OPT_HELP].count = 1;
    }
    c->command = command_find(name);
    if (!c->command)
        return unknown_command(name, e);
    if (option_flag(&c->options, OPT_HELP)) {
        help_command(c->command);
        return true;
    }
    timings_report_begin(c);
    bool ok = c->command->run(c, e);

    timings_report_end(c);
    return ok;
}

static bool format_is_json(const struct options *o, bool *json, struct err *e)
{
    struct str format = option_value(o, OPT_FORMAT), color = option_value(o, OPT_COLOR);

    *json = option_flag(o, OPT_JSON) || str_eq(format, STR("json"));
    if (format.p && !*json && !str_eq(format, STR("text")))
        return err_set(e, ERR_CONFIG, "--format is text or json, not '" STR_FMT "'", STR_ARG(format));
    if (color.p && !str_eq(color, STR("auto")) && !str_eq(color, STR("always")) && !str_eq(color, STR("never")))
        return err_set(e, ERR_CONFIG, "--color is auto, always or never, not '" STR_FMT "'", STR_ARG(color));
    return true;
}

static bool wants_version(int argc, char **argv)
{
    return argc == 2 && (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0);
}

/* For options that cannot be read: is an error to be JSON all the same? */
static bool words_ask_json(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--json") == 0 || strcmp(argv[i], "--format=json") == 0 ||
            (strcmp(argv[i], "--format") == 0 && i + 1 < argc && strcmp(argv[i + 1], "json") == 0))
            return true;
    return false;
}

/* A home that is read-only, as containers of CI have: everything of Blast can lie elsewhere. */
static void hint_home(struct err *e)
{
    const char *home = getenv("HOME");

    if ((e->sys == EACCES || e->sys == EROFS) && !e->hint[0] && !getenv("BLAST_HOME") && home && *home &&
        strstr(e->text, home))
        (void)err_hint(e, "is it Blast's own folder? BLAST_HOME names one that can be written");
}

int cli_main(int argc, char **argv)
{
    AUTO_ARENA arena = { 0 };
    struct cmd c = { .a = &arena };
    struct err e = { 0 };
    bool json = false;

    if (wants_version(argc, argv))
        return puts("blast " BLAST_VERSION) < 0;
    directive_init();
    interrupt_init();
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of the write, seen by ui_flush() */
    bool ok = options_parse(argc, argv, where_of, c.a, &c.options, &e) && format_is_json(&c.options, &json, &e);

    if (!ok)
        json = words_ask_json(argc, argv);
    ui_init(option_value(&c.options, OPT_COLOR), json, option_flag(&c.options, OPT_QUIET),
            option_count(&c.options, OPT_VERBOSE), option_flag(&c.options, OPT_NO_PROGRESS),
            option_flag(&c.options, OPT_NO_INPUT));
    ok = ok && run_command(&c, c.options.command, &e);
    if (!ok) {
        hint_home(&e);
        settle_facts(&c);
        c.exit_code = report_error(&e, c.details);
    }
    if (!ui_flush() && c.exit_code == 0)
        c.exit_code = 1;
    return c.exit_code;
}
