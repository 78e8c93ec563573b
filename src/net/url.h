/* URLs as an index client meets them: parsed, joined, normalised, shown.
 *
 * The grammar is RFC 3986; what browsers forgive is forgiven where indexes depend on it (blanks around an href,
 * a blank inside it). Views point into the text they were parsed from. Nothing here does I/O. A password can be
 * in a URL: whatever is printed, logged or put in an error goes through url_redacted() first.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include "base/attr.h"
#include "base/str.h"

struct arena;
struct err;

#define URL_MAX 16384 /* bytes; a longer one is refused */

/* Parts as written. A part that is absent has p == NULL (an empty one has n == 0 and p set). */
struct url {
    struct str scheme;
    struct str userinfo; /* "user:password", still percent-encoded */
    struct str host;     /* without the brackets of an IPv6 address; p == NULL without an authority */
    struct str port;     /* digits */
    struct str path;
    struct str query;    /* without '?' */
    struct str fragment; /* without '#' */
};

/* An absolute URL: it must have a scheme. ERR_CONFIG names what is wrong, redacted: control characters, a port
 * that is no number below 65536, http and https without a host. */
MUST_USE bool url_parse(struct str text, struct url *out, struct err *e);

/* True when the text starts with a scheme and "://" or with "file:". "C:/x" and "name" are not URLs. */
MUST_USE bool url_is(struct str text);
MUST_USE bool url_is_http(struct str text); /* http or https, in any case */
MUST_USE bool url_is_file(struct str text);

/* RFC 3986, section 5.2, with everything a page may write in href: absolute, "//host/x", "/x", "../x", "x", "?q",
 * "#f", "". Blanks around `ref` go, blanks inside become %20. The credentials of the base go with results on the
 * same scheme, host and port only. ERR_NETWORK when the result is no URL or longer than URL_MAX. */
MUST_USE bool url_join(struct arena *a, struct str base, struct str ref, struct str *out, struct err *e);

/* Scheme and host in lower case, the default port gone, dot segments resolved, an empty http path made "/",
 * percent escapes of unreserved characters decoded and others in upper case; no credentials, no fragment. Two
 * URLs with the same result name the same thing: for cache keys and locks. */
MUST_USE bool url_normalize(struct arena *a, struct str text, struct str *out, struct err *e);

/* "scheme://host:port" in lower case with the port always there; for credentials and connection limits. */
MUST_USE bool url_origin(struct arena *a, struct str text, struct str *out, struct err *e);

/* For printing: the password (or a name without password, which may be a token) becomes "****". What cannot be
 * parsed loses everything up to its last '@'. Never fails; the result is in the arena. */
MUST_USE struct str url_redacted(struct arena *a, struct str text);

/* The same URL without user and password; these decoded into *user and *password (p == NULL: absent). */
MUST_USE bool url_split_credentials(struct arena *a, struct str text, struct str *bare, struct str *user,
                                    struct str *password, struct err *e);

/* The URL without its fragment, and the fragment (p == NULL: none). Pure. */
struct str url_without_fragment(struct str text, struct str *fragment);

/* The value of `key` in a fragment of the form "a=b&c=d", as in "#sha256=..."; false when absent. */
MUST_USE bool url_fragment_get(struct str fragment, struct str key, struct str *value);

/* The last segment of the path, percent-decoded exactly once. ERR_PACKAGE when it is empty or, decoded, is "."
 * or "..", or holds '/', NUL or a control character: such a name must never reach a file system. */
MUST_USE bool url_file_name(struct arena *a, struct str text, struct str *out, struct err *e);

/* The path of a file: URL (host empty or localhost), decoded; ERR_CONFIG otherwise. NUL behind it. */
MUST_USE bool url_to_path(struct arena *a, struct str text, struct str *out, struct err *e);
/* "file:///..." for an absolute path. */
MUST_USE struct str url_from_path(struct arena *a, struct str path);

/* Percent-decoding, once; false at a malformed escape. */
MUST_USE bool url_decode(struct arena *a, struct str text, struct str *out);
/* Percent-encoding of everything but unreserved characters and those in `keep`. */
MUST_USE struct str url_encode(struct arena *a, struct str text, struct str keep);
