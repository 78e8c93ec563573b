#include "daemon/crash.h"

#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <ucontext.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/vec.h"
#include "build_config.h"
#include "daemon/log.h"

#define STACK_WORDS 512 /* of the stack that are looked at */
#define HANDLER_STACK 16384

/* The handler may only make system calls, so all that it needs is ready here. */
static int crash_dir = -1;
static const struct log *crash_log;

/* Of the linker: where our code begins and ends. */
extern const char __executable_start, etext; /* NOLINT(readability-identifier-naming): not our name */

static void put(int fd, const char *text)
{
    ssize_t ignored = write(fd, text, strlen(text));

    (void)ignored; /* nobody is left to be told */
}

static char *put_digits(char *end, uint64_t v, unsigned base)
{
    *--end = '\0';
    do {
        *--end = "0123456789abcdef"[v % base];
        v /= base;
    } while (v);
    return end;
}

static void put_number(int fd, const char *name, uint64_t v, unsigned base)
{
    char digits[32];

    put(fd, name);
    put(fd, base == 16 ? " 0x" : " ");
    put(fd, put_digits(digits + sizeof digits, v, base));
    put(fd, "\n");
}

static void put_registers(int fd, const ucontext_t *u, uintptr_t *stack)
{
#if defined(__x86_64__)
    *stack = (uintptr_t)u->uc_mcontext.gregs[REG_RSP];
    put_number(fd, "at", (uint64_t)u->uc_mcontext.gregs[REG_RIP], 16);
#elif defined(__aarch64__)
    *stack = (uintptr_t)u->uc_mcontext.sp;
    put_number(fd, "at", u->uc_mcontext.pc, 16);
#else
    *stack = (uintptr_t)u;
#endif
    put_number(fd, "program", (uintptr_t)&__executable_start, 16);
}

/* Words on the stack that point into our code: most are return addresses. Read through a pipe-less copy, because the
 * stack may end anywhere: /proc/self/mem gives an error where a load would give a second crash. */
static void put_stack(int fd, uintptr_t stack)
{
    int mem = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
    uintptr_t from = (uintptr_t)&__executable_start, to = (uintptr_t)&etext, word;

    for (unsigned i = 0; mem >= 0 && i < STACK_WORDS; i++)
        if (pread(mem, &word, sizeof word, (off_t)(stack + i * sizeof word)) == (ssize_t)sizeof word && word >= from &&
            word < to)
            put_number(fd, "  +", word - from, 16);
    if (mem >= 0)
        (void)close(mem); /* read only */
}

static void put_file(int fd, const char *path)
{
    char chunk[1024];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    while (from >= 0 && (n = read(from, chunk, sizeof chunk)) > 0)
        if (write(fd, chunk, (size_t)n) < 0)
            break;
    if (from >= 0)
        (void)close(from); /* read only */
}

static void put_recent(int fd)
{
    const struct log *l = crash_log;
    ssize_t ignored = write(fd, l->recent + l->recent_at, LOG_RECENT - l->recent_at);

    ignored = write(fd, l->recent, l->recent_at);
    (void)ignored; /* nobody is left to be told */
}

/* <seconds since 1970>-<pid>.txt: calendar time takes calls that a handler may not make. */
static int open_report(void)
{
    char name[64] = { 0 }, digits[32];
    size_t n = 0;
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    for (const char *p = put_digits(digits + sizeof digits, (uint64_t)now.tv_sec, 10); *p;)
        name[n++] = *p++;
    name[n++] = '-';
    for (const char *p = put_digits(digits + sizeof digits, (uint64_t)getpid(), 10); *p;)
        name[n++] = *p++;
    memcpy(name + n, ".txt", 5);
    return openat(crash_dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
}

static void crashed(int sig, siginfo_t *info, void *context)
{
    int fd = open_report();
    uintptr_t stack = 0;

    if (fd >= 0) {
        put(fd, "blastd " BLAST_VERSION "\n");
        put_number(fd, "pid", (uint64_t)getpid(), 10);
        put_number(fd, "signal", (uint64_t)sig, 10);
        if (info->si_code <= 0) /* sent by a process: si_addr would be that one's number */
            put_number(fd, "sent by", (uint64_t)info->si_pid, 10);
        else
            put_number(fd, "address", (uintptr_t)info->si_addr, 16);
        put_registers(fd, context, &stack);
        put(fd, "stack, offsets in the program:\n");
        put_stack(fd, stack);
        put(fd, "maps:\n");
        put_file(fd, "/proc/self/maps");
        put(fd, "log:\n");
        put_recent(fd);
        (void)close(fd); /* as good as it can be */
    }
    (void)raise(sig); /* SA_RESETHAND: the default action comes once this handler returns */
}

/* Keeps the newest reports. Names begin with the time, so their order is the order of age for the next 250 years. */
static bool remove_old(const char *dir, struct err *e)
{
    AUTO_ARENA a = { 0 };
    AUTO_FILE_LIST list = { NULL };
    VEC(struct str) names = { 0 };
    const struct dirent *d;

    if (!file_list_open(AT_FDCWD, dir, &list, e))
        return false;
    while (file_list_next(&list, &d, e))
        if (str_ends(str_of(d->d_name), STR(".txt")))
            VEC_PUSH_IN(&a, &names, arena_str(&a, str_of(d->d_name)));
    if (names.n)
        qsort(names.p, names.n, sizeof *names.p, str_order);
    for (size_t i = 0; i + CRASH_FILES < names.n; i++)
        (void)unlinkat(crash_dir, names.p[i].p, 0); /* one more file is no reason not to start */
    return e->kind == ERR_NONE;
}

bool crash_install(const char *dir, const struct log *log, struct err *e)
{
    static const int signals[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT, SIGSYS };
    static char room[HANDLER_STACK]; /* the stack may be what is used up */
    const stack_t stack = { .ss_sp = room, .ss_size = sizeof room };
    struct sigaction act = { .sa_sigaction = crashed, .sa_flags = SA_SIGINFO | SA_ONSTACK | (int)SA_RESETHAND };

    if (!fd_open_dir(AT_FDCWD, dir, &crash_dir, e) || !remove_old(dir, e))
        return err_as(e, ERR_DAEMON, "prepare for crash reports");
    crash_log = log;
    if (sigaltstack(&stack, NULL) < 0)
        return err_sys(e, "set the stack for crash reports");
    (void)sigemptyset(&act.sa_mask);
    for (size_t i = 0; i < COUNT(signals); i++)
        if (sigaction(signals[i], &act, NULL) < 0)
            return err_sys(e, "handle signal %d", signals[i]);
    return true;
}
