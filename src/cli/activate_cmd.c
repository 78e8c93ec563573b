#include "cli/activate_cmd.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include "base/buf.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/common.h"
#include "cli/daemon_link.h"
#include "cli/directive.h"
#include "cli/inside.h"
#include "cli/shell_pid.h"
#include "cli/ui.h"
#include "env/activate.h"
#include "env/env.h"
#include "env/shell_init.h"
#include "env/shell_text.h"
#include "install/shims.h"
#include "jail/compile.h"

#define TEXT_MAX ((size_t)1 << 20)

bool activate_is_active(const struct workspace *w)
{
    const char *now = getenv("VIRTUAL_ENV");

    return now && strcmp(now, w->env_path) == 0;
}

/* The shell keeps our process id; what it starts finds it here. */
#define SUBSHELL_VARIABLE "BLAST_SUBSHELL_PID"

bool activate_is_subshell(void)
{
    const char *pid = getenv(SUBSHELL_VARIABLE);
    uint64_t n;

    return pid && str_to_u64(str_of(pid), &n) && (n == (uint64_t)getppid() || (n && n == (uint64_t)directive.pid));
}

struct activate_told activate_told(void)
{
    const char *env = getenv("BLAST_ENV"), *venv = getenv("VIRTUAL_ENV"), *project = getenv("BLAST_PROJECT");

    if (!env || !*env || !venv || strcmp(env, venv) != 0)
        return (struct activate_told){ { NULL, 0 }, { NULL, 0 } };
    return (struct activate_told){ str_of(env), str_of(project ? project : "") };
}

/* The folder of the environment that goes into PATH: shims where blast.toml asks for a sandbox. An environment that
 * another tool made has none. */
static bool programs(const struct workspace *w, bool *shims, struct err *e)
{
    *shims = false;
    /* --dry-run may have made none */
    return !jail_is_wanted(&w->config) || !env_is_there(w->env_path) || shims_settle(w->env_path, shims, e);
}

bool activate_settle(const struct workspace *w, struct err *e)
{
    bool shims;

    return programs(w, &shims, e);
}

static bool enter_text(struct cmd *c, const struct workspace *w, enum shell_kind shell, struct buf *out, struct err *e)
{
    bool shims;

    if (!programs(w, &shims, e))
        return false;
    struct shell_enter enter = {
        .shims = shims,
        .env = str_of(w->env_path),
        .project = str_of(w->where.dir),
        .name = workspace_name(w),
        .stack = option_flag(&c->options, OPT_STACK),
    };

    if (strchr(w->env_path, ':'))
        ui_warn("the path of the environment has a ':' in it, so its programs cannot stand in PATH");
    return shell_enter_text(shell, &enter, out) ||
           err_set(e, ERR_ENVIRONMENT, "the path of the environment is too long for a shell");
}

/* Of the project that the shell leaves for this one. */
static void end_session_before(const struct cmd *c, const struct workspace *w)
{
    struct activate_told told = activate_told();
    struct workspace before = *w; /* only to name its folder */

    if (!told.project.n || str_eq(told.project, str_of(w->where.dir)) || option_flag(&c->options, OPT_STACK))
        return;
    before.where.dir = told.project.p; /* of the environment of this process, so it ends in NUL */
    (void)daemon_session_end(c, &before, directive.pid);
}

bool activate_here(struct cmd *c, const struct workspace *w, struct err *e)
{
    AUTO_BUF b;

    buf_init(&b, TEXT_MAX);
    if (!enter_text(c, w, directive.shell, &b, e) || !directive_send(buf_done(&b), e))
        return err_as(e, ERR_ENVIRONMENT, "enter the environment in this shell");
    if (directive.pid) {
        end_session_before(c, w);
        (void)daemon_session_begin(c, w, directive.pid);
    }
    return true;
}

bool activate_leave_here(struct err *e)
{
    AUTO_BUF b;

    buf_init(&b, TEXT_MAX);
    if (!shell_leave_text(directive.shell, &b) || !directive_send(buf_done(&b), e))
        return err_as(e, ERR_ENVIRONMENT, "leave the environment in this shell");
    return true;
}

