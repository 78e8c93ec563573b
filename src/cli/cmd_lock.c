/* blast lock: resolves and writes pylock.toml, or a file in the requirements format. */
#include "base/clock.h"
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"

static void print_json(const struct lockfile *l)
{
    struct json_result r;

    json_result_begin(&r, "blast.lock/1");
    json_write_member(&r.w, "path", l->path);
    json_write_member_bool(&r.w, "changed", l->changed);
    json_write_key(&r.w, STR("packages"));
    json_write_array_begin(&r.w);
    for (size_t i = 0; i < l->lock.n_package; i++) {
        json_write_object_begin(&r.w);
        json_write_member(&r.w, "name", l->lock.package[i].name);
        json_write_member(&r.w, "version", l->lock.package[i].version);
        json_write_object_end(&r.w);
    }
    json_write_array_end(&r.w);
    json_result_end(&r);
}

bool cmd_lock(struct cmd *c, struct err *e)
{
    uint64_t begun = clock_us();
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    struct lockfile l;
    bool check = option_flag(&c->options, OPT_CHECK);
    struct str output = option_value(&c->options, OPT_OUTPUT);
    struct sync_lock_job job = {
        .path = output.n ? arena_cstr(c->a, output) : NULL,
        .check = check,
        .watch = &common_watch,
        .timings = &t,
    };

    common_request(c, &r);
    r.require_hashes = r.require_hashes || option_flag(&c->options, OPT_HASHES);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e))
        return false;
    if (!w.project.found && !w.where.has_requirements && r.requirement.n == 0) {
        (void)err_set(e, ERR_CONFIG, "there is nothing to lock in '%s'", w.where.dir);
        return err_hint(e, "add packages with blast install, or name a file: blast lock -r requirements.in");
    }
    if (!sync_lock(&w, &job, &l, e))
        return false;
    common_warnings(&w);
    if (ui.json && !lockfile_load(&w, &l, e))
        return false;
    if (ui.json)
        print_json(&l);
    double ms = (double)(clock_us() - begun) / 1e3;

    if (l.fresh || !l.changed)
        ui_note("the lock is up to date (%.0f ms)", ms);
    else if (check || r.dry_run)
        ui_note("the lock is out of date: %zu packages would be locked", l.lock.n_package);
    else
        ui_note("locked %zu packages in %.0f ms: " STR_FMT, l.lock.n_package, ms, STR_ARG(l.path));
    if (check && l.changed)
        c->exit_code = 3;
    common_figures(c, &t, clock_us() - begun);
    return true;
}
