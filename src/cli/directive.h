/* Words to the shell that called us: the function of `blast shell-init` evaluates them when we have ended.
 *
 * That function names in BLAST_DIRECTIVE_FD a pipe, or in BLAST_DIRECTIVE_FILE an empty file of ours, and in
 * BLAST_DIRECTIVE_SHELL the shell's kind and process id. All three are taken out of our environment at once and the
 * descriptor is closed in everything we start: a child that kept the pipe open would keep the shell waiting. What is
 * no pipe, or no file of this user, is not written to: the variable may have been inherited by mistake.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "env/shell_init.h"

struct err;

struct directive {
    int fd;                /* -1: nobody listens */
    enum shell_kind shell;
    int64_t pid;           /* of the shell; 0: not known */
};

extern struct directive directive; /* set once by main, then only read */

void directive_init(void);
MUST_USE bool directive_is_heard(void);
MUST_USE bool directive_send(struct str text, struct err *e);
