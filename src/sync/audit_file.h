/* Names and shape of the audit log's files, shared by its writer and its reader. Private to sync/audit*.c. */
#pragma once

#include "base/attr.h"
#include "base/hash.h"
#include "base/str.h"
#include "sync/audit.h"

#define AUDIT_HEAD "head"
#define AUDIT_LOCK "lock"
#define AUDIT_NAME 32
#define AUDIT_ZERO "0000000000000000000000000000000000000000000000000000000000000000" /* prev of the first line */
#define AUDIT_HASH_KEY ",\"hash\":\""
#define AUDIT_SUFFIX (sizeof AUDIT_HASH_KEY - 1 + HASH_HEX256 + 2) /* ,"hash":"..."} */

/* "log.jsonl" for 0, "log.1.jsonl" for the one before. */
void audit_file_name(unsigned n, char out[AUDIT_NAME]);
/* The hash of a line: of `prev` and of its text up to AUDIT_HASH_KEY. */
void audit_hash(struct str prev, struct str body, char out[HASH_HEX256 + 1]);
/* The newest checkpoint kept beside the log: "seq hash". False when there is none or it is damaged. */
MUST_USE bool audit_head_read(int dir, uint64_t *seq, char hash[HASH_HEX256 + 1]);
/* Opens <state>/audit; *there is false when nothing was ever recorded. */
MUST_USE bool audit_dir_open(const struct dirs *d, int *out, bool *there, struct err *e);
