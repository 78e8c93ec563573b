/* Files that have no name any more, or never had one (memfd_create, O_TMPFILE), but are open in a process: they take
 * room that no walk over directories finds.
 *
 * Found by looking at every descriptor in /proc; each file counts once, however many processes have it. What is only
 * mapped is not found: it counts as memory of its process. A process that hides its descriptors, or ends during the
 * look, is passed over.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct unlinked {
    uint64_t disk;   /* bytes on the file systems that were named */
    uint64_t memory; /* bytes in memory, but for the file systems that were named */
};

/* In all processes of `proc` but pid 1, which is the one that asks. */
void unlinked_measure(int proc, const dev_t *disk, size_t n_disk, struct unlinked *out);
