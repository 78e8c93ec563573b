/* Trust in a project's folder: kept in the state directory, never in the project, for one path, inode and owner.
 *
 *     <state>/trust/<hash of the path>.json
 *
 * Three steps. None: nothing happens in the background. Sync: the user ran start, sync, install ... here, so wheels of
 * this project may be installed in the background too. Full: the user saw (`blast trust`) and accepted the settings of
 * the project's own files that give what runs here more power than the defaults or the user's own configuration do.
 *
 * Which settings those are is the table trust_rules[]: nothing else counts. Until they are accepted, in just this form,
 * they are not in force: workspace_open() puts the value of the layer below in their place (trust_apply()), and those
 * that name a place packages come from stop the command instead, because ignoring them would silently take packages
 * from elsewhere. Settings from files that belong to another user are never accepted.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"
#include "base/vec.h"
#include "config/config.h"

struct arena;
struct err;
struct workspace;

enum trust_level {
    TRUST_NONE,    /* never used here by hand, or the folder is another one now */
    TRUST_SYNC,    /* an explicit start, sync, install ... here; wheels may be installed */
    TRUST_CHANGED, /* TRUST_SYNC at least, but settings that widen power are there which were not accepted */
    TRUST_FULL     /* all such settings were accepted as they are */
};

struct trust_setting {
    enum config_key key;
    struct str name;  /* "sandbox.network_isolation" */
    const char *why;  /* what it gives: "no network isolation" */
    struct str value; /* as TOML writes it, credentials left out; n == 0: not set now */
    struct str before; /* as it was accepted; n == 0: it was not */
    struct str origin; /* "blast.toml:12" */
    struct str instead; /* what is in force instead; n == 0: the command stops when it needs the setting */
    bool accepted;    /* value is what was accepted */
    bool foreign;     /* the file belongs to another user */
    struct str digest; /* sha256 of the value as it is in the file; the value shown may leave out credentials */
};

struct trust {
    enum trust_level level;
    bool recorded;              /* there is a record for this very folder */
    bool full;                  /* it was made by `blast trust` */
    bool replaced;              /* there is a record, for another folder that was here */
    bool foreign;               /* the folder belongs to another user: nothing is recorded for it */
    struct trust_setting *p;    /* settings that widen power or did when they were accepted, in the table's order */
    size_t n;
    struct str *startup;        /* digests of start-up code that was allowed here */
    size_t n_startup;
    int64_t given;              /* when; 0: never */
};

/* One row for each setting that may widen power, and which way is wider. "Before" is the value of the layer below the
 * project's files: built-in default, the user's config.toml. */
enum trust_wider {
    TRUST_WIDER_OFF,      /* false where before it was true */
    TRUST_WIDER_ON,       /* true where before it was false */
    TRUST_WIDER_LEFT,     /* a word further left in keys.def */
    TRUST_WIDER_RIGHT,    /* a word further right */
    TRUST_WIDER_MORE,     /* a list with something that was not in it */
    TRUST_WIDER_FEWER,    /* a list that lacks something */
    TRUST_WIDER_OUTSIDE,  /* paths outside the project that were not there before */
    TRUST_WIDER_LIMIT,    /* a number that is larger, or 0: no limit */
    TRUST_WIDER_CHANGED,  /* any other text */
    TRUST_WIDER_PATH      /* a text that is a path: a program of the project would be run */
};

struct trust_rule {
    enum config_key key;
    enum trust_wider wider;
    bool stops;      /* not accepted: commands that need it stop; else the value of the layer below is taken */
    const char *why; /* what it gives, for `blast trust` */
};
extern const struct trust_rule trust_rules[];
extern const size_t trust_n_rules;

/* Reads the record and compares. Costs one open() where no setting widens power. The result lives in w->a. */
MUST_USE bool trust_state(struct workspace *w, struct trust *out, struct err *e);
/* Puts what is not accepted out of force in w->config; called once, by workspace_open(). One warning names the keys. */
MUST_USE bool trust_apply(struct workspace *w, struct err *e);
/* ERR_CONFIG with exit code 5 when packages would come from a place that was not accepted. */
MUST_USE bool trust_check_sources(const struct workspace *w, struct err *e);

/* Records that the user acts here: at least TRUST_SYNC. Nothing is written when that is known. */
MUST_USE bool trust_note(struct workspace *w, struct err *e);
/* Accepts all settings as they are. ERR_CONFIG with exit code 5 when one comes from another user's file. */
MUST_USE bool trust_accept(struct workspace *w, struct err *e);
/* Forgets everything about this folder; *was says whether there was something. */
MUST_USE bool trust_revoke(struct workspace *w, bool *was, struct err *e);
/* Start-up code, by the digest of what runs (sync/startup.h). */
MUST_USE bool trust_allow_startup(struct workspace *w, const struct str *digest, size_t n, struct err *e);
