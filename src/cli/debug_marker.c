/* `blast debug marker M [--env JSON] [--extra E]... [--context metadata|lock_file] [--extras E...] [--groups G...]` */
#include <sys/utsname.h>

#include "base/arena.h"
#include "base/buf.h"
#include "base/err.h"
#include "base/vec.h"
#include "cli/debug.h"
#include "codec/json.h"
#include "codec/json_write.h"
#include "pep/marker.h"
#include "pep/marker_env.h"
#include "pep/name.h"

typedef VEC(struct str) names;

struct question {
    struct str text;
    bool evaluate;
    bool lock_file;
    struct marker_env env;
    names extra, extras, groups;
};

/* What of the machine this runs on is known without an interpreter; the Python version is not. */
static void set_defaults(struct arena *a, struct marker_env *env)
{
    struct utsname u;

    *env = (struct marker_env){
        .os_name = STR("posix"),
        .sys_platform = STR("linux"),
        .platform_python_implementation = STR("CPython"),
        .implementation_name = STR("cpython"),
    };
    if (uname(&u) < 0)
        return;
    env->platform_machine = arena_str(a, str_of(u.machine));
    env->platform_release = arena_str(a, str_of(u.release));
    env->platform_system = arena_str(a, str_of(u.sysname));
    env->platform_version = arena_str(a, str_of(u.version));
}

static void add_name(struct arena *a, names *list, struct str name)
{
    if (name.n)
        VEC_PUSH_IN(a, list, name_normalize(a, name));
}

static bool read_env(struct debug_call *c, struct question *q, struct str text, struct err *e)
{
    const struct {
        struct str name;
        struct str *field;
    } fields[] = {
        { STR("os_name"), &q->env.os_name },
        { STR("sys_platform"), &q->env.sys_platform },
        { STR("platform_machine"), &q->env.platform_machine },
        { STR("platform_python_implementation"), &q->env.platform_python_implementation },
        { STR("platform_release"), &q->env.platform_release },
        { STR("platform_system"), &q->env.platform_system },
        { STR("platform_version"), &q->env.platform_version },
        { STR("python_version"), &q->env.python_version },
        { STR("python_full_version"), &q->env.python_full_version },
        { STR("implementation_name"), &q->env.implementation_name },
        { STR("implementation_version"), &q->env.implementation_version },
    };
    struct json j;
    struct str key, extra;

    json_init(&j, text, c->a, e);
    if (json_object_begin(&j)) {
        while (json_object_next(&j, &key)) {
            for (size_t i = 0; i < COUNT(fields); i++)
                if (str_eq(key, fields[i].name))
                    (void)json_string(&j, fields[i].field); /* json_end() tells */
            if (str_eq(key, STR("extra")) && json_string(&j, &extra))
                add_name(c->a, &q->extra, extra);
        }
    }
    return json_end(&j) || err_as(e, ERR_CONFIG, "read the JSON of --env");
}

static bool next_word(struct debug_call *c, size_t *i, struct str *out, struct err *e)
{
    if (*i + 1 >= c->n)
        return err_set(e, ERR_CONFIG, "'" STR_FMT "' wants a value", STR_ARG(c->word[*i]));
    *out = c->word[++*i];
    return true;
}

static bool read_option(struct debug_call *c, size_t *i, struct question *q, struct err *e)
{
    struct str option = c->word[*i], value;

    q->evaluate = true;
    if (str_eq(option, STR("--extras")) || str_eq(option, STR("--groups"))) {
        while (*i + 1 < c->n && !str_starts(c->word[*i + 1], STR("--")))
            add_name(c->a, str_eq(option, STR("--extras")) ? &q->extras : &q->groups, c->word[++*i]);
        return true;
    }
    if (!next_word(c, i, &value, e))
        return false;
    if (str_eq(option, STR("--env")))
        return read_env(c, q, value, e);
    if (str_eq(option, STR("--extra"))) {
        add_name(c->a, &q->extra, value);
        return true;
    }
    if (!str_eq(option, STR("--context")))
        return err_set(e, ERR_CONFIG, "unknown option '" STR_FMT "'", STR_ARG(option));
    if (!str_eq(value, STR("metadata")) && !str_eq(value, STR("lock_file")))
        return err_set(e, ERR_CONFIG, "context '" STR_FMT "', not metadata or lock_file", STR_ARG(value));
    q->lock_file = str_eq(value, STR("lock_file"));
    return true;
}

static void write_result(const struct question *q, const struct marker *m, struct json_write *w)
{
    struct marker_scope scope = {
        .env = &q->env,
        .context = q->lock_file ? MARKER_LOCK_FILE : MARKER_METADATA,
        .extra = q->extra.p,
        .n_extra = q->extra.n,
        .extras = q->extras.p,
        .n_extras = q->extras.n,
        .groups = q->groups.p,
        .n_groups = q->groups.n,
    };
    enum marker_result r = marker_eval(m, &scope);

    json_write_key(w, STR("result"));
    if (r == MARKER_UNDEFINED)
        json_write_null(w);
    else
        json_write_bool(w, r == MARKER_TRUE);
}

bool debug_marker(struct debug_call *c, struct err *e)
{
    struct question q = { 0 };
    const struct marker *m;
    struct err wrong = { 0 };
    struct json_write w;

    if (c->n == 0)
        return err_set(e, ERR_CONFIG, "debug marker wants a marker");
    q.text = c->word[0];
    set_defaults(c->a, &q.env);
    for (size_t i = 1; i < c->n; i++)
        if (!read_option(c, &i, &q, e))
            return false;

    bool valid = marker_parse(c->a, q.text, &m, &wrong);

    json_write_init(&w, c->out, false);
    json_write_object_begin(&w);
    json_write_member_bool(&w, "valid", valid);
    if (valid) {
        json_write_member(&w, "normalized", marker_text(c->a, m));
        if (q.evaluate)
            write_result(&q, m, &w);
    }
    json_write_object_end(&w);
    return json_write_end(&w) || err_set(e, ERR_IO, "the answer is longer than the buffer");
}
