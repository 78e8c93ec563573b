/* Options of the command line: one table (options.def), read from words and from BLAST_* variables.
 *
 * A word on the command line beats the variable. Values are views into argv or the environment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct arena;
struct err;

/* Sets of options, more than an enum can hold. */
#define W_ALL (UINT64_C(1) << 0)
#define W_CHANGE (UINT64_C(1) << 1)
#define W_ENV (UINT64_C(1) << 2)
#define W_PYTHON (UINT64_C(1) << 3)
#define W_RESOLVE (UINT64_C(1) << 4)
#define W_LINK (UINT64_C(1) << 5)
#define W_CHECK (UINT64_C(1) << 6)
#define W_FROZEN (UINT64_C(1) << 7)
#define W_LOCK (UINT64_C(1) << 8)
#define W_UPDATE (UINT64_C(1) << 9)
#define W_ADD (UINT64_C(1) << 10)
#define W_START (UINT64_C(1) << 11)
#define W_RUN (UINT64_C(1) << 12) /* words after the first that is no option belong to the child */
#define W_KILL (UINT64_C(1) << 13)
#define W_YES (UINT64_C(1) << 14)
#define W_TREE (UINT64_C(1) << 15)
#define W_FORCE (UINT64_C(1) << 16)
#define W_STATUS (UINT64_C(1) << 17)
#define W_LIST (UINT64_C(1) << 18)
#define W_REMOVE (UINT64_C(1) << 19)
#define W_UPGRADE (UINT64_C(1) << 20)
#define W_UNDO (UINT64_C(1) << 21)
#define W_RAW (UINT64_C(1) << 22) /* all words after the command are its own */
#define W_TIMED (UINT64_C(1) << 23)
#define W_INDEX (UINT64_C(1) << 24) /* asks an index */
#define W_FILES (UINT64_C(1) << 25) /* takes requirements from files */
#define W_LISTS (UINT64_C(1) << 26) /* chooses among the project's extras and groups */
#define W_BISECT (UINT64_C(1) << 36)
#define W_HISTORY (UINT64_C(1) << 37)
#define W_HIDDEN (UINT64_C(1) << 44) /* for programs: no help lists it */
#define W_CHOOSE (UINT64_C(1) << 45)
#define W_SHELL (UINT64_C(1) << 27)
#define W_AUDIT (UINT64_C(1) << 40)
#define W_DAEMON (UINT64_C(1) << 46)
#define W_SANDBOX (UINT64_C(1) << 47)
#define W_TRUST (UINT64_C(1) << 41)

enum option_kind { OPTION_FLAG, OPTION_COUNT, OPTION_VALUE, OPTION_LIST };

enum option_id {
#define OPTION(id, name, letter, kind, value, where, text) OPT_##id,
#include "cli/options.def"
#undef OPTION
    OPTION_IDS
};

struct option {
    const char *name;
    char letter;
    enum option_kind kind;
    const char *value; /* what stands for the value in help */
    uint64_t where;
    const char *text;
};

struct options {
    struct {
        unsigned count;         /* times given; for a flag at most 1 counts */
        VEC(struct str) values; /* in the arena */
        bool from_variable;
    } at[OPTION_IDS];
    struct str command;    /* the first word that is no option; p == NULL: there is none */
    VEC(struct str) words; /* what is no option, in order; words.p[0] is the command's first argument */
};

extern const struct option option_table[OPTION_IDS];

/* Reads argv[1..]. ERR_CONFIG (exit code 2) for an
 * unknown option, with the nearest known one; the options allowed are those of the command, found by `where_of`,
 * which gives 0 for an unknown command (then all options pass and the caller reports the command). */
MUST_USE bool options_parse(int argc, char **argv, uint64_t (*where_of)(struct str command), struct arena *a,
                            struct options *out, struct err *e);

MUST_USE bool option_flag(const struct options *o, enum option_id id);
MUST_USE unsigned option_count(const struct options *o, enum option_id id);
/* The last value given, or p == NULL. */
MUST_USE struct str option_value(const struct options *o, enum option_id id);
/* BLAST_INDEX_URL for OPT_INDEX_URL; written to out. */
void option_variable(enum option_id id, char out[64]);
