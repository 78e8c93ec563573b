#include "install/compile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "install/boot.h"
#include "store/store.h"

#define LOCK ".compile.lock"
#define LOCK_FD 3

/* Folders of the store are read-only: each is opened for the moment in which its __pycache__ is made. The compiled
 * file holds the source's time and size, which every link to the source shows too. */
static const char program[] =
    "import os, sys, py_compile, importlib.util as u\n"
    "for top in sys.argv[1:]:\n"
    "    for d, ds, fs in os.walk(top):\n"
    "        ds[:] = [x for x in ds if x not in ('__pycache__', '.blast')]\n"
    "        fs = [f for f in fs if f.endswith('.py')]\n"
    "        fs = [f for f in fs if not os.path.exists(u.cache_from_source(os.path.join(d, f)))]\n"
    "        if not fs: continue\n"
    "        try:\n"
    "            c = os.path.join(d, '__pycache__')\n"
    "            if not os.path.isdir(c):\n"
    "                m = os.stat(d).st_mode & 0o7777\n"
    "                os.chmod(d, m | 0o700)\n"
    "                try: os.mkdir(c)\n"
    "                finally: os.chmod(d, m)\n"
    "        except OSError: continue\n"
    "        for f in fs:\n"
    "            try: py_compile.compile(os.path.join(d, f), doraise=True, quiet=2)\n"
    "            except Exception: pass\n";

/* In the child of a process that may have threads: system calls only. Never returns. */
static void become_compiler(int lock, char *const *argv, char *const *env)
{
    struct flock whole = { .l_type = F_WRLCK, .l_whence = SEEK_SET };

    (void)setsid();
    pid_t pid = fork(); /* the parent of the second one is init: nobody has to wait for it */

    if (pid != 0)
        _exit(pid < 0);
    (void)setpriority(PRIO_PROCESS, 0, 19);
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);

    if (null < 0 || dup2(lock, LOCK_FD + 1) < 0 || dup2(LOCK_FD + 1, LOCK_FD) < 0 || dup2(null, 0) < 0 ||
        dup2(null, 1) < 0 || dup2(null, 2) < 0 || close_range(LOCK_FD + 1, ~0u, 0) < 0 || chdir("/") < 0)
        _exit(1);
    while (fcntl(LOCK_FD, F_OFD_SETLKW, &whole) < 0)
        if (errno != EINTR)
            _exit(1);
    (void)execve(argv[0], argv, env);
    _exit(1);
}

/* Started in a shell that entered an environment it would count as a program of that environment, which kill ends. */
static char **compiler_environment(struct arena *a)
{
    size_t n = 0, at = 0;

    while (environ[n])
        n++;
    char **env = ARENA_ARRAY(a, char *, n + 1);

    for (size_t i = 0; i < n; i++)
        if (!str_starts(str_of(environ[i]), STR("VIRTUAL_ENV")) && !str_starts(str_of(environ[i]), STR("BLAST_")))
            env[at++] = environ[i];
    env[at] = NULL;
    return env;
}

/* Blast's own start-up files are there, and no Python has compiled them yet. */
static bool shelf_is_due(const struct store *s, const char *shelf)
{
    char path[BOOT_SHELF + 16];

    (void)snprintf(path, sizeof path, "%s/__pycache__", shelf);
    return file_exists(s->dir, shelf) && !file_exists(s->dir, path);
}

bool compile_start(const struct store *s, const char *python, const struct str *hexes, size_t n, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FD lock = -1;
    int status;
    bool got;

    char shelf[BOOT_SHELF];

    boot_shelf(shelf);
    if ((n == 0 && !shelf_is_due(s, shelf)) || getenv("BLAST_NO_COMPILE"))
        return true;
    arena_init(&a);
    char **argv = ARENA_ARRAY(&a, char *, n + 7);
    size_t at = 0;

    argv[at++] = arena_cstr(&a, str_of(python));
    argv[at++] = arena_cstr(&a, STR("-I"));
    argv[at++] = arena_cstr(&a, STR("-S"));
    argv[at++] = arena_cstr(&a, STR("-c"));
    argv[at++] = arena_cstr(&a, str_of(program));
    for (size_t i = 0; i < n; i++) {
        char path[STORE_TREE_PATH];
        struct str hex = hexes[i];

        if (hex.n != HASH_HEX256)
            return err_set(e, ERR_CACHE, "'" STR_FMT "' is no sha256", STR_ARG(hex));
        store_tree_path(arena_cstr(&a, hex), path);
        argv[at++] = arena_cstr(&a, arena_printf(&a, "%s/%s", s->path, path));
    }
    argv[at++] = arena_cstr(&a, arena_printf(&a, "%s/%s", s->path, shelf));
    /* Taken here where it is free, so that compile_wait() after this call waits for the child. */
    if (!fd_open(s->dir, LOCK, O_RDWR | O_CREAT, 0644, &lock, e) || !fd_try_lock(lock, true, &got, LOCK, e))
        return false;
    char **env = compiler_environment(&a);
    pid_t pid = fork();

    if (pid < 0)
        return err_sys(e, "start the compiler");
    if (pid == 0)
        become_compiler(lock, argv, env);
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return true;
}

bool compile_wait(const struct store *s, unsigned timeout_ms, struct err *e)
{
    uint64_t end = clock_ms() + timeout_ms;
    AUTO_FD lock = -1;
    bool got;

    if (!fd_open(s->dir, LOCK, O_RDWR | O_CREAT, 0644, &lock, e))
        return false;
    for (;;) {
        struct timespec t = { .tv_nsec = 10 * 1000000 };

        if (!fd_try_lock(lock, true, &got, LOCK, e))
            return false;
        if (got)
            return true;
        if (clock_ms() >= end)
            return err_set(e, ERR_CACHE, "the compiler ran for more than %u ms", timeout_ms);
        (void)nanosleep(&t, NULL); /* a signal only makes it shorter */
    }
}
