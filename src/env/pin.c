#include "env/pin.h"

#include <stdio.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "env/env.h"
#include "env/generation.h"
#include "env/status_file.h"

#define PIN "pin" /* "18 on" or "18 off": what was said about that generation; it beats what its manifest implies */

static bool by_manifest(struct env *env)
{
    AUTO_ARENA a = { 0 };
    struct generation g;
    struct err ignored = { 0 };
    bool there;

    arena_init(&a);
    if (!generation_load(env, env->current, &a, &g, &there, &ignored) || !there)
        return false;
    /* a redo that ends where everything is redone is where the project's files are */
    return g.kind == GENERATION_UNDO || g.kind == GENERATION_ROLLBACK || (g.kind == GENERATION_REDO && g.n_redo);
}

bool pin_get(struct env *env, uint32_t *seq)
{
    AUTO_ARENA a = { 0 };
    struct err ignored = { 0 };
    struct str text, number;
    uint64_t v;

    *seq = env->current;
    if (env->current == 0 || env->state < 0)
        return false;
    arena_init(&a);
    if (fd_read_if_there(env->state, PIN, 64, &a, &text, &ignored) && text.p) {
        text = str_trim(text);
        if (str_next(&text, ' ', &number) && str_to_u64(number, &v) && v == env->current)
            return str_eq(text, STR("on"));
    }
    return by_manifest(env);
}

static bool say(struct env *env, const char *word, struct err *e)
{
    char text[32];
    int n = snprintf(text, sizeof text, "%u %s\n", env->current, word);

    if (env->current == 0 || env->state < 0)
        return err_set(e, ERR_ENVIRONMENT, "'%s' keeps no history", env->path);
    return file_replace(env->state, PIN, (struct str){ text, (size_t)n }, 0644, FILE_NO_SYNC, e);
}

static void tell_prompts(struct env *env, enum status_word word)
{
    struct status_file s = { .seq = env->current, .word = word };
    struct err ignored = { 0 }; /* a prompt that is behind */

    (void)!status_file_write(env->dir, &s, &ignored);
}

bool pin_set(struct env *env, struct err *e)
{
    if (!say(env, "on", e))
        return false;
    tell_prompts(env, STATUS_PINNED);
    return true;
}

bool pin_clear(struct env *env, struct err *e)
{
    uint32_t seq;

    if (!pin_get(env, &seq))
        return true;
    if (!say(env, "off", e))
        return false;
    tell_prompts(env, STATUS_OK);
    return true;
}
