#include "jail/link.h"

#include <stdio.h>

bool link_send(int fd, const struct link_message *m, const int *pass, size_t n)
{
    return pass_send_all(fd, (struct str){ (const char *)m, sizeof *m }, pass, n);
}

bool link_receive(int fd, struct link_message *m, int got[PASS_MAX], size_t *n)
{
    struct str whole;

    return pass_receive_all(fd, m, sizeof *m, &whole, got, n) && whole.n == sizeof *m;
}

void link_send_error(int fd, const struct err *e, int exit_code)
{
    struct link_message m = { .kind = LINK_ERROR, .value = exit_code, .sys = e->sys };

    (void)snprintf(m.text, sizeof m.text, "%s", e->text);
    (void)snprintf(m.hint, sizeof m.hint, "%s", e->hint);
    (void)link_send(fd, &m, NULL, 0);
}
