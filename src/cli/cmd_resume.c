/* blast resume: ends the pinned state that an undo or a rollback began. */
#include "base/err.h"
#include "cli/common.h"
#include "cli/ui.h"
#include "env/pin.h"
#include "sync/env_layer.h"

bool cmd_resume(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct env env;
    uint32_t seq;

    common_request(c, &r);
    if (!common_no_words(c, e) || !common_open(c, &r, &w, e) || !env_layer_read(&w, &env, e))
        return false;
    bool pinned = pin_get(&env, &seq);
    bool ok = r.dry_run || !pinned || (env_lock(&env, NULL, e) && pin_clear(&env, e));

    env_close(&env);
    if (!ok)
        return false;
    if (ui.json) {
        struct json_result j;

        json_result_begin(&j, "blast.resume/1");
        json_write_member_u64(&j.w, "generation", seq);
        json_write_member_bool(&j.w, "was_pinned", pinned);
        json_write_member_bool(&j.w, "dry_run", r.dry_run);
        json_result_end(&j);
    }
    if (!pinned)
        ui_note("generation %u is not pinned: nothing to resume", seq);
    else
        ui_note("generation %u %s followed by what the project asks for: with the next blast run, start or sync", seq,
                r.dry_run ? "would be" : "will be");
    return true;
}
