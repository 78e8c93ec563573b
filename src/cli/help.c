#include "cli/help.h"

#include <stdio.h>
#include "build_config.h"
#include "cli/common.h"
#include "cli/ui.h"

#define LEFT 30 /* columns of an option and its value */
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

/* A letter belongs to the first option of the table that the command takes. */
static char letter_of(unsigned i, uint64_t where)
{
    for (unsigned k = 0; k < i; k++)
        if (option_table[k].where & where && option_table[k].letter == option_table[i].letter)
            return 0;
    return option_table[i].letter;
}

static void option_line(unsigned i, uint64_t where)
{
    const struct option *o = &option_table[i];
    char left[64], letter[8] = "    ";

    if (letter_of(i, where))
        (void)snprintf(letter, sizeof letter, "-%c, ", o->letter);
    (void)snprintf(left, sizeof left, "%s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
    if (strlen(left) > LEFT) /* the text goes on a line of its own */
        ui_out("  %s\n  %*s %s\n", left, LEFT, "", o->text);
    else
        ui_out("  %-*s %s\n", LEFT, left, o->text);
}

static void options_of(uint64_t where)
{
    for (unsigned i = 0; i < OPTION_IDS; i++)
        if (option_table[i].where & where)
            option_line(i, where);
}

/* ------------------------------------------------------------ JSON */

static void options_json(struct json_write *w, uint64_t where)
{
    json_write_key(w, STR("options"));
    json_write_array_begin(w);
    for (unsigned i = 0; i < OPTION_IDS; i++) {
        const struct option *o = &option_table[i];
        char variable[64], letter[2] = { letter_of(i, where), '\0' };

        if (!(o->where & where))
            continue;
        option_variable((enum option_id)i, variable);
        json_write_object_begin(w);
        json_write_member_cstr(w, "name", o->name);
        if (letter[0])
            json_write_member_cstr(w, "letter", letter);
        if (o->value)
            json_write_member_cstr(w, "value", o->value);
        json_write_member_cstr(w, "variable", variable);
        json_write_member_cstr(w, "text", o->text);
        json_write_object_end(w);
    }
    json_write_array_end(w);
}

static void command_json(struct json_write *w, const struct command *c)
{
    json_write_member_cstr(w, "command", c->name);
    json_write_member_cstr(w, "arguments", c->arguments);
    json_write_member_cstr(w, "text", c->text);
}

static void overview_json(void)
{
    struct json_result r;

    json_result_begin(&r, "blast.help/1");
    json_write_member_cstr(&r.w, "version", BLAST_VERSION);
    json_write_key(&r.w, STR("commands"));
    json_write_array_begin(&r.w);
    for (const struct command *c = command_table; c->name; c++) {
        if (c->where & W_HIDDEN)
            continue;
        json_write_object_begin(&r.w);
        command_json(&r.w, c);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    options_json(&r.w, W_ALL);
    json_result_end(&r);
}

static void one_command_json(const struct command *c)
{
    struct json_result r;

    json_result_begin(&r, "blast.help/1");
    command_json(&r.w, c);
    json_write_member_cstr(&r.w, "examples", c->examples);
    options_json(&r.w, c->where | W_ALL);
    json_result_end(&r);
}

/* ------------------------------------------------------------ text */

void help_overview(bool all)
{
    if (ui.json) {
        overview_json();
        return;
    }
    ui_out("blast %s - the right Python and the right packages, simply there\n\n", BLAST_VERSION);
    heading("Usage: blast COMMAND [OPTION...]");
    unsigned n = 0;

    for (const struct command *c = command_table; c->name; c++, n++) {
        if (!all && n >= SHORT_LIST)
            break;
        if (!(c->where & (W_RAW | W_HIDDEN)))
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
    if (ui.json) {
        one_command_json(c);
        return;
    }
    ui_out("%s\n\n", c->text);
    heading("Usage");
    ui_out("  blast %s%s%s [OPTION...]\n", c->name, *c->arguments ? " " : "", c->arguments);
    ui_out("\n");
    heading("Examples");
    indented(c->examples, "  ");
    if (c->where & ~(W_ALL | W_RAW | W_HIDDEN)) {
        ui_out("\n");
        heading("Options");
        options_of(c->where & ~W_ALL);
    }
    ui_out("\n");
    heading("Options of every command");
    options_of(W_ALL);
}
