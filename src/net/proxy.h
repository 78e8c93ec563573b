/* Which proxy a request goes through, from the environment.
 *
 * <scheme>_proxy, then ALL_PROXY; lower case before upper case. NO_PROXY is a list, parted by commas or blanks, of
 * "*", host names (the name itself and all below it, a leading dot or "*." allowed), addresses, networks
 * ("10.0.0.0/8", "fd00::/8"), each with ":port" where only that port is meant.
 */
#pragma once

#include <stdbool.h>
#include "base/attr.h"
#include "base/str.h"

struct url;

struct proxy {
    struct str http, https, all, none; /* values of the variables; n == 0: not set */
};

/* The views are the environment's. HTTP_PROXY in upper case is not used where a web server could have set it from a
 * request header (REQUEST_METHOD is set). */
MUST_USE struct proxy proxy_from_env(void);

/* The proxy for this URL as the variable has it (a value without a scheme means http); n == 0:
 * straight. */
MUST_USE struct str proxy_find(const struct proxy *p, const struct url *u);
