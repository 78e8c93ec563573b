/* blast-gate: the only way out of a sandbox. Started by blast-jail alone; base, codec and gate are in it. See
 * gate/gate.h. */
#include <stdlib.h>
#include "base/str.h"
#include "gate/gate.h"

#define USAGE "blast-gate is started by blast-jail, with its descriptors: see blast-sandbox(1)\n"

static bool take(const char *word, int *out)
{
    uint64_t n;

    if (strcmp(word, "-") == 0) {
        *out = -1;
        return true;
    }
    if (!str_to_u64(str_of(word), &n) || n > 1000)
        return false;
    *out = (int)n;
    return true;
}

int main(int argc, char **argv)
{
    struct gate_start s;

    if (argc != 5 || !take(argv[1], &s.policy) || !take(argv[2], &s.link) || !take(argv[3], &s.events) ||
        !take(argv[4], &s.control)) {
        (void)fputs(USAGE, stderr);
        return 125;
    }
    return gate_run(&s);
}
