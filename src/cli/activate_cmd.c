#include "cli/activate_cmd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/activate.h"

#define TEXT_MAX ((size_t)1 << 20)

bool activate_is_active(const struct workspace *w)
{
    const char *now = getenv("VIRTUAL_ENV");

    return now && strcmp(now, w->env_path) == 0;
}

/* The shell keeps our process id; what it starts finds it here. */
#define SHELL_VARIABLE "BLAST_SHELL_PID"

bool activate_is_subshell(void)
{
    const char *pid = getenv(SHELL_VARIABLE);
    uint64_t n;

    return pid && str_to_u64(str_of(pid), &n) && n == (uint64_t)getppid();
}

bool activate_text(struct cmd *c, const struct workspace *w, struct str shell, struct str *out, struct err *e)
{
    static const struct {
        const char *name;
        enum activate_shell shell;
        const char *file;
    } shells[] = {
        { "bash", ACTIVATE_POSIX, "activate" },  { "zsh", ACTIVATE_POSIX, "activate" },
        { "sh", ACTIVATE_POSIX, "activate" },    { "fish", ACTIVATE_FISH, "activate.fish" },
        { "csh", ACTIVATE_CSH, "activate.csh" },
    };
    AUTO_BUF b;

    buf_init(&b, TEXT_MAX);
    for (size_t i = 0; i < COUNT(shells); i++) {
        if (!str_eq(shell, str_of(shells[i].name)))
            continue;
        struct str file = arena_printf(c->a, "%s/bin/%s", w->env_path, shells[i].file);

        (void)buf_printf(&b, "%s ", shells[i].shell == ACTIVATE_POSIX ? "." : "source");
        (void)activate_quote(shells[i].shell, file, &b);
        *out = arena_str(c->a, buf_done(&b));
        return true;
    }
    (void)err_set(e, ERR_CONFIG, "--print knows bash, zsh, sh, fish and csh, not '" STR_FMT "'", STR_ARG(shell));
    return false;
}

/* A file without a name that the shell reads at its start: /dev/fd/N. */
static bool start_file(struct cmd *c, struct str text, struct str *path, struct err *e)
{
    int fd = memfd_create("blast-start", MFD_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "make the start file of the shell");
    if (!fd_write_all(fd, text.p, text.n, "the start file", e))
        return false;
    *path = arena_printf(c->a, "/dev/fd/%d", fd);
    if (fcntl(fd, F_SETFD, 0) < 0) /* stays open for the shell */
        return err_sys(e, "hand the start file to the shell");
    return lseek(fd, 0, SEEK_SET) == 0 || err_sys(e, "rewind the start file");
}

static bool quoted(struct cmd *c, enum activate_shell shell, const char *path, struct str *out)
{
    AUTO_BUF b;

    buf_init(&b, TEXT_MAX);
    if (!activate_quote(shell, str_of(path), &b))
        return false;
    *out = arena_str(c->a, buf_done(&b));
    return true;
}

bool activate_subshell(struct cmd *c, const struct workspace *w, struct err *e)
{
    const char *shell = getenv("SHELL");
    struct str path, word;

    if (!shell || !*shell)
        shell = "/bin/sh";
    struct str name = str_sub(str_of(shell), str_rfind(str_of(shell), '/') + 1, strlen(shell));
    bool fish = str_eq(name, STR("fish")), bash = str_eq(name, STR("bash"));
    const char *file = arena_printf(c->a, "%s/bin/activate%s", w->env_path, fish ? ".fish" : "").p;

    if (!quoted(c, fish ? ACTIVATE_FISH : ACTIVATE_POSIX, file, &word))
        return err_set(e, ERR_ENVIRONMENT, "the path of the environment is too long for a shell");
    if (setenv(SHELL_VARIABLE, arena_printf(c->a, "%ld", (long)getpid()).p, 1) < 0)
        return err_sys(e, "set the environment of the shell");
    ui_note("a new shell with the environment active; exit or blast kill leaves it");
    if (!ui_flush())
        return err_sys(e, "write to standard output");
    (void)signal(SIGPIPE, SIG_DFL); /* ours alone */
    if (bash) {
        struct str text = arena_printf(c->a, "[ -r ~/.bashrc ] && . ~/.bashrc\n. " STR_FMT "\n", STR_ARG(word));

        if (!start_file(c, text, &path, e))
            return false;
        (void)execl(shell, shell, "--rcfile", path.p, "-i", (char *)NULL);
    } else if (fish) {
        (void)execl(shell, shell, "-C", arena_printf(c->a, "source " STR_FMT, STR_ARG(word)).p, (char *)NULL);
    } else {
        const char *old = getenv("PATH");
        struct str bin = arena_printf(c->a, "%s/bin:%s", w->env_path, old ? old : "/usr/local/bin:/usr/bin:/bin");

        if (setenv("VIRTUAL_ENV", w->env_path, 1) < 0 || setenv("PATH", bin.p, 1) < 0)
            return err_sys(e, "set the environment of the shell");
        (void)execl(shell, shell, "-i", (char *)NULL);
    }
    return err_sys(e, "start the shell %s", shell);
}
