/* An environment on disk: made, opened, repaired, locked, listed.
 *
 * One made by Blast is a real directory, so that editors and other tools find it:
 *
 *     .venv/pyvenv.cfg  .gitignore  .lock
 *     .venv/bin -> .current/bin     lib -> .current/lib     lib64 -> lib
 *     .venv/.current -> .gen/13     the only thing that a change switches
 *     .venv/.gen/13                 a tree, or a link to the older tree whose content was made current again
 *
 * Manifests, journal and tags lie in the state directory, one subdirectory for each environment, named after its
 * path: they outlive `rm -rf .venv`. Any other environment (python -m venv, uv venv) is of the plain layout: it
 * is changed in place under a journal and has no history.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/attr.h"
#include "base/str.h"

struct err;

enum env_layout { ENV_GENERATIONS, ENV_PLAIN };

/* The interpreter an environment is made for; the caller's facts reduced to what is needed here. */
struct env_python {
    struct str executable; /* absolute path of the base interpreter */
    struct str version;    /* "3.12.1" */
    struct str implementation; /* "cpython", "pypy"; empty means cpython */
    struct str abi_suffix; /* behind the version in lib/python3.13t: "t" or empty */
    unsigned major, minor;
};

struct env {
    struct arena arena;    /* of all texts here */
    char *path;            /* absolute, as the user reaches it */
    int dir;               /* of the environment */
    int state;             /* its state directory; -1 when opened without one */
    int lock;              /* of .lock; -1: not held */
    enum env_layout layout;
    struct env_python python; /* from pyvenv.cfg */
    struct str site;       /* "lib/python3.12/site-packages" */
    struct str prompt;     /* n == 0: none */
    bool python_there;     /* bin/python leads to something that can be executed */
    bool repaired;         /* opening finished or undid an interrupted change */
    uint32_t current;      /* sequence number of the current generation; 0: none or plain */
    uint32_t tree;         /* number of the directory that holds it */
    struct str boot;       /* settings of Blast's own start-up files in new generations (install/boot.h); or n == 0 */
};

struct env_new {
    const char *path;      /* made with its parents; must not exist or be an empty directory */
    const char *state;     /* directory of all environments' state; made when missing */
    struct env_python python;
    struct str prompt;     /* n == 0: name of the directory that holds the environment */
    bool system_site_packages;
    bool plain;            /* a plain environment, as `python -m venv --without-pip` makes it */
    bool clear;            /* an environment that is there is replaced */
};

/* Makes the environment with an empty generation and opens it. ERR_ENVIRONMENT when something is in the way. A
 * project whose environment was deleted goes on with its old history. */
MUST_USE bool env_create(const struct env_new *spec, struct env *out, struct err *e);

/* Opens what is there; repairs it when a change was interrupted (not while another process holds the lock: then
 * it is changing right now). `state` may be NULL for reading only. ERR_ENVIRONMENT when it is no environment. */
MUST_USE bool env_open(const char *path, const char *state, struct env *out, struct err *e);
void env_close(struct env *env);
#define AUTO_ENV AUTO(env_close) struct env

/* Whether the path holds something that env_open would take: pyvenv.cfg is there. */
MUST_USE bool env_is_there(const char *path);

/* Excludes other changers. `waiting` (may be NULL) is called once when it takes longer than 300 ms;
 * timeout_ms 0 waits for ever, else ERR_ENVIRONMENT with exit code 7. Reads `current` again and repairs. */
struct env_wait {
    void (*waiting)(void *user);
    void *user;
    unsigned timeout_ms;
};
MUST_USE bool env_lock(struct env *env, const struct env_wait *wait, struct err *e);
void env_unlock(struct env *env);

/* What keeps the environment from working: interpreter gone or of another version than recorded (packages.md 48).
 * Empty when all is well; in the environment's arena. */
MUST_USE struct str env_trouble(struct env *env);

/* One installed distribution as its .dist-info (or .egg-info) says. Views live in the arena given. */
enum env_oddity {
    ENV_NO_METADATA = 1,  /* METADATA missing: name and version are from the directory's name */
    ENV_NO_RECORD = 2,    /* cannot be uninstalled by record */
    ENV_EGG = 4,          /* .egg-info or .egg-link */
    ENV_TWICE = 8         /* another directory says the same name */
};

struct env_package {
    struct str name;      /* as METADATA spells it */
    struct str version;
    struct str dist_info; /* directory below site-packages */
    struct str installer; /* "blast", "pip" ...; n == 0: none said */
    struct str direct_url; /* text of direct_url.json, n == 0: none */
    struct str location;  /* path of the project of an editable one, else n == 0 */
    bool editable;
    bool requested;
    unsigned oddities;    /* of enum env_oddity */
};

struct env_packages {
    struct env_package *p;
    size_t n;
};

/* Sorted by normalised name. What is damaged is listed with its oddity, never an error. */
MUST_USE bool env_installed(struct env *env, struct arena *a, struct env_packages *out, struct err *e);

/* Absolute path below the environment, in its arena: env_path(env, "bin/python"). */
MUST_USE const char *env_path(struct env *env, const char *below);
