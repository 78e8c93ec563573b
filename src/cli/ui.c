#include "cli/ui.h"

#include <langinfo.h>
#include <locale.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/utf8.h"
#include "cli/progress.h"

struct ui ui;
static uint64_t asked_us; /* how long the user thought */

static bool wants_color(struct str color, int fd)
{
    const char *term = getenv("TERM"), *no = getenv("NO_COLOR"), *force = getenv("CLICOLOR_FORCE");

    if (str_eq(color, STR("always")))
        return true;
    if (str_eq(color, STR("never")) || (no && *no))
        return false;
    if (force && *force && strcmp(force, "0") != 0)
        return true;
    return isatty(fd) && term && strcmp(term, "dumb") != 0;
}

static unsigned terminal_width(void)
{
    struct winsize w;

    return ioctl(STDERR_FILENO, TIOCGWINSZ, &w) == 0 && w.ws_col >= 20 ? w.ws_col : 80;
}

void ui_init(struct str color, bool json, bool quiet, unsigned verbose, bool no_progress, bool no_input)
{
    const char *term = getenv("TERM"), *ci = getenv("CI");

    (void)setlocale(LC_CTYPE, ""); /* falls back to "C", which is right then */
    ui = (struct ui){
        .json = json,
        .quiet = quiet,
        .verbose = verbose,
        .no_input = no_input || (ci && *ci),
        .color_out = !json && wants_color(color, STDOUT_FILENO),
        .color_err = wants_color(color, STDERR_FILENO),
        .tty = isatty(STDIN_FILENO) && isatty(STDERR_FILENO),
        .width = terminal_width(),
        .utf8 = strcmp(nl_langinfo(CODESET), "UTF-8") == 0,
    };
    ui.progress = !quiet && !no_progress && isatty(STDERR_FILENO) && term && strcmp(term, "dumb") != 0;
}

const char *ui_on(FILE *to, enum ui_style style)
{
    static const char *const escape[] = {
        [UI_PLAIN] = "\033[0m",  [UI_BOLD] = "\033[1m",    [UI_DIM] = "\033[2m",   [UI_GREEN] = "\033[32m",
        [UI_RED] = "\033[1;31m", [UI_YELLOW] = "\033[33m", [UI_CYAN] = "\033[36m",
    };

    return (to == stdout ? ui.color_out : ui.color_err) ? escape[style] : "";
}

static void __attribute__((format(printf, 2, 0))) line(FILE *to, const char *fmt, va_list ap)
{
    progress_hide();
    (void)vfprintf(to, fmt, ap); /* a failure stays in the stream and ui_flush() sees it */
    if (to == stderr)
        (void)fputc('\n', to);
}

void ui_out(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    line(stdout, fmt, ap);
    va_end(ap);
}

void ui_note(const char *fmt, ...)
{
    va_list ap;

    if (ui.quiet)
        return;
    va_start(ap, fmt);
    line(stderr, fmt, ap);
    va_end(ap);
}

void ui_detail(const char *fmt, ...)
{
    va_list ap;

    if (!ui.verbose)
        return;
    va_start(ap, fmt);
    line(stderr, fmt, ap);
    va_end(ap);
}

void ui_warn(const char *fmt, ...)
{
    va_list ap;

    if (ui.quiet)
        return;
    progress_hide();
    (void)fprintf(stderr, "%swarning%s: ", ui_on(stderr, UI_YELLOW), ui_on(stderr, UI_PLAIN));
    va_start(ap, fmt);
    line(stderr, fmt, ap);
    va_end(ap);
}

bool ui_flush(void)
{
    return fflush(stdout) == 0 && !ferror(stdout);
}

static void row(const struct str *cells, const size_t *width, size_t columns)
{
    while (columns > 1 && cells[columns - 1].n == 0)
        columns--; /* no spaces at the end of a line */
    for (size_t c = 0; c < columns; c++) {
        int pad = c + 1 < columns ? (int)(width[c] - utf8_width(cells[c])) + 2 : 0;

        ui_out(STR_FMT "%*s", STR_ARG(cells[c]), pad, "");
    }
    ui_out("%s\n", ui_on(stdout, UI_PLAIN));
}

void ui_table(const char *const *header, const struct str *cells, size_t rows, size_t columns)
{
    struct str head[16];
    size_t width[16] = { 0 };

    if (columns > COUNT(head))
        columns = COUNT(head);
    for (size_t c = 0; c < columns; c++) {
        head[c] = header ? str_of(header[c]) : STR("");
        width[c] = utf8_width(head[c]);
        for (size_t r = 0; r < rows; r++)
            width[c] = MAX(width[c], utf8_width(cells[r * columns + c]));
    }
    if (header) {
        ui_out("%s", ui_on(stdout, UI_BOLD));
        row(head, width, columns);
    }
    for (size_t r = 0; r < rows; r++)
        row(cells + r * columns, width, columns);
}

bool ui_confirm(const char *question)
{
    char answer[16];

    if (!ui.tty || ui.no_input)
        return false;
    return ui_ask(answer, sizeof answer, "%s [y/N] ", question) && (answer[0] == 'y' || answer[0] == 'Y');
}

bool ui_ask(char *answer, size_t size, const char *fmt, ...)
{
    uint64_t begun = clock_us();
    va_list args;

    progress_hide();
    va_start(args, fmt);
    (void)vfprintf(stderr, fmt, args);
    va_end(args);
    (void)fflush(stderr);
    bool read = fgets(answer, (int)size, stdin);

    asked_us += clock_us() - begun;
    return read;
}

uint64_t ui_elapsed_us(uint64_t begun)
{
    return clock_us() - begun - asked_us;
}
