/* The command line: finds the command, reads its options, runs it, reports what went wrong.
 *
 * A command is a line in commands.def and a function cmd_<name>() in src/cli/cmd_<name>.c. It returns false with
 * an error, or true and leaves the exit code in c->exit_code (0 unless it says otherwise).
 */
#pragma once

#include <stdbool.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"
#include "cli/options.h"

struct err;
struct failure;

struct cmd {
    const struct command *command;
    struct options options;
    struct arena *a; /* lives as long as the command */
    int exit_code;
    struct str details;      /* members for the error's JSON, as an object; n == 0: none */
    struct failure *failure; /* for the request: what a resolve without solution leaves behind */
};

struct command {
    const char *name;
    const char *arguments;
    uint64_t where;
    const char *text;
    const char *examples;
    bool (*run)(struct cmd *c, struct err *e);
};

extern const struct command command_table[]; /* ended by name == NULL */

#define COMMAND(name, arguments, where, text, examples) MUST_USE bool cmd_##name(struct cmd *c, struct err *e);
#include "cli/commands.def"
#undef COMMAND

MUST_USE const struct command *command_find(struct str name); /* NULL when there is none */

/* The whole program; returns its exit code. */
int cli_main(int argc, char **argv);
