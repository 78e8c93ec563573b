/* A command in a view of a tree (install/trial.h) and a new tree that must stand one before it becomes current. */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct cmd;
struct env;
struct err;

/* Runs argv with the view as its environment, on our terminal; with --json its output goes to standard error. *status
 * is the exit code, 128 + signal, or 126 and 127 as env(1) has them. */
MUST_USE bool try_run(struct cmd *c, const char *view, char *const *argv, int *status, struct err *e);

/* For struct sync_job: the new tree is tried with `sh -c command`. */
struct try_job {
    struct cmd *c;
    struct str command;
    uint32_t aside; /* set by the engine: the number of the tree that failed; 0: none did */
};
MUST_USE bool try_tree(void *ctx, struct env *env, const char *tree, struct err *e);
/* Adds to the error how the failed tree can be looked at. */
void try_explain(struct try_job *t, const char *env_path, struct err *e);
/* The view of a tree that was kept, made once it has its number. Best effort. */
void try_keep_view(struct try_job *t, struct env *env);
