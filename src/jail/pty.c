#include "jail/pty.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include "base/err.h"

#define DRAIN_MS 100

bool pty_open(int *master, int *slave, struct err *e)
{
    char name[64];

    *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    if (*master < 0 || grantpt(*master) < 0 || unlockpt(*master) < 0 || ptsname_r(*master, name, sizeof name) != 0)
        return err_sys(e, "make a terminal");
    *slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
    return *slave >= 0 || err_sys(e, "open %s", name);
}

void pty_init(struct pty *t, int master, int in, int out)
{
    *t = (struct pty){ .master = master, .in = in, .out = out };
    (void)fcntl(master, F_SETFL, O_RDWR | O_NONBLOCK);
    pty_resize(t);
}

static bool is_foreground(const struct pty *t)
{
    return t->in >= 0 && tcgetpgrp(t->in) == getpgrp();
}

/* In the background nothing is touched: changing the terminal would stop us, and it is not ours. */
void pty_attach(struct pty *t)
{
    struct termios raw;

    if (t->raw || !is_foreground(t) || tcgetattr(t->in, &t->saved) < 0)
        return;
    raw = t->saved;
    cfmakeraw(&raw);
    t->raw = tcsetattr(t->in, TCSADRAIN, &raw) == 0;
    pty_resize(t);
}

void pty_detach(struct pty *t)
{
    if (t->raw)
        (void)tcsetattr(t->in, TCSADRAIN, &t->saved);
    t->raw = false;
}

void pty_resize(struct pty *t)
{
    struct winsize size;

    if (ioctl(t->in >= 0 ? t->in : t->out, TIOCGWINSZ, &size) == 0)
        (void)ioctl(t->master, TIOCSWINSZ, &size);
}

void pty_poll(const struct pty *t, struct pollfd p[2])
{
    bool reads = t->raw && t->in >= 0 && t->to_n == 0 && is_foreground(t); /* detached, the input is the shell's */

    p[0] = (struct pollfd){ reads ? t->in : -1, POLLIN, 0 };
    p[1] = (struct pollfd){ t->ended ? -1 : t->master, (short)(POLLIN | (t->to_n ? POLLOUT : 0)), 0 };
}

static void write_some(int fd, char *bytes, unsigned *n)
{
    ssize_t k = *n ? write(fd, bytes, *n) : 0;

    if (k <= 0)
        return;
    *n -= (unsigned)k;
    memmove(bytes, bytes + k, *n);
}

/* The user's side may block: a terminal that is held (Ctrl-S) holds the command too. */
static void write_out(struct pty *t)
{
    for (unsigned done = 0; done < t->from_n;) {
        ssize_t k = t->out < 0 ? (ssize_t)t->from_n : write(t->out, t->from + done, t->from_n - done);

        if (k < 0 && errno != EINTR && errno != EAGAIN)
            break; /* the terminal is gone; SIGHUP follows */
        if (k > 0)
            done += (unsigned)k;
    }
    t->from_n = 0;
}

static void read_master(struct pty *t)
{
    ssize_t k = read(t->master, t->from, sizeof t->from);

    if (k > 0) {
        t->from_n = (unsigned)k;
        write_out(t);
    } else if (k == 0 || (errno != EAGAIN && errno != EINTR)) {
        t->ended = true; /* EIO: nobody has the other side open */
    }
}

void pty_relay(struct pty *t, const struct pollfd p[2])
{
    if (t->raw && p[0].revents & (POLLIN | POLLHUP)) {
        ssize_t k = read(t->in, t->to, sizeof t->to);

        if (k > 0)
            t->to_n = (unsigned)k;
        else if (k == 0)
            t->in = -1;
    }
    if (t->to_n)
        write_some(t->master, t->to, &t->to_n);
    if (p[1].revents & (POLLIN | POLLHUP))
        read_master(t);
}

void pty_drain(struct pty *t)
{
    struct pollfd p = { t->master, POLLIN, 0 };

    /* The other side is closed, so its end comes for certain; but not if a descendant of the level process holds it. */
    while (!t->ended && poll(&p, 1, DRAIN_MS) > 0 && p.revents)
        read_master(t);
}
