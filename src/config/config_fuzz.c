/* Any bytes as blast.toml, as the user's file and as pyproject.toml; what is accepted can be listed and edited. */
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "codec/toml_edit.h"
#include "config/config.h"
#include "config/project.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void try_config(struct str text, struct arena *a)
{
    static const char *const env[] = { NULL };
    struct config_input in = { text, text, { NULL, 0 }, "user", "pyproject.toml", "blast.toml", env };
    struct config_item item;
    struct config c;
    struct err e = { 0 };
    unsigned i = 0;

    if (config_read(&in, a, &c, &e))
        while (config_each(&c, &i, a, &item))
            if (item.value.n == 0)
                BUG("no value for %s", item.name);
    in = (struct config_input){ .project = text, .project_name = "blast.toml", .env = env };
    e.kind = ERR_NONE;
    if (!config_read(&in, a, &c, &e) && e.kind != ERR_CONFIG)
        BUG("an error without a kind: %s", e.text);
}

static void try_project(struct str text, struct arena *a)
{
    struct toml_edit ed = { a, text, NULL };
    struct project_target to = { PROJECT_GROUP, STR("dev") };
    struct project p;
    struct err e = { 0 };
    unsigned removed;

    if (!project_parse(text, "pyproject.toml", a, &p, &e) || project_find_group(&p, to.name))
        return;
    if (!project_add_requirement(&ed, to, STR("zz>=1"), NULL, &e))
        return;
    if (!project_remove_requirement(&ed, to, STR("ZZ"), &removed, &e) || removed != 1)
        BUG("%u removed: %s", removed, e.text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    AUTO_ARENA a = { 0 };
    struct str text = { (const char *)data, size };

    if (size > 1 << 16)
        return 0;
    try_config(text, &a);
    try_project(text, &a);
    return 0;
}
