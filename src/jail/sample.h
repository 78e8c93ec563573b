/* Limits without a cgroup: pid 1 looks at what the processes of its sandbox use, and stops or ends them.
 *
 * The processor is shared out by stopping and continuing everything (measured: 20 % asked, 20 % got, at 1.5 % of a
 * processor); memory is summed from /proc, with what lies in the file systems in memory; what lies on disk is measured
 * by walking the writable directories and the changes of overlays. Both take in files that are open without a name. All
 * of it can be passed for the moment between two looks, and the report says "sampled".
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "jail/report.h"
#include "jail/unlinked.h"

struct jail_policy;

struct sampler {
    const struct jail_policy *p;
    int proc;             /* the sandbox's /proc; -1: none */
    bool cpu, memory, disk;
    bool stopped;         /* everything is stopped for now */
    uint64_t begun_us;
    double used, gone;    /* seconds of processor: of the living, of the dead */
    const int *layer;     /* directories with the changes of overlays that lie on disk; the caller's */
    size_t n_layers;
    uint64_t disk_first;  /* bytes in the writable directories at the start */
    bool disk_known;
    struct unlinked open; /* as of the last look at descriptors */
    uint64_t next_memory, next_disk, next_open; /* microseconds of the monotonic clock */
};

/* What the report calls sampled is looked at. `proc` stays the caller's. */
void sampler_init(struct sampler *s, const struct jail_policy *p, const struct jail_report *r, int proc);
/* Milliseconds until the next look; -1: nothing to look at. */
MUST_USE int sampler_wait(const struct sampler *s);
/* Looks. True with *over when a limit is passed and everything has to end. */
MUST_USE bool sampler_look(struct sampler *s, enum jail_setting *over);
