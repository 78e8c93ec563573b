#include "base/arena.h"
#include "base/vec.h"
#include "jail/policy.h"
#include "jail/run.h"

/* What changes how a program looks or speaks, and nothing that may hold a secret. */
static const char *const harmless[] = {
    "LANG", "LANGUAGE", "LC_*", "TERM", "COLORTERM", "COLUMNS", "LINES", "NO_COLOR", "FORCE_COLOR", "CLICOLOR",
    "CLICOLOR_FORCE", "TZ", "USER", "LOGNAME", "CI", "SOURCE_DATE_EPOCH", "VIRTUAL_ENV", "VIRTUAL_ENV_PROMPT",
    "PYTHONPATH", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "PYTHONHASHSEED", "PYTHONUTF8", "PYTHONIOENCODING",
    "PYTHONWARNINGS", "PYTHONOPTIMIZE", "PYTHONDEVMODE", "PYTHONFAULTHANDLER", "PYTHONNOUSERSITE", "PYTHONASYNCIODEBUG",
    "PYTHONBREAKPOINT", "PYTHONSAFEPATH", "PYTHONINSPECT", "PYTHONVERBOSE", "PYTHON_COLORS", "PYTHON_GIL",
    "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS",
};

static bool fits(struct str name, struct str pattern)
{
    return str_cut_suffix(&pattern, STR("*")) ? str_starts(name, pattern) : str_eq(name, pattern);
}

static bool passes(const struct jail_policy *p, struct str name)
{
    for (size_t i = 0; i < COUNT(harmless); i++)
        if (fits(name, str_of(harmless[i])))
            return true;
    for (size_t i = 0; i < p->n_variables; i++)
        if (fits(name, p->variable[i]))
            return true;
    return false;
}

static struct str name_of(const char *variable)
{
    struct str v = str_of(variable);

    return str_sub(v, 0, str_find(v, '='));
}

static bool is_set(const char *const *list, struct str name)
{
    for (; list && *list; list++)
        if (str_eq(name_of(*list), name))
            return true;
    return false;
}

const char *const *jail_environment(const struct jail_policy *p, const char *const *from, const char *const *add,
                                    struct arena *a)
{
    VEC(const char *) list = { 0 };

    for (; from && *from; from++)
        if (passes(p, name_of(*from)) && !is_set(add, name_of(*from)))
            VEC_PUSH_IN(a, &list, *from);
    for (const char *const *v = add; v && *v; v++)
        VEC_PUSH_IN(a, &list, *v);
    if (!is_set(add, STR("HOME")))
        VEC_PUSH_IN(a, &list, arena_printf(a, "HOME=" STR_FMT, STR_ARG(p->home)).p);
    if (!is_set(add, STR("PATH")))
        VEC_PUSH_IN(a, &list, "PATH=/usr/local/bin:/usr/bin:/bin");
    VEC_PUSH_IN(a, &list, NULL);
    return list.p;
}
