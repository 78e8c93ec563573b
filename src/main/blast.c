/* blast: the command line program. */
#include <malloc.h>
#include "cli/cli.h"

#define OF_THEIR_OWN (256 << 10) /* bytes from which memory is mapped by itself, and goes back when it is freed */

int main(int argc, char **argv)
{
    /* Else the first large block that is freed raises that limit, and each thread keeps megabytes. */
    (void)mallopt(M_MMAP_THRESHOLD, OF_THEIR_OWN); /* a wish */
    return cli_main(argc, argv);
}
