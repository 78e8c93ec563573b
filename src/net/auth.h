/* Credentials for hosts: from index URLs and from netrc. Kept in memory only and never printed.
 *
 * What is registered for a URL counts for its scheme, host and port (an index and the files beside it); what
 * netrc says counts for the host. A URL's own credentials go before both. No credential follows a redirect to
 * another host.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct auth;
struct err;

/* Reads $NETRC, else ~/.netrc when it is there. A file that others may read is refused with ERR_CONFIG when it
 * holds passwords and belongs to us, as is one with a line that makes no sense (the message never shows the line).
 * $NETRC set to an empty text means none. */
MUST_USE bool auth_open(struct auth **out, struct err *e);
void auth_close(struct auth *a); /* wipes the memory */
void auth_auto(struct auth **a);
#define AUTO_AUTH AUTO(auth_auto) struct auth *

/* Takes the credentials out of an index URL for its origin; a URL without any adds nothing. */
MUST_USE bool auth_add_url(struct auth *a, struct str url, struct err *e);

/* For a URL without credentials of its own; NUL behind both; false when there are none. Owned by the store. */
MUST_USE bool auth_find(const struct auth *a, struct str url, struct str *user, struct str *password);

/* netrc text into the store, for auth_open() and tests. */
MUST_USE bool auth_parse_netrc(struct auth *a, struct str text, const char *name, struct err *e);
