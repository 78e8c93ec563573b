/* Where an environment's history lies: <state>/envs/<hash of the path>/. Private to env/. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct env;
struct err;

#define STATE_NAME 64
#define STATE_JOURNAL "journal"

/* Opens (and makes) the directory of the environment at `path`; ERR_ENVIRONMENT when it belongs to another one. */
MUST_USE bool state_open(const char *state, const char *path, int *out, struct err *e);
/* "gen-12.json" */
void state_manifest_name(uint32_t seq, char out[STATE_NAME]);
/* Of a file name in the state directory; 0 when it is no manifest. */
MUST_USE uint32_t state_manifest_seq(const char *name);
/* Temporary names of file_replace() that a killed process left. */
void state_sweep(int state);

/* What .current leads to. 0 and 0 when it is missing or foreign. */
void state_read_current(int env_dir, uint32_t *seq, uint32_t *tree);
