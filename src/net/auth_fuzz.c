/* Any bytes as a netrc file: no crash, and a refusal never shows what stands in the file. */
#include <stdlib.h>
#include "base/err.h"
#include "net/auth.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    AUTO_AUTH a = NULL;
    struct err e = { 0 };
    struct str user, password;

    (void)setenv("NETRC", "", 1);
    if (!auth_open(&a, &e))
        BUG("no netrc is no error");
    bool good = auth_parse_netrc(a, (struct str){ n ? (const char *)data : "", n }, "netrc", &e);
    bool found = auth_find(a, STR("https://index.example/"), &user, &password);

    if (found && !good && e.kind != ERR_CONFIG)
        BUG("a refusal is about configuration");
    return 0;
}
