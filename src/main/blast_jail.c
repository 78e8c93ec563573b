/* blast-jail: makes a sandbox and is pid 1 in it. Started by blast alone; one thread; base, codec and jail are in it.
 * See jail/launch.h. */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "jail/launch.h"

#define USAGE "blast-jail is started by blast, with its descriptors: see blast-sandbox(1)\n"

int main(int argc, char **argv)
{
    uint64_t order, status, control = 0;

    if (argc < 3 || argc > 4 || (argc == 4 && !str_to_u64(str_of(argv[3]), &control)) || control > 1000 ||
        !str_to_u64(str_of(argv[1]), &order) || !str_to_u64(str_of(argv[2]), &status) || order > 1000 ||
        status > 1000) {
        (void)fputs(USAGE, stderr);
        return 125;
    }
    return launch_run((int)order, (int)status, argc == 4 ? (int)control : -1);
}
