/* From what a program asked for in its sandbox to the smallest change of blast.toml that would let it through.
 *
 * Smallest: what is let through already is not proposed again; files come as the directory that holds them, one
 * directory for many beside each other, never the root, a home directory or what lies right below the root; names and
 * addresses one by one. What may hold secrets, is Blast's own, another user's or the system's is not proposed, whatever
 * asked for it: it is listed with the reason. What runs inside decides what it asks for, so a person looks at the
 * change before it is made; nothing here writes a file.
 *
 * The network is judged by what blast-gate told, and where no gateway runs by what the program connected to.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "config/config.h"
#include "jail/asked.h"
#include "sync/learn_path.h"

struct arena;
struct err;
struct json_write;

struct learn_change {
    enum config_key key;
    struct str value;   /* what the list gets: a path, a name, an address, a port */
    struct str because; /* the first thing that asked for it */
    struct str by;      /* the distribution it was, if that is known */
};

struct learn_rest {
    const struct asked_item *item;
    struct str why;
};

struct learn {
    const struct learn_change *change; /* by key, then by value */
    size_t n_changes;
    const struct learn_rest *rest;     /* refused, and not proposed */
    size_t n_rest;
    uint64_t left_out; /* asked for, but beyond what is kept */
};

/* Texts live in the arena or in `asked`. */
void learn_find(const struct learn_case *c, struct learn *out);
/* Is it refused? The same for one thing, for the audit log; *why (static, or of the item) may be "". */
MUST_USE bool learn_is_refused(const struct learn_case *c, const struct asked_item *item, struct str *why);

/* Puts the changes into the text of blast.toml, comments and all else as they were. A list that the file does not have
 * begins with what is in force without it. ERR_CONFIG when the text cannot be edited. */
MUST_USE bool learn_edit(const struct learn *l, const struct config *c, struct str text, struct arena *a,
                         struct str *out, struct err *e);

/* "changes": [{"key", "value", "because", "by"}], "not_proposed": [{"how", "what", "why", ...}], "left_out": N: members
 * of the object that is open. */
void learn_write(const struct learn *l, struct json_write *w);
/* "sandbox.filesystem.allowed_paths" */
MUST_USE struct str learn_key_name(enum config_key key, struct arena *a);
