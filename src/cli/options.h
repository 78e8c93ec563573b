/* Options of the command line: one table (options.def), read from words and from BLAST_* variables.
 *
 * A word on the command line beats the variable. Values are views into argv or the environment.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"

struct arena;
struct err;

enum option_where {
    W_ALL = 1 << 0,
    W_CHANGE = 1 << 1,
    W_ENV = 1 << 2,
    W_PYTHON = 1 << 3,
    W_RESOLVE = 1 << 4,
    W_LINK = 1 << 5,
    W_CHECK = 1 << 6,
    W_FROZEN = 1 << 7,
    W_LOCK = 1 << 8,
    W_UPDATE = 1 << 9,
    W_ADD = 1 << 10,
    W_START = 1 << 11,
    W_RUN = 1 << 12,  /* words after the first that is no option belong to the child */
    W_KILL = 1 << 13,
    W_YES = 1 << 14,
    W_TREE = 1 << 15,
    W_FORCE = 1 << 16,
    W_STATUS = 1 << 17,
    W_LIST = 1 << 18,
    W_REMOVE = 1 << 19,
    W_UPGRADE = 1 << 20,
    W_UNDO = 1 << 21,
    W_RAW = 1 << 22, /* all words after the command are its own */
    W_TIMED = 1 << 23,
    W_INDEX = 1 << 24, /* asks an index */
    W_FILES = 1 << 25, /* takes requirements from files */
    W_LISTS = 1 << 26, /* chooses among the project's extras and groups */
};

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
    unsigned where;
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
MUST_USE bool options_parse(int argc, char **argv, unsigned (*where_of)(struct str command), struct arena *a,
                            struct options *out, struct err *e);

MUST_USE bool option_flag(const struct options *o, enum option_id id);
MUST_USE unsigned option_count(const struct options *o, enum option_id id);
/* The last value given, or p == NULL. */
MUST_USE struct str option_value(const struct options *o, enum option_id id);
/* BLAST_INDEX_URL for OPT_INDEX_URL; written to out. */
void option_variable(enum option_id id, char out[64]);
