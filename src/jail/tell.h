/* What blast-jail says over its status socket: lines of JSON, one object with one member each; run.c reads them.
 *
 *     {"report": {...}}               made, or refused: the enforcement report
 *     {"connection": {...}}           blast-gate's (gate/event.h)
 *     {"limit": {"limit", "times"}}   a limit was met, by its setting's name
 *     {"access": {...}}               a tracker's (jail/asked.h)
 *     {"over": {"command", "exit", "limit", "ms"}}  a command; answered with one byte when it was taken note of
 *     {"end": {"end", "code", "limit", "text", "hint", "sys"}}
 *
 * `to` is the socket. Whoever listens may be gone; the socket's end says so, not these.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include "base/attr.h"
#include "base/str.h"

struct buf;
struct jail_report;
struct visit_message;
struct visits_one;

/* The report alone; false when it does not fit. */
MUST_USE bool tell_format_report(const struct jail_report *r, struct buf *b);

void tell_report(int to, const struct jail_report *r);
void tell_connection(int to, struct str json);
void tell_limit(int to, const char *name, uint64_t times);
void tell_access(int to, struct str json);
void tell_over(int to, const struct visits_one *one);
/* `limit`: what ended it, or NULL. `failure`: why it did not start, or NULL. */
void tell_end(int to, const char *end, int code, const char *limit, const struct visit_message *failure);
