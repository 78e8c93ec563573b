/* Markers: evaluation.
 *
 * Every comparison of the tree is looked at, also where the result is already known: one that is undefined makes the
 * whole undefined, as in the reference.
 */
#include "pep/marker.h"

#include "base/arena.h"
#include "base/err.h"
#include "base/vec.h"
#include "pep/marker_env.h"
#include "pep/spec.h"

#define FULL_VERSION_MAX 64 /* a longer python_full_version that ends in "+" stays as it is: not a version */

static enum marker_result result_of(bool b)
{
    return b ? MARKER_TRUE : MARKER_FALSE;
}

static struct str env_value(const struct marker_env *env, enum marker_var var)
{
    switch (var) {
    case MARKER_OS_NAME:
        return env->os_name;
    case MARKER_SYS_PLATFORM:
        return env->sys_platform;
    case MARKER_PLATFORM_MACHINE:
        return env->platform_machine;
    case MARKER_PLATFORM_PYTHON_IMPLEMENTATION:
        return env->platform_python_implementation;
    case MARKER_PLATFORM_RELEASE:
        return env->platform_release;
    case MARKER_PLATFORM_SYSTEM:
        return env->platform_system;
    case MARKER_PLATFORM_VERSION:
        return env->platform_version;
    case MARKER_PYTHON_VERSION:
        return env->python_version;
    case MARKER_PYTHON_FULL_VERSION:
        return env->python_full_version;
    case MARKER_IMPLEMENTATION_NAME:
        return env->implementation_name;
    case MARKER_IMPLEMENTATION_VERSION:
        return env->implementation_version;
    case MARKER_NO_VAR:
    case MARKER_EXTRA:
    case MARKER_EXTRAS:
    case MARKER_DEPENDENCY_GROUPS:
        break;
    }
    return (struct str){ 0 };
}

static bool holds(struct str whole, struct str part)
{
    return part.n == 0 || str_search(whole, part) < whole.n;
}

/* Is the version somewhere in the list, and not as a piece of a longer number: 3.1 is not in "3.10 13.1"? */
static bool holds_version(struct str list, struct str version)
{
    for (size_t from = 0; version.n && from < list.n;) {
        size_t at = from + str_search(str_sub(list, from, list.n), version);
        size_t end = at + version.n;

        if (at >= list.n)
            return false;
        if (!(at > 0 && char_is_digit(list.p[at - 1]) && char_is_digit(version.p[0])) &&
            !(end < list.n && char_is_digit(list.p[end]) && char_is_digit(version.p[version.n - 1])))
            return true;
        from = at + 1;
    }
    return version.n == 0;
}

static enum marker_result compare_texts(struct str left, enum marker_op op, struct str right)
{
    switch (op) {
    case MARKER_IN:
        return result_of(holds(right, left));
    case MARKER_NOT_IN:
        return result_of(!holds(right, left));
    case MARKER_EQ:
    case MARKER_LE:
    case MARKER_GE:
        return result_of(str_eq(left, right));
    case MARKER_NE:
        return result_of(!str_eq(left, right));
    case MARKER_LT:
    case MARKER_GT:
        return MARKER_FALSE;
    case MARKER_COMPATIBLE:
    case MARKER_ARBITRARY:
        break;
    }
    return MARKER_UNDEFINED;
}

static bool spec_takes(const struct spec *s, struct str text)
{
    AUTO_ARENA room = { 0 };
    struct version v;

    if (!version_parse(text, &room, &v))
        return spec_contains_text(s, text);
    return spec_contains(s, &v, SPEC_PRE_ALLOW);
}

/* `text op value-of-variable` for a variable that holds a version: the environment gives the specifier. */
static enum marker_result compare_reversed_version(const struct marker *m, struct str value)
{
    static const char *const ops[] = {
        [MARKER_LT] = "<",  [MARKER_LE] = "<=", [MARKER_EQ] = "==",         [MARKER_NE] = "!=",
        [MARKER_GE] = ">=", [MARKER_GT] = ">",  [MARKER_COMPATIBLE] = "~=", [MARKER_ARBITRARY] = "===",
    };
    AUTO_ARENA room = { 0 };
    struct err unused = { 0 };
    struct spec s;

    if (m->op == MARKER_IN || m->op == MARKER_NOT_IN || str_find(value, ',') < value.n ||
        !spec_parse(arena_printf(&room, "%s" STR_FMT, ops[m->op], STR_ARG(value)), &room, &s, &unused) || s.n != 1)
        return compare_texts(m->text, m->op, value);
    return result_of(spec_takes(&s, m->text));
}

/* Untagged builds of Python call themselves "3.13.0+": the reference makes a local version of it. */
static struct str full_version(struct str value, char room[FULL_VERSION_MAX])
{
    static const char local[] = "local";

    if (!value.n || value.p[value.n - 1] != '+' || value.n + sizeof local > FULL_VERSION_MAX)
        return value;
    memcpy(room, value.p, value.n);
    memcpy(room + value.n, local, sizeof local);
    return (struct str){ room, value.n + sizeof local - 1 };
}

static enum marker_result eval_variable(const struct marker *m, const struct marker_env *env)
{
    char room[FULL_VERSION_MAX];
    struct str value = env_value(env, m->var);

