/* blast init: a commented blast.toml. */
#include <fcntl.h>
#include <unistd.h>
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "cli/common.h"
#include "cli/ui.h"

bool cmd_init(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };

    common_request(c, &r);
    if (c->options.words.n > 1)
        return err_set(e, ERR_CONFIG, "blast init takes one folder, not %zu", c->options.words.n);
    if (c->options.words.n) {
        r.project = c->options.words.p[0];
        if (!file_make_dirs(AT_FDCWD, arena_cstr(c->a, r.project), 0777, e))
            return false;
    } else if (!r.project.n) {
        r.project = STR("."); /* here, whatever lies above */
    }
    if (option_flag(&c->options, OPT_FORCE)) {
        const char *old = arena_printf(c->a, STR_FMT "/blast.toml", STR_ARG(r.project)).p;

        (void)unlink(old); /* absent is fine; anything else fails at the writing below */
    }
    if (!common_open(c, &r, &w, e) || !workspace_python(&w, e))
        return false;
    struct config_start s = {
        .name = workspace_name(&w),
        .python_version = arena_printf(c->a, "%u.%u", w.python.major, w.python.minor),
    };

    if (!config_write_default(w.dir, &s, e))
        return e->kind == ERR_CONFIG ? err_hint(e, "blast init --force writes it anew") : false;
    common_warnings(&w);
    if (ui.json) {
        struct json_result j;

        json_result_begin(&j, "blast.init/1");
        json_write_member(&j.w, "path", arena_printf(c->a, "%s/blast.toml", w.where.dir));
        json_result_end(&j);
    }
    ui_note("wrote %s/blast.toml", w.where.dir);
    ui_note("next: blast start");
    return true;
}
