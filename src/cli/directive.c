#include "cli/directive.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"

#define VAR_FD "BLAST_DIRECTIVE_FD"
#define VAR_FILE "BLAST_DIRECTIVE_FILE"
#define VAR_SHELL "BLAST_DIRECTIVE_SHELL"

struct directive directive = { .fd = -1 };

static int pipe_of(const char *number)
{
    struct stat st;
    uint64_t fd;

    if (!number || !str_to_u64(str_of(number), &fd) || fd <= STDERR_FILENO || fd > 255 || fstat((int)fd, &st) < 0 ||
        !S_ISFIFO(st.st_mode) || fcntl((int)fd, F_SETFD, FD_CLOEXEC) < 0)
        return -1;
    return (int)fd;
}

static int file_of(const char *path)
{
    struct stat st;
    int fd = path ? open(path, O_WRONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;

    if (fd >= 0 && (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_size != 0))
        fd_close(&fd);
    return fd;
}

/* "bash 1234" */
static bool shell_of(const char *text, struct directive *out)
{
    struct str rest = str_of(text), name;
    uint64_t pid;

    if (!text || !str_next(&rest, ' ', &name) || !shell_find(name, &out->shell))
        return false;
    if (str_to_u64(rest, &pid) && pid <= INT32_MAX)
        out->pid = (int64_t)pid;
    return true;
}

void directive_init(void)
{
    struct directive d = { .fd = -1 };

    if (shell_of(getenv(VAR_SHELL), &d)) {
        d.fd = pipe_of(getenv(VAR_FD));
        if (d.fd < 0)
            d.fd = file_of(getenv(VAR_FILE));
    }
    (void)unsetenv(VAR_FD);
    (void)unsetenv(VAR_FILE);
    (void)unsetenv(VAR_SHELL);
    directive = d;
}

bool directive_is_heard(void)
{
    return directive.fd >= 0;
}

bool directive_send(struct str text, struct err *e)
{
    return fd_write_all(directive.fd, text.p, text.n, "the shell's directives", e);
}