/* The last one: shims in the place of bin. What leaves sets PATH back as it was before. */
#define SHIMS_POSIX "PATH=$VIRTUAL_ENV/shims:${PATH#\"$VIRTUAL_ENV/bin:\"}; export PATH; hash -r 2>/dev/null"
#define SHIMS_FISH "set -gx PATH \"$VIRTUAL_ENV/shims\" $PATH[2..-1]"
#define SHIMS_CSH "setenv PATH \"$VIRTUAL_ENV:q/shims:$_BLAST_OLD_PATH:q\"; rehash"

static const struct printed {
    const char *name;
    enum activate_shell shell;
    const char *file, *shims;
} printed[] = {
    { "bash", ACTIVATE_POSIX, "activate", SHIMS_POSIX },
    { "zsh", ACTIVATE_POSIX, "activate", SHIMS_POSIX },
    { "sh", ACTIVATE_POSIX, "activate", SHIMS_POSIX },
    { "fish", ACTIVATE_FISH, "activate.fish", SHIMS_FISH },
    { "csh", ACTIVATE_CSH, "activate.csh", SHIMS_CSH },
};

static const struct printed *find_printed(struct str shell)
{
    for (size_t i = 0; i < COUNT(printed); i++)
        if (str_eq(shell, str_of(printed[i].name)))
            return &printed[i];
    return NULL;
}

bool activate_has_text(struct str shell, struct err *e)
{
    return find_printed(shell) || err_set(e, ERR_CONFIG, "--print knows bash, zsh, sh, fish and csh, not '" STR_FMT "'",
                                          STR_ARG(shell));
}

bool activate_text(struct cmd *c, const struct workspace *w, struct str shell, struct str *out, struct err *e)
{
    const struct printed *p = find_printed(shell);
    AUTO_BUF b = { .limit = TEXT_MAX };
    bool shims;

    if (!p || !programs(w, &shims, e))
        return !p && activate_has_text(shell, e);
    struct str file = arena_printf(c->a, "%s/bin/%s", w->env_path, p->file);

    (void)buf_printf(&b, "%s ", p->shell == ACTIVATE_POSIX ? "." : "source");
    (void)activate_quote(p->shell, file, &b);
    if (shims)
        (void)buf_printf(&b, "; %s", p->shims);
    *out = arena_str(c->a, buf_done(&b));
    return true;
}

/* A file without a name that the shell reads at its start: /dev/fd/N. Its last line closes N, so that nothing the shell
 * starts inherits it. */
static bool start_file(struct cmd *c, struct buf *text, const char **path, struct err *e)
{
    int fd = memfd_create("blast-start", MFD_CLOEXEC);

    if (fd < 0)
        return err_sys(e, "make the start file of the shell");
    (void)buf_printf(text, "exec %d<&-\n", fd);
    if (!fd_write_all(fd, text->p, text->n, "the start file", e))
        return false;
    *path = arena_printf(c->a, "/dev/fd/%d", fd).p;
    if (fcntl(fd, F_SETFD, 0) < 0) /* stays open for the shell */
        return err_sys(e, "hand the start file to the shell");
    return true;
}

struct subshell {
    struct cmd *c;
    const struct workspace *w;
    const char *shell;  /* the program */
    enum shell_kind kind;
    struct buf text;    /* shell-init and the word to enter */
};

static bool set(const char *name, const char *value, struct err *e)
{
    return (value ? setenv(name, value, 1) : unsetenv(name)) == 0 || err_sys(e, "set %s for the shell", name);
}

static bool text_of(struct subshell *s, const char *first, struct err *e)
{
    if (!buf_str(&s->text, str_of(first)) || !shell_init_text(s->kind, false, &s->text))
        return err_set(e, ERR_ENVIRONMENT, "the start file of the shell is too large");
    return enter_text(s->c, s->w, s->kind, &s->text, e);
}

/* zsh reads its files from one folder: ours, which reads the user's. Both texts are static, so that two starts at once
 * write the same. */
