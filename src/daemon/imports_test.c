#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>
#include "base/str.h"
#include "daemon/imports.h"
#include "daemon/stdlib.h"

/* "a:1 b.c:2": every module with its line. */
static void list(struct str text, char *out, size_t n)
{
    struct imports it;
    struct str module;
    unsigned line;
    size_t at = 0;

    out[0] = 0;
    imports_init(&it, text);
    while (imports_next(&it, &module, &line))
        at += (size_t)snprintf(out + at, n - at, "%s" STR_FMT ":%u", at ? " " : "", STR_ARG(module), line);
}

static void finds_what_is_imported_in_any_case(void **state)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        { "", "" },
        { "import a", "a:1" },
        { "import a\n", "a:1" },
        { "import a, b.c , d as e, f.g as h\n", "a:1 b.c:1 d:1 f.g:1" },
        { "import a.b.c\nfrom d.e import f, g\n", "a.b.c:1 d.e:2" },
        { "from a import (b,\n  c, # import no\n  d)\nimport e\n", "a:1 e:4" },
        { "from . import a\nfrom .b import c\nfrom ..d import e\nfrom .. import f\n", "" },
        { "from.a import b\n", "" },
        { "import a; import b; x = 1; from c import d\n", "a:1 b:1 c:1" },
        { "import \\\n  a, \\\n  b\nimport c\n", "a:1 b:2 c:4" },
        { "import\ta\nfrom\tb\timport c\n", "a:1 b:2" },
        { "import a . b\n", "a:1" },
        { "importlib.reload(x)\nimport_me = 1\nfromage = 2\nimport_ = 3\n", "" },
        { "from a\nimport b\n", "b:2" },
        { "import 1a\nimport\nfrom\nimport b\n", "b:4" },
        { "import a # import b\n# import c\n  # import d\n", "a:1" },
        { "\xEF\xBB\xBFimport a\n", "a:1" },
        { "import a\r\nimport b\rimport c\n", "a:1 b:2 c:3" },
        { "import \xC3\xA9t\xC3\xA9\n", "\xC3\xA9t\xC3\xA9:1" },
        { "\fimport a\n", "" }, /* counts as indented: rare, and silence does no harm */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char found[400];

        list(str_of(cases[i].text), found, sizeof found);
        if (strcmp(found, cases[i].found) != 0)
            fail_msg("case %zu: '%s', wanted '%s'", i, found, cases[i].found);
    }
}

static void passes_over_what_is_conditional(void **state)
{
    static const char *const texts[] = {
        "try:\n    import a\nexcept ImportError:\n    import b\nelse:\n    import c\nfinally:\n    import d\n",
        "try: import a\nexcept ImportError: a = None\n",
        "if TYPE_CHECKING:\n    from a import b\nelif x: import c; import d\nelse: import e\n",
        "if sys.version_info < (3, 11): import a\n",
        "def f():\n    import a\nasync def g():\n\timport b\nclass C:\n    import c\n",
        "for x in y: import a\nwhile x: import b\nwith x: import c\n",
        "if (x and\n    y):\n    import a\n",
        "match x:\n    case 1:\n        import a\n",
        "@decorator\ndef f(): import a\n",
        "try:\n\n  # comment in column\n\n    import a\nexcept: pass\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT(texts); i++) {
        char found[400];

        list(str_of(texts[i]), found, sizeof found);
        if (found[0])
            fail_msg("case %zu: '%s'", i, found);
    }
}

static void is_not_misled_by_text(void **state)
{
    static const struct {
        const char *text, *found;
    } cases[] = {
        { "\"\"\"\nimport a\n\"\"\"\nimport b\n", "b:4" },
        { "'''doc\nimport a'''; import b\n", "b:2" },
        { "x = '''\nimport a\n'''\nimport b\n", "b:4" },
        { "x = 'it\\'s'\nimport a\n", "a:2" },
        { "x = \"unclosed\nimport a\n", "a:2" },
        { "x = (\nimport_a,\n)\nimport b\n", "b:4" },
        { "x = [\n'import a'\n]\nimport b\n", "b:4" },
        { "x = 1 + \\\nimport_a\nimport b\n", "b:3" },
        { "x = '\\\nimport a'\nimport b\n", "b:3" },
        { "f'{x}'\nimport a\n", "a:2" },
        { "x = ')'\nimport a\n", "a:2" },
        { ")))\nimport a\n", "a:2" },
        { "'''never closed\nimport a\n", "" },
        { "x = (never closed\nimport a\n", "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char found[400];

        list(str_of(cases[i].text), found, sizeof found);
        if (strcmp(found, cases[i].found) != 0)
            fail_msg("case %zu: '%s', wanted '%s'", i, found, cases[i].found);
    }
}

static void reads_only_utf_8(void **state)
{
    static const struct {
        const char *text;
        size_t n;
        const char *found;
    } cases[] = {
        { "# -*- coding: latin-1 -*-\nimport a\n", 0, "" },
        { "#!/usr/bin/python\n# vim: set fileencoding=cp1252 :\nimport a\n", 0, "" },
        { "# coding: utf-8\nimport a\n", 0, "a:2" },
        { "# -*- coding: UTF8 -*-\nimport a\n", 0, "a:2" },
        { "\n\n# coding: latin-1\nimport a\n", 0, "a:4" },
        { "# coding standards\nimport a\n", 0, "a:2" },
        { "import a # \xFF\n", 0, "" },
        { "import a\n\0import b\n", 18, "" },
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        char found[400];

        list((struct str){ cases[i].text, cases[i].n ? cases[i].n : strlen(cases[i].text) }, found, sizeof found);
        if (strcmp(found, cases[i].found) != 0)
            fail_msg("case %zu: '%s', wanted '%s'", i, found, cases[i].found);
    }
}

static void knows_the_standard_library(void **state)
{
    static const char *const yes[] = { "os", "sys", "typing", "asyncio", "tomllib", "distutils", "__future__", "zlib",
                                       "_thread", "zoneinfo", "imp", "abc", "this" };
    static const char *const no[] = { "numpy", "yaml", "o", "oss", "", "os.path", "Abc", "zzz" };

    (void)state;
    for (size_t i = 0; i < COUNT(yes); i++)
        if (!stdlib_has(str_of(yes[i])))
            fail_msg("%s is not known", yes[i]);
    for (size_t i = 0; i < COUNT(no); i++)
        if (stdlib_has(str_of(no[i])))
            fail_msg("%s is taken for known", no[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(finds_what_is_imported_in_any_case),
        cmocka_unit_test(passes_over_what_is_conditional),
        cmocka_unit_test(is_not_misled_by_text),
        cmocka_unit_test(reads_only_utf_8),
        cmocka_unit_test(knows_the_standard_library),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
