/* How an error reaches the user: on stderr as text, or with --json as an object on stdout. */
#pragma once

struct err;

/* Prints the error and returns the program's exit code. */
int report_error(const struct err *e);
