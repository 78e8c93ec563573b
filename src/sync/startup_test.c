#include "sync/startup.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include "base/arena.h"
#include "sync/startup_names.h"

#define DISTUTILS(preset)                                                                                              \
    "import os; var = 'SETUPTOOLS_USE_DISTUTILS'; enabled = os.environ.get(var, '" preset "') == 'local'; enabled "    \
    "and __import__('_distutils_hack').add_shim(); "
#define NAMESPACE                                                                                                      \
    "import sys, types, os;has_mfs = sys.version_info > (3, 5);p = os.path.join(sys._getframe(1).f_locals['sitedir']," \
    " *('zope',));importlib = has_mfs and __import__('importlib.util');has_mfs and __import__('importlib.machinery');" \
    "m = has_mfs and sys.modules.setdefault('zope', importlib.util.module_from_spec(importlib.machinery.PathFinder."   \
    "find_spec('zope', [os.path.dirname(p)])));m = m or sys.modules.setdefault('zope', types.ModuleType('zope'));mp "  \
    "= (m or []) and m.__dict__.setdefault('__path__',[]);(p not in mp) and mp.append(p)"

/* Lines as published wheels have them. */
static void known_lines_are_known_from_their_project_only(void **state)
{
    static const struct {
        const char *project, *line;
        bool known;
    } cases[] = {
        { "setuptools", DISTUTILS("local"), true },
        { "setuptools", DISTUTILS("stdlib"), true },
        { "Setuptools", DISTUTILS("local"), true },
        { "demo", DISTUTILS("local"), false },
        { "setuptools", DISTUTILS("local") "import evil", false },
        { "setuptools", DISTUTILS("' + evil() + '"), false },
        { "setuptools", "", false },
        { "pytest-cov",
          "import os, sys;exec('if \\'COV_CORE_SOURCE\\' in os.environ:\\n try:\\n  from pytest_cov.embed import init"
          "\\n  init()\\n except Exception as exc:\\n  sys.stderr.write(\\n   \"pytest-cov: Failed"
          " to setup subprocess coverage. \"\\n   \"Environ: {0!r} \"\\n   \"Exception: {1!r}\\\\n\".format(\\n    "
          "dict((k, v) for k, v in os.environ.items() if k.startswith(\\'COV_CORE\\')),\\n    exc\\n   )\\n  )\\n')",
          true },
        { "zope.interface", NAMESPACE, true },
        { "x", NAMESPACE ";m and setattr(sys.modules['zope'], 'app', m)", true },
        { "x", NAMESPACE ";evil()", false },
        { "x", "import __editable___demo_1_0_finder; __editable___demo_1_0_finder.install()", true },
        { "x", "import __editable___demo_finder; evil.install()", false },
        { "x", "import evil; evil.install()", false },
        { "x", "import x", false },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        if (startup_line_is_known(str_of(cases[i].project), str_of(cases[i].line)) != cases[i].known)
            fail_msg("%s: expected %d: %s", cases[i].project, cases[i].known, cases[i].line);
}

static void the_list_of_modules_is_sorted_for_the_search(void **state)
{
    (void)state;
    for (size_t i = 1; i < COUNT(stdlib_modules); i++)
        if (strcmp(stdlib_modules[i - 1], stdlib_modules[i]) >= 0)
            fail_msg("'%s' comes before '%s'", stdlib_modules[i - 1], stdlib_modules[i]);
    assert_int_equal(COUNT(backports), 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(known_lines_are_known_from_their_project_only),
        cmocka_unit_test(the_list_of_modules_is_sorted_for_the_search),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
