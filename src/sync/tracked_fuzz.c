/* An index of git, as found on disk: no input may be read past its end. */
#include <stddef.h>
#include <stdint.h>
#include "sync/tracked.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bool understood;

    (void)!tracked_in_index((struct str){ (const char *)data, size }, STR("app/pylock.toml"), &understood);
    return 0;
}
