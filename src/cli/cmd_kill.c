/* blast kill: leaves the environment and ends what was started in it; --purge deletes it. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/activate_cmd.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/env.h"

#define GRACE_MS 5000u
#define PROCESSES_MAX 4096
#define ENVIRON_MAX ((size_t)2 << 20)

struct process {
    int fd; /* pidfd: the number cannot come to mean another process */
    long pid;
};

struct processes {
    struct process p[PROCESSES_MAX];
    size_t n;
};

/* Was it started in this environment? Its VIRTUAL_ENV says so. */
static bool belongs(int proc, const char *pid, struct str mark)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct str text, one;
    char path[64];

    (void)snprintf(path, sizeof path, "%.20s/environ", pid);
    if (!fd_read_if_there(proc, path, ENVIRON_MAX, &a, &text, &ignored) || !text.p)
        return false;
    while (str_next(&text, '\0', &one))
        if (str_eq(one, mark))
            return true;
    return false;
}

/* We ourselves and those we descend from are left alone: the shell is left by exiting it. */
static bool is_ancestor(long pid)
{
    long at = (long)getpid();

    for (unsigned depth = 0; at > 1 && depth < 256; depth++) {
        char path[64], text[512];
        AUTO_FD fd = -1;

        if (at == pid)
            return true;
        (void)snprintf(path, sizeof path, "/proc/%ld/stat", at);
        fd = open(path, O_RDONLY | O_CLOEXEC);
        ssize_t n = fd < 0 ? -1 : read(fd, text, sizeof text - 1);

        if (n <= 0)
            return false;
        text[n] = '\0';
        const char *end = strrchr(text, ')');

        if (!end || sscanf(end + 1, " %*c %ld", &at) != 1) // NOLINT(cert-err34-c): checked
            return false;
    }
    return false;
}

static bool find_processes(const char *env, struct arena *a, struct processes *out, struct err *e)
{
    struct str mark = arena_printf(a, "VIRTUAL_ENV=%s", env);
    AUTO_FD proc = -1;
    AUTO_FILE_LIST list = { NULL };
    const struct dirent *d;

    if (!fd_open_dir(AT_FDCWD, "/proc", &proc, e) || !file_list_open(AT_FDCWD, "/proc", &list, e))
        return false;
    while (out->n < PROCESSES_MAX && file_list_next(&list, &d, e)) {
        uint64_t pid;
        struct stat st;

        if (!str_to_u64(str_of(d->d_name), &pid) || fstatat(proc, d->d_name, &st, 0) < 0 || st.st_uid != geteuid() ||
            is_ancestor((long)pid))
            continue;
        int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

        if (fd >= 0 && belongs(proc, d->d_name, mark))
            out->p[out->n++] = (struct process){ fd, (long)pid };
        else
            fd_close(&fd);
    }
    return e->kind == ERR_NONE;
}

static void send_all(struct processes *list, int sig)
{
    for (size_t i = 0; i < list->n; i++)
        (void)syscall(SYS_pidfd_send_signal, list->p[i].fd, sig, NULL, 0); /* gone already is fine */
}

static bool any_left(const struct processes *list)
{
    for (size_t i = 0; i < list->n; i++)
        if (syscall(SYS_pidfd_send_signal, list->p[i].fd, 0, NULL, 0) == 0)
            return true;
    return false;
}

static void end_all(struct processes *list)
{
    uint64_t end = clock_ms() + GRACE_MS;

    send_all(list, SIGTERM);
    while (any_left(list) && clock_ms() < end)
        (void)nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
    send_all(list, SIGKILL);
    for (size_t i = 0; i < list->n; i++)
        fd_close(&list->p[i].fd);
}

static bool purge(struct cmd *c, const struct workspace *w, struct err *e)
{
    if (!option_flag(&c->options, OPT_YES) && !ui_confirm(arena_printf(c->a, "delete %s?", w->env_path).p)) {
        (void)err_set(e, ERR_ENVIRONMENT, "deleting %s was not confirmed", w->env_path);
        return err_hint(e, "blast kill --purge --yes deletes without asking");
    }
    if (!file_remove_tree(AT_FDCWD, w->env_path, e))
        return err_as(e, ERR_ENVIRONMENT, "delete %s", w->env_path);
    ui_note("deleted %s; its history stays, blast start makes it again", w->env_path);
    return true;
}

static void print_json(size_t ended, bool purged)
{
    struct json_result j;

    json_result_begin(&j, "blast.kill/1");
    json_write_member_u64(&j.w, "ended", ended);
    json_write_member_bool(&j.w, "purged", purged);
    json_result_end(&j);
}

bool cmd_kill(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct processes *list = ARENA_NEW(c->a, struct processes);

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e))
        return false;
    if (!env_is_there(w.env_path)) {
        if (ui.json)
            print_json(0, false);
        ui_note("there is no environment at %s", w.env_path);
        return true;
    }
    if (!find_processes(w.env_path, c->a, list, e))
        return false;
    size_t ended = list->n;

    end_all(list);
    if (ended)
        ui_note("ended %zu process%s of the environment", ended, ended == 1 ? "" : "es");
    bool leave = activate_is_active(&w) && activate_is_subshell();

    if (activate_is_active(&w) && !leave)
        ui_note("it is active in this shell: leave it with `deactivate`");
    else if (!ended && !leave)
        ui_note("nothing of the environment was running");
    if (option_flag(&c->options, OPT_PURGE) && !purge(c, &w, e))
        return false;
    if (ui.json)
        print_json(ended, option_flag(&c->options, OPT_PURGE));
    if (leave) {
        ui_note("left the shell that blast start opened");
        (void)!ui_flush();             /* before the terminal is the other shell's again */
        (void)kill(getppid(), SIGHUP); /* what a shell gets when its terminal goes: it ends, and its jobs with it */
    }
    return true;
}
