/* The shell that the environment is active in, whoever activated it: `blast start --subshell` sets the variable, so do
 * the functions of `blast shell-init` (src/env/shell), and each command run there finds it. What is run in a sandbox
 * keeps that for as long as this shell lives (jail/run.h).
 */
#pragma once

#include <sys/types.h>
#include "base/attr.h"

#define SHELL_PID_VARIABLE "BLAST_SHELL_PID"

/* The shell that called us knows itself best (cli/directive.h); else the variable. 0: none, or not a process id. */
MUST_USE pid_t shell_pid(void);
