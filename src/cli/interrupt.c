#include "cli/interrupt.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>
#include "base/attr.h"
#include "cli/ui.h"

/* write() and raise() are all that is used: both may be called in a handler (POSIX, signal-safety). The handler is
 * reset when it is entered, so the raised signal takes its default action once this one is unblocked. */
static void interrupted(int sig)
{
    static const char plain[] = "interrupted\n", over_line[] = "\r\033[Kinterrupted\n";
    const char *text = ui.progress ? over_line : plain;
    ssize_t ignored = write(STDERR_FILENO, text, ui.progress ? sizeof over_line - 1 : sizeof plain - 1);

    (void)ignored; /* nobody is left to be told */
    (void)raise(sig);
}

void interrupt_init(void)
{
    static const int signals[] = { SIGINT, SIGTERM };

    for (size_t i = 0; i < COUNT(signals); i++) {
        struct sigaction old, act = { .sa_handler = interrupted, .sa_flags = (int)SA_RESETHAND };

        (void)sigemptyset(&act.sa_mask);
        if (sigaction(signals[i], NULL, &old) == 0 && old.sa_handler == SIG_DFL)
            (void)sigaction(signals[i], &act, NULL);
    }
}
