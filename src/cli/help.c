#include "cli/help.h"

#include <stdio.h>
#include "build_config.h"
#include "cli/cli.h"
#include "cli/ui.h"

#define SHORT_LIST 7 /* the first commands of the table: what one needs on the first day */

static void heading(const char *text)
{
    ui_out("%s%s%s\n", ui_on(stdout, UI_BOLD), text, ui_on(stdout, UI_PLAIN));
}

static void indented(const char *text, const char *before)
{
    for (struct str line, rest = str_of(text); str_next_line(&rest, &line);)
        ui_out("%s" STR_FMT "\n", before, STR_ARG(line));
}

static void option_line(unsigned i)
{
    const struct option *o = &option_table[i];
    char left[64], letter[8] = "    ";

    if (o->letter)
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    ui_out("  %-34s %s\n", left, o->text);
}

static void options_of(unsigned where)
{
    for (unsigned i = 0; i < OPTION_IDS; i++)
        if (option_table[i].where & where)
            option_line(i);
}

void help_overview(bool all)
{
    ui_out("blast %s - the right Python and the right packages, simply there\n\n", BLAST_VERSION);
    heading("Usage: blast COMMAND [OPTION...]");
    unsigned n = 0;

    for (const struct command *c = command_table; c->name; c++, n++) {
        if (!all && n >= SHORT_LIST)
            break;
        if (!(c->where & W_RAW))
            ui_out("  %s%-12s%s %s\n", ui_on(stdout, UI_CYAN), c->name, ui_on(stdout, UI_PLAIN), c->text);
    }
    if (!all) {
        ui_out("\nblast COMMAND --help says more of one, blast --help lists all.\n");
        return;
    }
    ui_out("\n");
    heading("Options of every command");
    options_of(W_ALL);
    ui_out("\nEach option has a variable: --index-url is BLAST_INDEX_URL.\n");
}

void help_command(const struct command *c)
{
    ui_out("%s\n\n", c->text);
    heading("Usage");
    ui_out("  blast %s%s%s [OPTION...]\n", c->name, *c->arguments ? " " : "", c->arguments);
    ui_out("\n");
    heading("Examples");
    indented(c->examples, "  ");
    if (c->where & ~(unsigned)(W_ALL | W_RAW)) {
        ui_out("\n");
        heading("Options");
        options_of(c->where & ~(unsigned)W_ALL);
    }
    ui_out("\n");
    heading("Options of every command");
    options_of(W_ALL);
}
