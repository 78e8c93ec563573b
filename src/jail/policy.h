/* The policy of a sandbox: what blast.toml asks for, compiled once into plain values that leave nothing to interpret.
 *
 * blast compiles it, shows it (`blast sandbox show`), and hands it to blast-jail as JSON in a sealed memfd; blast-jail
 * obeys it and reads no configuration. A change of blast.toml during a run therefore changes nothing. All texts live
 * in the arena the policy was made in. Paths are absolute, without `.`, `..`, doubled or trailing slashes, and sorted
 * so that a directory comes before what lies in it: that is the order of mounting.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct buf;
struct err;

#define JAIL_POLICY_MAX (8u << 20) /* bytes of its JSON */
#define JAIL_PATHS_MAX 4096
#define JAIL_DIGEST 65             /* sha256 in hexadecimal and a NUL */

enum jail_level { JAIL_PROCESS, JAIL_NAMESPACE, JAIL_CONTAINER };
/* none: not even the loopback interface; allowlist: what blast-gate lets through, see jail/transit.h. */
enum jail_network { JAIL_NET_ISOLATED, JAIL_NET_ALLOWLIST, JAIL_NET_HOST, JAIL_NET_NONE };
/* Of access to files: by the environment's Python, by system call (jail/track.h), by fanotify (jail/fan.h). */
enum jail_tracking { JAIL_TRACK_NONE, JAIL_TRACK_PACKAGE, JAIL_TRACK_SYSCALL, JAIL_TRACK_FANOTIFY };
enum jail_strictness { JAIL_STRICT, JAIL_STANDARD, JAIL_PERMISSIVE };

enum jail_access {
    JAIL_READ,    /* the host's, never writable */
    JAIL_WRITE,   /* the host's, writable */
    JAIL_OVERLAY, /* the host's below, changes above it, gone at the end: in memory, or on disk (`keep`) */
    JAIL_PRIVATE, /* an empty directory in memory, gone at the end */
    JAIL_LINK,    /* a symbolic link of the host, made again; `target` is what it says */
    JAIL_TEXT,    /* a file with the text `target` */
    JAIL_HIDE,    /* covered by nothing */
    JAIL_DENY     /* the same; for the report */
};

struct jail_path {
    struct str path;
    enum jail_access access;
    bool needed;        /* nothing runs without it: shown even below a path that is hidden or denied */
    bool may_lack;      /* left out silently when it is not there */
    bool keep_owner;    /* as root: the files' owner is who the program runs as (an idmapped mount) */
    struct str target;
};

/* 0 is no limit, but for wall_ms of struct jail_command. */
struct jail_limits {
    uint64_t cpu_permille; /* of one processor: 1000 is one */
    uint64_t memory, disk, file_size; /* bytes */
    uint64_t iops, processes;
    uint64_t bandwidth; /* bytes a second through the gateway, both directions */
};

struct jail_policy {
    enum jail_level level;
    enum jail_network network;
    enum jail_strictness strictness;
    enum jail_tracking tracking; /* none, when no file asks for it */
    struct jail_limits limits;
    const struct jail_path *path;
    size_t n_paths;
    const struct str *degraded; /* settings that may be unenforced all the same */
    size_t n_degraded;
    const struct str *variable; /* names that pass from outside, besides the harmless ones; "LC_*" is a prefix */
    size_t n_variables;
    const struct str *allowed_name;    /* "good.test", "*.good.test" */
    size_t n_allowed_names;
    const struct str *allowed_network; /* "203.0.113.0/24" */
    size_t n_allowed_networks;
    const uint16_t *allowed_port, *udp_port, *inbound_port;
    size_t n_allowed_ports, n_udp_ports, n_inbound_ports;
    struct str hostname;        /* inside; empty: the host's */
    struct str home;            /* HOME inside */
    struct str keep;            /* directory for the changes of overlays (jail/uppers.h); empty: they lie in memory */
    bool files;                 /* false: all of the host's files, as the user sees them */
    bool limit;                 /* false: no limits */
    bool outbound;              /* the allowlist lets something out */
    bool small_proc;            /* /proc shows the sandbox's own processes and nothing of the machine */
    bool no_seccomp, no_landlock, no_userns, no_cgroup; /* switches of the tests: a layer alone must hold too */
};

/* The names in the JSON, in blast.toml and in messages. */
MUST_USE const char *jail_level_word(enum jail_level l);
MUST_USE const char *jail_network_word(enum jail_network n);
MUST_USE const char *jail_strictness_word(enum jail_strictness s);
MUST_USE const char *jail_tracking_word(enum jail_tracking t);
MUST_USE const char *jail_access_word(enum jail_access a);

/* Appends the policy as one JSON object; `indent` for people. False when the buffer is full. */
MUST_USE bool jail_policy_format(const struct jail_policy *p, bool indent, struct buf *out);
/* The part that blast-gate needs, as it wants it (gate/rules.h). */
MUST_USE bool jail_policy_format_gate(const struct jail_policy *p, struct buf *out);
/* The reverse; ERR_CONFIG for anything unknown, missing or out of range. */
MUST_USE bool jail_policy_parse(struct str json, struct arena *a, struct jail_policy *out, struct err *e);
/* sha256 of the JSON form: two policies with one digest are the same policy. */
void jail_policy_digest(const struct jail_policy *p, char out[JAIL_DIGEST]);

/* May this setting be unenforced under `strict`? */
MUST_USE bool jail_policy_allows_lack(const struct jail_policy *p, const char *setting);

/* Is `path` the directory `dir` or something in it? Both normalised. */
MUST_USE bool jail_path_within(struct str path, struct str dir);
