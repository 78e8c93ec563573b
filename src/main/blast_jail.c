/* blast-jail: makes a sandbox and is pid 1 in it. Started by blast alone; one thread; base, codec and jail are in it.
 * See jail/launch.h. */
#include <stdlib.h>
#include <string.h>
#include "base/str.h"
#include "jail/launch.h"

#define USAGE "blast-jail is started by blast, with its descriptors: see blast-sandbox(1)\n"

int main(int argc, char **argv)
{
    uint64_t fd[4] = { 0 }; /* order, status, serve, control */
    bool ok = argc == 4 || argc == 5;

    for (int i = 1; ok && i < argc; i++)
        ok = str_to_u64(str_of(argv[i]), &fd[i - 1]) && fd[i - 1] <= 1000;
    if (!ok) {
        (void)fputs(USAGE, stderr);
        return 125;
    }
    return launch_run((int)fd[0], (int)fd[1], (int)fd[2], argc == 5 ? (int)fd[3] : -1);
}
