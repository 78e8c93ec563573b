#include "net/curl.h"

#include <dlfcn.h>
#include "base/err.h"

#define CURL_LIBRARY "libcurl.so.4"

static struct curl_calls calls;
static bool ready;

/* The name of a function that the library lacks, or NULL. */
static const char *resolve_calls(void *lib)
{
    const char *missing = NULL;

#define X(call)                                                                                                        \
    {                                                                                                                  \
        void *found = dlsym(lib, #call);                                                                               \
        memcpy(&calls.call, &found, sizeof found);                                                                     \
        missing = found ? missing : #call;                                                                             \
    }
    CURL_CALLS(X)
#undef X
    return missing;
}

const struct curl_calls *curl_open(struct err *e)
{
    if (ready)
        return &calls;
    void *lib = dlopen(CURL_LIBRARY, RTLD_LAZY | RTLD_LOCAL);
    const char *missing = lib ? resolve_calls(lib) : NULL;

    if (!lib || missing) {
        (void)err_set(e, ERR_NETWORK, "load %s: %s%s", CURL_LIBRARY, lib ? "too old, it lacks " : "not found",
                      lib ? missing : "");
        (void)err_hint(e, "install libcurl 7.84 or newer (Debian: libcurl4)");
        return NULL;
    }
    if (calls.curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        (void)err_set(e, ERR_NETWORK, "start %s", CURL_LIBRARY);
        return NULL;
    }
    ready = true;
    return &calls;
}