static bool zsh_folder(struct subshell *s, struct err *e)
{
    const char *path = arena_printf(s->c->a, "%s/shell-v1/zsh", s->w->dirs.cache).p;
    AUTO_FD dir = -1;

    return (file_make_dirs(AT_FDCWD, path, 0700, e) && fd_open_dir(AT_FDCWD, path, &dir, e) &&
            file_replace(dir, ".zshenv", str_of(shell_text_zshenv_zsh), 0600, FILE_NO_SYNC, e) &&
            file_replace(dir, ".zshrc", str_of(shell_text_zshrc_zsh), 0600, FILE_NO_SYNC, e) &&
            set("BLAST_ZDOTDIR", getenv("ZDOTDIR"), e) && set("ZDOTDIR", path, e)) ||
           err_wrap(e, "prepare the start of zsh");
}

/* Becomes the shell; returns only on failure. Each kind is told in its own way what to read after the user's files. */
static bool become(struct subshell *s, struct err *e)
{
    const char *path, *old = getenv("ENV");

    switch (s->kind) {
    case SHELL_BASH:
        if (!text_of(s, "[ ! -r ~/.bashrc ] || . ~/.bashrc\n", e) || !start_file(s->c, &s->text, &path, e))
            return false;
        (void)execl(s->shell, s->shell, "--rcfile", path, "-i", (char *)NULL);
        break;
    case SHELL_ZSH:
        if (!text_of(s, "", e) || !start_file(s->c, &s->text, &path, e) || !zsh_folder(s, e) ||
            !set("BLAST_START", path, e))
            return false;
        (void)execl(s->shell, s->shell, "-i", (char *)NULL);
        break;
    case SHELL_SH:
        if (!text_of(s, "if [ -n \"${BLAST_SH_ENV-}\" ]; then ENV=$BLAST_SH_ENV; else unset ENV; fi\n"
                        "unset BLAST_SH_ENV\n"
                        "[ ! -r \"${ENV-}\" ] || . \"$ENV\"\n", e) ||
            !start_file(s->c, &s->text, &path, e) || !set("BLAST_SH_ENV", old, e) || !set("ENV", path, e))
            return false;
        (void)execl(s->shell, s->shell, "-i", (char *)NULL);
        break;
    case SHELL_FISH:
    case SHELL_PWSH:
        if (!text_of(s, "", e))
            return false;
        path = arena_cstr(s->c->a, buf_done(&s->text));
        if (s->kind == SHELL_FISH)
            (void)execl(s->shell, s->shell, "-C", path, (char *)NULL);
        else
            (void)execl(s->shell, s->shell, "-NoExit", "-Command", path, (char *)NULL);
        break;
    }
    return err_sys(e, "start the shell %s", s->shell);
}

/* A shell of which we know nothing but that it inherits variables. */
static bool become_other(const struct subshell *s, struct err *e)
{
    const char *old = getenv("PATH");
    bool shims;

    if (!programs(s->w, &shims, e))
        return false;
    struct str bin = arena_printf(s->c->a, "%s/%s:%s", s->w->env_path, shims ? SHIMS_FOLDER : "bin",
                                  old ? old : "/usr/local/bin:/usr/bin:/bin");

    if (!set("VIRTUAL_ENV", s->w->env_path, e) || !set("PATH", bin.p, e) || !set("PYTHONHOME", NULL, e))
        return false;
    (void)execl(s->shell, s->shell, "-i", (char *)NULL);
    return err_sys(e, "start the shell %s", s->shell);
}

/* How to get along without a shell within the shell: said once. */
static void tell_of_shell_init(struct cmd *c, const struct workspace *w, struct str shell)
{
    const char *said = arena_printf(c->a, "%s/shell-init-told", w->dirs.state).p;
    AUTO_FD fd = -1;
    struct err ignored = { 0 };

    if (file_exists(AT_FDCWD, said) || !fd_open(AT_FDCWD, said, O_WRONLY | O_CREAT, 0600, &fd, &ignored))
        return;
    ui_note("to enter environments in the shell at hand, put into its start file: %s" STR_FMT "%s",
            str_eq(shell, STR("fish")) ? "blast shell-init " : "eval \"$(blast shell-init ", STR_ARG(shell),
            str_eq(shell, STR("fish")) ? " | source" : ")\"");
}

/* The user's own, and its name without folders. */
static const char *users_shell(struct str *name)
{
    const char *shell = getenv("SHELL");

    if (!shell || !*shell)
        shell = "/bin/sh";
    const char *slash = strrchr(shell, '/');

    *name = str_of(slash ? slash + 1 : shell);
    return shell;
}

