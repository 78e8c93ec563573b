/* For tests: the index server of tests/e2e as a child of the test, on the loopback.
 *
 * It ends with the test, at the end of its standard input at the latest. When there is no python3 the test says
 * SKIP and ends with 77.
 */
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "base/attr.h"

struct test_server {
    pid_t pid;
    int input; /* closing it ends the server */
    char url[64];
};

static inline void test_server_skip(const char *why)
{
    (void)printf("SKIP: %s\n", why);
    exit(77);
}

static inline bool test_server_exec(int in, int out, const char *certificate)
{
    const char *vectors = getenv("BLAST_VECTORS");
    char script[4096];

    (void)snprintf(script, sizeof script, "%s/../e2e/index_server.py", vectors ? vectors : "tests/vectors");
    (void)unsetenv("LD_PRELOAD");
    (void)dup2(in, 0);
    (void)dup2(out, 1);
    (void)close(in);
    (void)close(out);
    const char *option = certificate ? "--certificate" : "--many", *value = certificate ? certificate : "400";

    /* the system's first: a version manager's shim in PATH may wait a minute for a lock of its own */
    (void)execl("/usr/bin/python3", "python3", script, "--stdin", option, value, (char *)NULL);
    (void)execlp("python3", "python3", script, "--stdin", option, value, (char *)NULL);
    _exit(127);
}

/* `certificate`: PEM file for TLS, or NULL. */
static inline void test_server_start(struct test_server *s, const char *certificate)
{
    int to[2], from[2];

    if (pipe2(to, O_CLOEXEC) < 0 || pipe2(from, O_CLOEXEC) < 0 || (s->pid = fork()) < 0)
        test_server_skip("a child process cannot be started");
    if (s->pid == 0)
        (void)test_server_exec(to[0], from[1], certificate);
    (void)close(to[0]);
    (void)close(from[1]);
    s->input = to[1];
    size_t n = 0;

    while (n < sizeof s->url - 1 && read(from[0], s->url + n, 1) == 1 && s->url[n] != '\n')
        n++;
    s->url[n] = '\0';
    (void)close(from[0]);
    if (n == 0)
        test_server_skip("python3 with tests/e2e/index_server.py does not run here");
}

static inline void test_server_stop(struct test_server *s)
{
    int status;

    (void)close(s->input);
    (void)kill(s->pid, SIGTERM);
    (void)waitpid(s->pid, &status, 0);
}
