/* What the machine of tests/vm/run runs inside the sandbox: one program, linked statically, that uses up what is
 * limited and says how far it came.
 *
 *     probe as UID COMMAND...     as an ordinary user, with no other groups
 *     probe eat MIB               touches so much memory, then says "ate"
 *     probe fork N                says how many of N processes could be there at once, and the last errno
 *     probe spin SECONDS          says how many milliseconds of processor it had in so many seconds
 *     probe write FILE N          N direct writes of 4 KiB; says how many milliseconds they took
 *     probe landlock              says the ABI; 0: none
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LANDLOCK_VERSION 1u

static long now_ms(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int as(unsigned id, char **command)
{
    if (setgroups(0, NULL) < 0 || setresgid(id, id, id) < 0 || setresuid(id, id, id) < 0) {
        perror("become another user");
        return 125;
    }
    (void)execvp(command[0], command);
    perror(command[0]);
    return 127;
}

static int eat(size_t mib)
{
    for (size_t i = 0; i < mib; i++) {
        char *p = malloc(1u << 20);

        if (!p)
            return 1;
        memset(p, (int)i + 1, 1u << 20);
    }
    (void)puts("ate");
    return 0;
}

static int fork_many(int wanted)
{
    int hold[2], n = 0, why = 0;

    if (pipe(hold) < 0)
        return 1;
    while (n < wanted) {
        pid_t pid = fork();

        if (pid < 0) {
            why = errno;
            break;
        }
        if (pid == 0) {
            char c;

            (void)close(hold[1]);
            _exit(read(hold[0], &c, 1) != 0);
        }
        n++;
    }
    (void)close(hold[1]);
    while (wait(NULL) > 0)
        ;
    (void)printf("%d %s\n", n, why == EAGAIN ? "EAGAIN" : why ? strerror(why) : "all");
    return 0;
}

static int spin(long seconds)
{
    long end = now_ms() + seconds * 1000;
    struct rusage u;

    while (now_ms() < end)
        ;
    (void)getrusage(RUSAGE_SELF, &u);
    (void)printf("%ld\n", (u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1000 + (u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1000);
    return 0;
}

static int write_direct(const char *path, int n)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_DIRECT, 0600);
    void *block = NULL;
    long begun = now_ms();

    if (fd < 0 || posix_memalign(&block, 4096, 4096) != 0) {
        perror(path);
        return 1;
    }
    memset(block, 1, 4096);
    for (int i = 0; i < n; i++)
        if (write(fd, block, 4096) != 4096) {
            perror(path);
            return 1;
        }
    free(block);
    (void)printf("%ld\n", now_ms() - begun);
    return 0;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    int n = argc > 2 ? atoi(argv[argc - 1]) : 0;

    if (argc > 3 && strcmp(what, "as") == 0)
        return as((unsigned)atoi(argv[2]), argv + 3);
    if (argc == 3 && strcmp(what, "eat") == 0)
        return eat((size_t)n);
    if (argc == 3 && strcmp(what, "fork") == 0)
        return fork_many(n);
    if (argc == 3 && strcmp(what, "spin") == 0)
        return spin(n);
    if (argc == 4 && strcmp(what, "write") == 0)
        return write_direct(argv[2], n);
    if (argc == 2 && strcmp(what, "landlock") == 0) {
        long abi = syscall(444, NULL, 0, LANDLOCK_VERSION);

        (void)printf("%ld\n", abi < 0 ? 0 : abi);
        return 0;
    }
    (void)fputs("usage: see the head of probe.c\n", stderr);
    return 2;
}