bool activate_subshell(struct cmd *c, const struct workspace *w, struct err *e)
{
    struct str name;
    struct subshell s = { .c = c, .w = w, .shell = users_shell(&name) };
    bool known = shell_find(name, &s.kind);

    buf_init(&s.text, TEXT_MAX); /* lives until the shell takes our place */
    ui_note("a new shell with the environment active; exit or blast kill leaves it");
    if (known)
        tell_of_shell_init(c, w, name);
    (void)daemon_session_begin(c, w, getpid()); /* the shell keeps our process id */
    const char *own = arena_printf(c->a, "%ld", (long)getpid()).p;

    if (!set(SHELL_PID_VARIABLE, own, e) || !set(SUBSHELL_VARIABLE, own, e))
        return false;
    if (!ui_flush())
        return err_sys(e, "write to standard output");
    (void)signal(SIGPIPE, SIG_DFL); /* ours alone */
    return known ? become(&s, e) : become_other(&s, e);
}

/* ------------------------------------------------------------ inside */

/* The prompt of a shell that takes it from a variable: it goes to a terminal, and neither zsh may read it as orders. */
static const char *prompt_inside(struct cmd *c, const struct workspace *w)
{
    struct str name = workspace_name(w);
    AUTO_BUF b = { .limit = 4096 };

    (void)buf_str(&b, STR("PS1=("));
    for (size_t i = 0; i < MIN(name.n, (size_t)256); i++) {
        unsigned char k = (unsigned char)name.p[i];

        (void)buf_char(&b, k < ' ' || k == 0x7f ? '?' : (char)k);
        if (k == '%')
            (void)buf_char(&b, '%');
    }
    (void)buf_str(&b, STR(") %~ %# "));
    return arena_cstr(c->a, buf_done(&b));
}

/* The user's start files are not inside; each shell that knows a way reads the environment's activate. */
static void words_inside(struct cmd *c, const struct workspace *w, const char *shell, const char *argv[6],
                         const char *more[4])
{
    const char *script = arena_printf(c->a, "%s/bin/activate", w->env_path).p;
    enum shell_kind kind = SHELL_PWSH;
    struct str name;
    AUTO_BUF fish = { .limit = TEXT_MAX };
    size_t n = 0, k = 0;

    (void)users_shell(&name);
    (void)!shell_find(name, &kind); /* of another one we know nothing, as of PowerShell */
    argv[n++] = shell;
    more[k++] = arena_printf(c->a, "SHELL=%s", shell).p;
    if (kind == SHELL_BASH) {
        argv[n++] = "--rcfile";
        argv[n++] = script;
    } else if (kind == SHELL_SH) {
        more[k++] = arena_printf(c->a, "ENV=%s", script).p;
    } else if (kind == SHELL_ZSH) {
        argv[n++] = "-f"; /* else it asks a user without start files whether to make some */
        more[k++] = prompt_inside(c, w);
    } else if (kind == SHELL_FISH) {
        (void)buf_str(&fish, STR("source "));
        (void)activate_quote(ACTIVATE_FISH, str_of(arena_printf(c->a, "%s.fish", script).p), &fish);
        argv[n++] = "-C";
        argv[n++] = arena_cstr(c->a, buf_done(&fish));
    }
    argv[n++] = "-i";
    argv[n] = NULL;
    more[k] = NULL;
}

bool activate_inside(struct cmd *c, struct workspace *w, struct err *e)
{
    const char *argv[6], *more[4];
    struct str name;

    if (!jail_is_wanted(&w->config)) {
        (void)err_set(e, ERR_CONFIG, "there is no sandbox to open a shell in: blast.toml asks for none");
        return err_hint(e, "[sandbox] network_isolation, filesystem_isolation or resource_control ask for one");
    }
    words_inside(c, w, users_shell(&name), argv, more);
    ui_note("a shell inside the sandbox: exit leaves it; blast install and the like are for another terminal");
    (void)daemon_session_begin(c, w, getpid());
    if (!ui_flush())
        return err_sys(e, "write to standard output");
    return inside_run(c, w, (char *const *)(uintptr_t)argv, more, e);
}
