/* What is recorded about a project's folder. Private to sync/trust*.c. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct err;
struct workspace;

struct trust_accepted {
    struct str name, value, digest;
};

struct trust_record {
    bool there; /* of this very folder: path, device, inode and owner agree */
    bool other; /* there is one, of a folder that was here before */
    bool full;
    int64_t given;
    struct trust_accepted *p;
    size_t n;
    struct str *startup;
    size_t n_startup;
};

/* A missing or damaged record gives there == false. Texts live in w->a. */
MUST_USE bool trust_record_load(struct workspace *w, struct trust_record *out, struct err *e);
/* Writes path, device, inode, owner and time as they are now, and the rest of the record. */
MUST_USE bool trust_record_save(struct workspace *w, const struct trust_record *r, struct err *e);
