/* blast background VERB: what the daemon's jobs run. One JSON object, whatever happens. */
#include "base/err.h"
#include "base/map.h"
#include "cli/common.h"
#include "env/registry.h"
#include "store/gc.h"
#include "store/store.h"
#include "sync/background.h"
#include "sync/drift.h"

static void print(const struct background *b)
{
    struct json_result r;

    json_result_begin(&r, "blast.background/1");
    json_write_member_cstr(&r.w, "state", background_word(b->state));
    json_write_member_u64(&r.w, "generation", b->generation);
    json_write_member(&r.w, "changes", b->changes);
    json_write_key(&r.w, STR("decision"));
    if (b->decision)
        json_write_u64(&r.w, b->decision);
    else
        json_write_null(&r.w);
    json_write_member(&r.w, "message", b->message);
    json_write_member_u64(&r.w, "exit", (uint64_t)b->exit);
    json_write_key(&r.w, STR("read"));
    if (b->read) {
        json_write_object_begin(&r.w);
        json_write_member_u64(&r.w, "pyproject", b->pyproject);
        json_write_member_u64(&r.w, "lock", b->lock);
        json_write_object_end(&r.w);
    } else
        json_write_null(&r.w);
    json_write_member_bool(&r.w, "passing", b->passing);
    json_result_end(&r);
}

/* snapshot: what was changed by hand becomes a generation, at most once in snapshot_interval. */
static struct background snapshot(struct workspace *w)
{
    static const struct {
        enum background_state state;
        const char *message;
    } said[] = {
        [DRIFT_NONE] = { BACKGROUND_UNCHANGED, "" },
        [DRIFT_TAKEN] = { BACKGROUND_SYNCED, "changes by hand are a generation now" },
        [DRIFT_TOO_SOON] = { BACKGROUND_UNCHANGED, "changed by hand; the last snapshot is younger than "
                                                   "snapshot_interval" },
        [DRIFT_OFF] = { BACKGROUND_UNCHANGED, "changed by hand; snapshot_interval = 0 makes no snapshots" },
        [DRIFT_BUSY] = { BACKGROUND_LOCKED, "the environment is being changed" },
    };
    struct drift_snapshot s;
    struct err e = { 0 };

    if (!drift_snapshot(w, &s, &e))
        return background_failed(&e, w);
    return (struct background){ .state = said[s.state].state, .generation = s.generation, .changes = s.changes,
                                .message = str_of(said[s.state].message), .exit = s.state == DRIFT_BUSY ? 7 : 0 };
}

static bool verb_of(struct cmd *c, enum background_verb *verb, struct err *e)
{
    static const char *const words[] = { "sync", "update", "check" };
    const struct options *o = &c->options;

    for (size_t i = 0; o->words.n == 1 && i < COUNT(words); i++) {
        if (!str_eq(o->words.p[0], str_of(words[i])))
            continue;
        *verb = (enum background_verb)i;
        return true;
    }
    return err_set(e, ERR_CONFIG, "blast background takes one of sync, update, check and snapshot");
}

/* Once a day, with the look for updates: wheels that no environment and no history needs, beyond [cache] max_size. */
static void trim_store(const struct workspace *w)
{
    AUTO_MAP live = { 0 };
    struct err ignored = { 0 };
    struct gc_result r;
    struct store s;

    if (w->config.cache_max_size == 0 || !store_open(w->dirs.store, &s, &ignored))
        return;
    if (registry_live(w->dirs.state, w->a, &live, &ignored))
        (void)!gc_run(&s, &(struct gc_spec){ .live = &live, .limit = (uint64_t)w->config.cache_max_size }, &r,
                      &ignored);
    store_close(&s);
}

bool cmd_background(struct cmd *c, struct err *e)
{
    struct request r;
    AUTO_WORKSPACE w = { 0 };
    struct timings t = { 0 };
    enum background_verb verb = BACKGROUND_SYNC;
    struct background b = { .changes = STR_INIT(""), .message = STR_INIT("") };
    struct err why = { 0 };

    common_request(c, &r);
    bool only_snapshot = c->options.words.n == 1 && str_eq(c->options.words.p[0], STR("snapshot"));

    if (!only_snapshot && !verb_of(c, &verb, e))
        return false;
    if (!common_open(c, &r, &w, &why))
        b = background_failed(&why, &(struct workspace){ .a = c->a }); /* a file in the middle of an edit, say */
    else if (only_snapshot)
        b = snapshot(&w);
    else
        background_run(&w, verb, &t, &b);
    if (verb == BACKGROUND_CHECK)
        trim_store(&w);
    print(&b);
    c->exit_code = b.exit;
    return true;
}
