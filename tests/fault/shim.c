/* Makes one call that changes files fail, or ends the process there: LD_PRELOAD for tests/e2e/test_faults.py.
 *
 *     FAULT_PROGRAM   only the program of this name counts; its children (interpreters, builds) run as usual
 *     FAULT_AT=N      the N-th counted call fails; 0: none
 *     FAULT_HOW=E     an errno number, or 0: SIGKILL before the call
 *     FAULT_COUNT=F   at the end the number of counted calls is written to F
 *
 * Counted: opening for writing, writing to a regular file, making, linking, renaming, removing, flushing, cutting.
 * The hooks have C names of their own and are given the library's names by asm labels, for the large-file names are
 * aliases in the headers.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

static _Atomic long calls;
static long fault_at = -1; /* -1: not this program */
static int fault_errno;

static __attribute__((constructor)) void read_orders(void)
{
    const char *at = getenv("FAULT_AT"), *how = getenv("FAULT_HOW"), *program = getenv("FAULT_PROGRAM");

    if (!at || !program || strcmp(program, program_invocation_short_name) != 0)
        return;
    fault_errno = how ? (int)strtol(how, NULL, 10) : EIO;
    fault_at = strtol(at, NULL, 10);
}

static __attribute__((destructor)) void report(void)
{
    const char *path = getenv("FAULT_COUNT");
    FILE *f = fault_at >= 0 && path ? fopen(path, "we") : NULL;

    fault_at = -1;
    if (f) {
        (void)fprintf(f, "%ld\n", calls);
        (void)fclose(f);
    }
}

/* True when this call is the one that fails; errno is set then. */
static bool fails_here(void)
{
    if (fault_at < 0 || ++calls != fault_at)
        return false;
    if (fault_errno == 0) {
        (void)raise(SIGKILL);
        _exit(137);
    }
    errno = fault_errno;
    return true;
}

static bool is_file(int fd)
{
    struct stat st;

    return fd > STDERR_FILENO && fstat(fd, &st) == 0 && S_ISREG(st.st_mode);
}

#define REAL(name, type)                                                                                               \
    static __typeof__(type) real;                                                                                      \
    if (!real) {                                                                                                       \
        void *found = dlsym(RTLD_NEXT, #name);                                                                         \
        memcpy(&real, &found, sizeof real);                                                                            \
    }

/* result, name, parameters with and without types, when it counts */
#define HOOK(result, name, declared, passed, counts)                                                                   \
    result hook_##name declared __asm__(#name);                                                                        \
    result hook_##name declared                                                                                        \
    {                                                                                                                  \
        REAL(name, result (*) declared)                                                                                \
        if ((counts) && fails_here())                                                                                  \
            return -1;                                                                                                 \
        return real passed;                                                                                            \
    }

#define OPEN_HOOK(name, first_declared, first_passed)                                                                  \
    int hook_##name(first_declared const char *path, int flags, ...) __asm__(#name);                                   \
    int hook_##name(first_declared const char *path, int flags, ...)                                                   \
    {                                                                                                                  \
        REAL(name, int (*)(first_declared const char *, int, ...))                                                     \
        va_list ap;                                                                                                    \
        va_start(ap, flags);                                                                                           \
        mode_t mode = flags & (O_CREAT | __O_TMPFILE) ? va_arg(ap, mode_t) : 0;                                        \
        va_end(ap);                                                                                                    \
        if ((flags & (O_CREAT | O_WRONLY | O_RDWR)) && fails_here())                                                   \
            return -1;                                                                                                 \
        return real(first_passed path, flags, mode);                                                                   \
    }

#define NOTHING
#define DIR_DECLARED int dir,
#define DIR_PASSED dir,

OPEN_HOOK(open, NOTHING, NOTHING)
OPEN_HOOK(open64, NOTHING, NOTHING)
OPEN_HOOK(openat, DIR_DECLARED, DIR_PASSED)
OPEN_HOOK(openat64, DIR_DECLARED, DIR_PASSED)
HOOK(int, __openat_2, (int dir, const char *path, int flags), (dir, path, flags), flags & (O_WRONLY | O_RDWR))
HOOK(int, __openat64_2, (int dir, const char *path, int flags), (dir, path, flags), flags & (O_WRONLY | O_RDWR))
HOOK(ssize_t, write, (int fd, const void *p, size_t n), (fd, p, n), is_file(fd))
HOOK(ssize_t, pwrite64, (int fd, const void *p, size_t n, off_t at), (fd, p, n, at), is_file(fd))
HOOK(ssize_t, copy_file_range, (int in, off_t *a, int out, off_t *b, size_t n, unsigned flags),
     (in, a, out, b, n, flags), is_file(out))
HOOK(int, ftruncate64, (int fd, off_t n), (fd, n), true)
HOOK(int, fallocate64, (int fd, int mode, off_t at, off_t n), (fd, mode, at, n), true)
HOOK(int, fsync, (int fd), (fd), true)
HOOK(int, fdatasync, (int fd), (fd), true)
HOOK(int, mkdir, (const char *path, mode_t mode), (path, mode), true)
HOOK(int, mkdirat, (int dir, const char *path, mode_t mode), (dir, path, mode), true)
HOOK(int, rmdir, (const char *path), (path), true)
HOOK(int, unlink, (const char *path), (path), true)
HOOK(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), true)
HOOK(int, rename, (const char *a, const char *b), (a, b), true)
HOOK(int, renameat, (int d, const char *a, int g, const char *b), (d, a, g, b), true)
HOOK(int, renameat2, (int d, const char *a, int g, const char *b, unsigned flags), (d, a, g, b, flags), true)
HOOK(int, symlink, (const char *target, const char *path), (target, path), true)
HOOK(int, symlinkat, (const char *target, int dir, const char *path), (target, dir, path), true)
HOOK(int, link, (const char *a, const char *b), (a, b), true)
HOOK(int, linkat, (int d, const char *a, int g, const char *b, int flags), (d, a, g, b, flags), true)
HOOK(int, fchmod, (int fd, mode_t mode), (fd, mode), true)
HOOK(int, fchmodat, (int dir, const char *path, mode_t mode, int flags), (dir, path, mode, flags), true)
