#include "jail/link.h"

#include <limits.h>
#include <stdio.h>
#include "base/pass.h"

/* One write of it to a pipe arrives whole (init.c tells so of a command that did not start). */
_Static_assert(sizeof(struct link_message) <= PIPE_BUF, "a message fits one write");

bool link_send(int fd, const struct link_message *m, int pass)
{
    return pass_send(fd, (struct str){ (const char *)m, sizeof *m }, pass);
}

bool link_receive(int fd, struct link_message *m, int *got)
{
    struct str whole;

    return pass_receive(fd, m, sizeof *m, &whole, got) && whole.n == sizeof *m;
}

struct link_message link_error(const struct err *e, int exit_code)
{
    struct link_message m = { .kind = LINK_ERROR, .value = exit_code, .sys = e->sys };

    (void)snprintf(m.text, sizeof m.text, "%s", e->text);
    (void)snprintf(m.hint, sizeof m.hint, "%s", e->hint);
    return m;
}

void link_send_error(int fd, const struct err *e, int exit_code)
{
    struct link_message m = link_error(e, exit_code);

    (void)link_send(fd, &m, -1);
}
