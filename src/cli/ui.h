/* What the user sees: results on stdout, everything else on stderr, colours only where they help.
 *
 * Only cli prints. Text goes out through a buffer that ui_flush() writes; data (a result) is never mixed with
 * notes. NO_COLOR, CLICOLOR_FORCE, TERM=dumb and --color are obeyed, per stream.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include "base/attr.h"
#include "base/str.h"

struct err;

enum ui_style { UI_PLAIN, UI_BOLD, UI_DIM, UI_GREEN, UI_RED, UI_YELLOW, UI_CYAN };

struct ui {
    bool json, quiet, no_input;
    unsigned verbose;
    bool color_out, color_err;
    bool tty;       /* stdin and stderr are terminals: may ask, may redraw */
    bool progress;  /* a moving line is wanted */
    unsigned width; /* columns of the terminal; 80 when there is none */
    bool utf8;
};

extern struct ui ui; /* set once by main, then read only */

/* `color` is --color's value, "auto" when empty. */
void ui_init(struct str color, bool json, bool quiet, unsigned verbose, bool no_progress, bool no_input);

void ui_out(const char *fmt, ...) PRINTF(1, 2);    /* result text, stdout */
void ui_note(const char *fmt, ...) PRINTF(1, 2);   /* a line on stderr, not with -q */
void ui_detail(const char *fmt, ...) PRINTF(1, 2); /* a line on stderr with -v */
void ui_warn(const char *fmt, ...) PRINTF(1, 2);   /* "warning: ..." on stderr, not with -q */
/* The escape for a style on stdout (out) or stderr, "" without colour; UI_PLAIN ends any style. */
const char *ui_on(FILE *to, enum ui_style style);

/* Writes out what is buffered; false when stdout failed (then the exit code must not be 0). */
MUST_USE bool ui_flush(void);

/* A table: rows of `columns` cells, widths by content, two spaces between, last column not padded. A header row
 * in bold when `header` is not NULL. */
void ui_table(const char *const *header, const struct str *cells, size_t rows, size_t columns);

/* Asks on the terminal; the answer of --yes, -y or "no terminal" is decided by the caller before. */
MUST_USE bool ui_confirm(const char *question);

/* Shows the prompt and reads one line of `size` bytes at most from the user; false at the end of input. */
MUST_USE bool ui_ask(char *answer, size_t size, const char *fmt, ...) PRINTF(3, 4);

/* Microseconds since clock_us() was `begun`, without those in which the user was asked. */
uint64_t ui_elapsed_us(uint64_t begun);
