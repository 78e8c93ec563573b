/* blast remove: takes requirements out of the project; with --env takes packages out of an environment. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/edit.h"
#include "config/reqfile.h"
#include "pep/req.h"
#include "sync/remove.h"

/* Names from the words and from -r files. */
static bool names(struct cmd *c, const struct request *r, struct str_list *out, struct err *e)
{
    struct reqfile f = { 0 };

    for (size_t i = 0; i < r->requirement.n; i++)
        if (!reqfile_read(arena_cstr(c->a, r->requirement.p[i]), false, NULL, c->a, &f, e))
            return false;
    struct str *all = ARENA_ARRAY(c->a, struct str, c->options.words.n + f.entries.n);
    size_t n = 0;

    for (size_t i = 0; i < c->options.words.n; i++)
        all[n++] = c->options.words.p[i];
    for (size_t i = 0; i < f.entries.n; i++) {
        struct req q;

        if (f.entries.p[i].constraint)
            continue;
        if (!req_parse(c->a, f.entries.p[i].text, &q, e))
            return err_as(e, ERR_CONFIG, "%s:%u", f.entries.p[i].file, f.entries.p[i].line);
        all[n++] = q.name;
    }
    *out = (struct str_list){ all, n };
    return true;
}

bool cmd_remove(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct sync_outcome o;
    struct str_list list;
    struct sync_job job = { .command = edit_command_line(c), .watch = &common_watch, .timings = &t };

    common_request(c, &r);
    if (!names(c, &r, &list, e))
        return false;
    if (list.n == 0) {
        (void)err_set(e, ERR_CONFIG, "no package was named");
        return err_hint(e, "blast remove NAME...");
    }
    if (!common_open(c, &r, &w, e) || !common_check_lists(c, &w, e))
        return false;
    c->options.words.n = 0;
    for (size_t i = 0; i < list.n; i++)
        VEC_PUSH_IN(c->a, &c->options.words, list.p[i]);
    r.requirement = (struct str_list){ NULL, 0 }; /* they say what goes, not what is wanted */
    bool ok = r.env.n ? sync_remove(&w, &list, &job, &o, e) : edit_remove(c, &w, &r, &job, &o, e);

    if (!ok)
        return false;
    common_outcome(c, &w, &o, &t, begun);
    return true;
}
