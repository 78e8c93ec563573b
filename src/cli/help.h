/* Help texts, made from the tables of commands and options. */
#pragma once

#include <stdbool.h>

struct command;

void help_overview(bool all); /* the short list, or all commands and the options of each */
void help_command(const struct command *c);
