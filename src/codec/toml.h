/* TOML 1.0: a strict reader that remembers where everything stands.
 *
 * The whole document becomes a tree in the caller's arena. Each node knows the bytes of its key and of its value
 * in the text, so that codec/toml_edit.h can change one thing and keep every other byte. Nothing that TOML 1.0
 * forbids is let through: redefinitions, bad dates, stray control characters and invalid UTF-8 are errors.
 *
 * Pure: no I/O. Views point into the text or into the arena and live as long as both. Documents are limited to
 * TOML_SIZE_MAX bytes, TOML_NODES_MAX keys and values, and TOML_DEPTH_MAX levels, which also bounds the recursion here
 * and in whoever walks a tree.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define TOML_SIZE_MAX (32u << 20)
#define TOML_DEPTH_MAX 100
#define TOML_NODES_MAX 2000000

enum toml_type {
    TOML_STRING,
    TOML_INTEGER,
    TOML_FLOAT,
    TOML_BOOL,
    TOML_DATETIME,       /* with an offset */
    TOML_DATETIME_LOCAL, /* without one */
    TOML_DATE,
    TOML_TIME,
    TOML_ARRAY,
    TOML_TABLE
};

/* How a table or an array came to be; says what may still be added to it, and where an edit would put it. */
enum toml_made {
    TOML_VALUE,    /* written as a value: scalar, [1, 2] or {a = 1} */
    TOML_IMPLICIT, /* on the way of a header: a in [a.b] */
    TOML_HEADER,   /* [a]; also each element of [[a]] */
    TOML_DOTTED,   /* on the way of a key: a in a.b = 1 */
    TOML_TABLES    /* the array of [[a]] */
};

struct toml_node {
    enum toml_type type;
    enum toml_made made;
    struct str key;                 /* decoded; empty in arrays and for the root */
    struct toml_node *parent;       /* NULL for the root */
    struct toml_node *next;         /* in the order of the file */
    struct toml_node *first, *last; /* children of arrays and tables */
    uint32_t n;                     /* how many children */
    uint32_t depth, section;
    struct str text;   /* strings: decoded; numbers and dates: as written; NUL behind it */
    int64_t integer;
    double real;       /* also the value of an integer */
    bool yes;
    /* Offsets in the document's text. `from..to` is the value; for tables made by a header the header itself,
     * brackets included. `key_from..key_to` is the last part of the key, `line_from` where its statement starts. */
    uint32_t from, to, key_from, key_to, line_from;
    uint32_t body_to; /* tables with a header, and the root: after their last statement's line */
};

struct toml_doc {
    struct str text;
    const char *name; /* for messages; may be NULL */
    struct toml_node *root;
    struct arena *arena;
    struct toml_node **slots; /* index of (table, key) */
    uint32_t slot_count, slots_used;
    uint32_t sections, nodes;
};

/* `name` is the file's name in messages and may be NULL; it must live as long as the document. Fails with ERR_CONFIG
 * "NAME:LINE:COLUMN: what is wrong". Lines and columns count from 1, columns in characters. */
MUST_USE bool toml_parse(struct str text, const char *name, struct arena *a, struct toml_doc **out, struct err *e);

/* The member `key` of a table, or NULL. `table` may be NULL or no table: then NULL. */
MUST_USE const struct toml_node *toml_get(const struct toml_doc *d, const struct toml_node *table, struct str key);
/* Follows "a.b.c" from the root, or NULL. Parts are separated by dots and taken as they are: no quoting. */
MUST_USE const struct toml_node *toml_find(const struct toml_doc *d, const char *path);

/* "string", "integer", ... as messages say it: "an integer". */
MUST_USE const char *toml_type_name(enum toml_type t);

struct toml_place {
    unsigned line, column;
};
MUST_USE struct toml_place toml_place_of(const struct toml_doc *d, uint32_t offset);
MUST_USE struct toml_place toml_key_place(const struct toml_doc *d, const struct toml_node *n);
MUST_USE struct toml_place toml_value_place(const struct toml_doc *d, const struct toml_node *n);

/* ERR_CONFIG "NAME:LINE:COLUMN: message" at a node's value. Returns false. */
bool toml_error(const struct toml_doc *d, const struct toml_node *at, struct err *e, const char *fmt, ...)
    PRINTF(4, 5);

/* A dotted key in TOML's own spelling (`a."b c".d`) into at most max parts, decoded in the arena. ERR_CONFIG when it
 * is not one or has more parts. */
MUST_USE bool toml_path_parse(struct str path, struct arena *a, struct str *part, size_t max, size_t *n,
                              struct err *e);
