/* Apart from policy.c, which blast-jail has in it: a hash brings the crypto library of the machine along. */
#include "jail/policy.h"

#include "base/buf.h"
#include "base/err.h"
#include "base/hash.h"
#include "base/sha256.h"

void jail_policy_digest(const struct jail_policy *p, char out[JAIL_DIGEST])
{
    AUTO_BUF b = { .limit = JAIL_POLICY_MAX };
    unsigned char sum[HASH_SHA256];
    struct sha256 s;

    if (!jail_policy_format(p, false, &b))
        BUG("a policy of more than %u bytes", JAIL_POLICY_MAX);
    sha256_init(&s);
    sha256_add(&s, b.p, b.n);
    sha256_finish(&s, sum);
    hash_hex(sum, sizeof sum, out);
}
