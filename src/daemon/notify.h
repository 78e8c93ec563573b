/* The service manager's protocol without its library: sockets handed over (sd_listen_fds(3)) and word of our state
 * (sd_notify(3)). Without a service manager both do nothing.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"

struct err;

/* The one listening Unix socket that LISTEN_FDS and LISTEN_PID hand to this process, or -1; not blocking, closed on
 * exec. The variables are taken out of the environment, so that children do not believe them. ERR_DAEMON when what is
 * handed over is something else. */
MUST_USE bool notify_listen_fd(int *fd, struct err *e);
/* Sends "READY=1", "STOPPING=1", "STATUS=..." to NOTIFY_SOCKET; nobody there is fine. */
void notify_send(const char *state);
