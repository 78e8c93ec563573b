#include "sync/policy.h"

#include <inttypes.h>
#include "base/arena.h"
#include "pep/version.h"

enum policy_env policy_env(enum config_env_layer layer, bool fits, bool command)
{
    if (command || layer == CONFIG_ENV_STRICT)
        return POLICY_ENV_REMAKE;
    if (layer == CONFIG_ENV_RELAXED)
        return fits ? POLICY_ENV_KEEP : POLICY_ENV_REMAKE;
    return fits ? POLICY_ENV_KEEP : POLICY_ENV_ASK;
}

struct str policy_background(const struct config *c)
{
    if (c->sync_pkg_layer == CONFIG_PKG_MANUAL)
        return STR("[sync] pkg_layer is manual: packages change on command only");
    if (!c->pkg_layer_auto_sync)
        return STR("[pkg_layer] auto_sync is false");
    return STR("");
}

/* How many leading release numbers stay the same; the epoch is one more before them. */
static uint32_t kept_numbers(enum config_versions policy)
{
    return policy == CONFIG_VERSIONS_MINOR ? 1 : 2;
}

static uint64_t epoch_of(const struct version *v)
{
    uint64_t room[VERSION_INLINE];
    struct version_parts parts;

    version_split(v, room, &parts);
    return parts.epoch;
}

bool policy_allows(enum config_versions policy, const struct version *from, const struct version *to)
{
    if (policy == CONFIG_VERSIONS_LATEST)
        return true;
    if (policy == CONFIG_VERSIONS_LOCKED)
        return version_cmp(from, to) == 0;
    if (epoch_of(from) != epoch_of(to))
        return false;
    for (uint32_t i = 0; i < kept_numbers(policy); i++)
        if (version_release(from, i) != version_release(to, i))
            return false;
    return true;
}

struct str policy_bound(enum config_versions policy, struct str name, const struct version *from, struct arena *a)
{
    if (policy == CONFIG_VERSIONS_LATEST)
        return STR("");
    if (policy == CONFIG_VERSIONS_LOCKED)
        return arena_printf(a, STR_FMT "==" STR_FMT, STR_ARG(name), STR_ARG(version_format(from, a)));
    uint64_t epoch = epoch_of(from), major = version_release(from, 0), minor = version_release(from, 1);
    struct str head = epoch ? arena_printf(a, STR_FMT "<%" PRIu64 "!", STR_ARG(name), epoch)
                            : arena_printf(a, STR_FMT "<", STR_ARG(name));

    if (policy == CONFIG_VERSIONS_MINOR)
        return arena_printf(a, STR_FMT "%" PRIu64, STR_ARG(head), major + 1);
    return arena_printf(a, STR_FMT "%" PRIu64 ".%" PRIu64, STR_ARG(head), major, minor + 1);
}

const char *policy_word(enum config_versions policy)
{
    static const char *const word[] = { "latest", "minor", "patch", "locked" };

    return word[policy];
}
