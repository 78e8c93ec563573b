/* Processes that were started in an environment: those of this user whose VIRTUAL_ENV names it.
 *
 * We ourselves and those we descend from are left out: a shell is left by its own means. Each is held by a pidfd, so
 * that its number cannot come to mean another process between the look and the signal.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define PROCESSES_MAX 4096
#define PROCESSES_GRACE_MS 5000u

struct process {
    int fd;
    long pid;
    char name[32]; /* as the kernel has it, control characters replaced */
};

struct processes {
    struct process *p; /* in the arena given */
    size_t n;
};

/* Adds those of any of the `n` environments (absolute paths), at most PROCESSES_MAX in all. */
MUST_USE bool processes_find(const struct str *env, size_t n, struct arena *a, struct processes *out, struct err *e);
/* "python 4711, pytest 4712 and 3 more" */
MUST_USE struct str processes_text(const struct processes *list, struct arena *a);
/* SIGTERM, up to PROCESSES_GRACE_MS of patience, SIGKILL. */
void processes_end(struct processes *list);
void processes_close(struct processes *list);
#define AUTO_PROCESSES AUTO(processes_close) struct processes
