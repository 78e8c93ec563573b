/* The table of `blast update`: for each package of the lock that moves or could, where it is, where it goes, what the
 * newest is, how old that version is and what holds it back. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct cmd;
struct err;
struct json_write;
struct lock;
struct workspace;

struct update_row {
    struct str name;
    struct str current; /* n == 0: comes new */
    struct str wanted;  /* n == 0: goes */
    struct str latest;  /* n == 0: not known */
    struct str age;     /* of the wanted version: "3 d"; n == 0: not known */
    struct str held_by; /* why it is not the latest; n == 0: it is */
    bool moves;
};

struct update_plan {
    struct update_row *p;
    size_t n, moving;
};

/* `new` is the lock that the update would write; without an old one every row comes new. In the command's arena. */
MUST_USE bool update_plan_make(struct cmd *c, struct workspace *w, const struct lock *new, struct update_plan *out,
                               struct err *e);
void update_plan_print(struct cmd *c, const struct update_plan *plan); /* on stdout */
void update_plan_write(const struct update_plan *plan, struct json_write *w); /* member "plan" */
/* Lets the user choose among those that move; *names are theirs. False without an error: nothing was chosen. */
MUST_USE bool update_plan_ask(struct cmd *c, const struct update_plan *plan, struct str **names, size_t *n);