    if (!value.p)
        return MARKER_UNDEFINED;
    if (m->var == MARKER_PYTHON_FULL_VERSION)
        value = full_version(value, room);
    if (m->spec)
        return result_of(spec_takes(m->spec, value));

    bool is_number = m->var == MARKER_PYTHON_VERSION || m->var == MARKER_PYTHON_FULL_VERSION ||
                     m->var == MARKER_IMPLEMENTATION_VERSION;

    if (m->reversed)
        return is_number || m->var == MARKER_PLATFORM_RELEASE ? compare_reversed_version(m, value)
                                                              : compare_texts(m->text, m->op, value);
    if (is_number && (m->op == MARKER_IN || m->op == MARKER_NOT_IN))
        return result_of(holds_version(m->text, value) == (m->op == MARKER_IN));
    return compare_texts(value, m->op, m->text);
}

static enum marker_result eval_extra(const struct marker *m, const struct marker_scope *scope)
{
    static const struct str none = { "", 0 };
    const struct str *extra = scope->n_extra ? scope->extra : &none;
    size_t n = MAX(scope->n_extra, (size_t)1);
    bool all = m->op == MARKER_NE || m->op == MARKER_NOT_IN; /* an absence holds for every one of them */

    if (scope->context == MARKER_LOCK_FILE && scope->n_extra == 0)
        return MARKER_UNDEFINED;
    for (size_t i = 0; i < n; i++) {
        enum marker_result r = m->reversed ? compare_texts(m->text, m->op, extra[i])
                                           : compare_texts(extra[i], m->op, m->text);

        if (r == MARKER_UNDEFINED || (r == MARKER_TRUE) != all)
            return r;
    }
    return result_of(all);
}

static enum marker_result eval_set(const struct marker *m, const struct marker_scope *scope)
{
    const struct str *set = m->var == MARKER_EXTRAS ? scope->extras : scope->groups;
    size_t n = m->var == MARKER_EXTRAS ? scope->n_extras : scope->n_groups;
    bool member = false;

    if (scope->context != MARKER_LOCK_FILE || !m->reversed)
        return MARKER_UNDEFINED;
    for (size_t i = 0; i < n && !member; i++)
        member = str_eq(set[i], m->text);
    switch (m->op) {
    case MARKER_IN:
        return result_of(member);
    case MARKER_NOT_IN:
        return result_of(!member);
    case MARKER_NE:
        return MARKER_TRUE; /* a text is never a set */
    case MARKER_EQ:
    case MARKER_LE:
    case MARKER_GE:
    case MARKER_LT:
    case MARKER_GT:
        return MARKER_FALSE;
    case MARKER_COMPATIBLE:
    case MARKER_ARBITRARY:
        break;
    }
    return MARKER_UNDEFINED;
}

static enum marker_result eval_atom(const struct marker *m, const struct marker_scope *scope)
{
    if (m->var == MARKER_NO_VAR)
        return MARKER_UNDEFINED;
    if (m->var == MARKER_EXTRA)
        return eval_extra(m, scope);
    if (m->var == MARKER_EXTRAS || m->var == MARKER_DEPENDENCY_GROUPS)
        return eval_set(m, scope);
    return eval_variable(m, scope->env);
}

enum marker_result marker_eval(const struct marker *m, const struct marker_scope *scope)
{
    if (!m)
        return MARKER_TRUE;
    if (m->kind == MARKER_ATOM)
        return eval_atom(m, scope);

    bool result = m->kind == MARKER_AND;

    for (unsigned i = 0; i < m->n; i++) {
        enum marker_result r = marker_eval(m->part[i], scope);

        if (r == MARKER_UNDEFINED)
            return MARKER_UNDEFINED;
        if (m->kind == MARKER_AND)
            result = result && r == MARKER_TRUE;
        else
            result = result || r == MARKER_TRUE;
    }
    return result_of(result);
}

bool marker_is_true(const struct marker *m, const struct marker_env *env, const struct str *extra, size_t n_extra)
{
    struct marker_scope scope = { .env = env, .context = MARKER_METADATA, .extra = extra, .n_extra = n_extra };

    return !m || marker_eval(m, &scope) == MARKER_TRUE;
}

bool marker_without_extra(struct arena *a, const struct marker *m, const struct str *extra, size_t n_extra,
                          const struct marker **out)
{
    struct marker_scope scope = { .context = MARKER_METADATA, .extra = extra, .n_extra = n_extra };

    *out = m;
    if (!marker_mentions(m, MARKER_EXTRA))
        return true;
    if (m->kind == MARKER_ATOM) {
        *out = NULL;
        return eval_extra(m, &scope) == MARKER_TRUE;
    }

    VEC(const struct marker *) left = { 0 };

    for (unsigned i = 0; i < m->n; i++) {
        const struct marker *part;
        bool possible = marker_without_extra(a, m->part[i], extra, n_extra, &part);

        *out = NULL;
        if (m->kind == MARKER_AND && !possible)
            return false;
        if (m->kind == MARKER_OR && possible && !part)
            return true;
        if (possible && part)
            VEC_PUSH_IN(a, &left, part);
    }
    if (left.n == 0)
        return m->kind == MARKER_AND;
    struct marker *rest = ARENA_NEW(a, struct marker);

    *rest = (struct marker){ .kind = m->kind, .paren = m->paren, .n = (unsigned)left.n, .part = left.p };
    *out = left.n == 1 ? left.p[0] : rest;
    return true;
}
