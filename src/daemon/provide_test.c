#include "base/test_dir.h"

#include <unistd.h>
#include "base/str.h"
#include "daemon/provide.h"

static void put(const struct test_dir *t, const char *name, const char *text)
{
    AUTO_FD fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
}

static void knows_where_modules_come_from(void **state)
{
    static const struct {
        const char *module;
        bool there;
    } cases[] = {
        { "os", true },         { "os.path", true },    { "own", true },       { "own.sub", true }, { "single", true },
        { "compiled", true },   { "typed", true },      { "own_", false },     { "ow", false },     { "beside", true },
        { "elsewhere", true },  { "editable", true },   { "edit", false },     { "missing", false }, { "notes", false },
    };
    const struct test_dir *t = *state;
    struct err e = { 0 };
    char dir[300], site[300], text[400];

    assert_true(file_make_dirs(t->fd, "src/own", 0755, &e) && file_make_dirs(t->fd, "site/beside", 0755, &e) &&
                file_make_dirs(t->fd, "linked/elsewhere", 0755, &e));
    put(t, "src/single.py", "");
    put(t, "src/notes.txt", "");
    put(t, "site/compiled.cpython-312-x86_64-linux-gnu.so", "");
    put(t, "site/typed.pyi", "");
    (void)snprintf(text, sizeof text, "# comment\nimport something; something()\n\n%s/linked\n", t->path);
    put(t, "site/paths.pth", text);
    put(t, "site/__editable___x_finder.py", "MAPPING = {'editable': '/somewhere'}\n");
    (void)snprintf(dir, sizeof dir, "%s/src", t->path);
    (void)snprintf(site, sizeof site, "%s/site", t->path);
    const char *dirs[] = { dir }, *sites[] = { site };
    struct provide_places p = { dirs, 1, sites, 1 };

    for (size_t i = 0; i < COUNT(cases); i++)
        if (provide_has(&p, str_of(cases[i].module)) != cases[i].there)
            fail_msg("%s is%s there", cases[i].module, cases[i].there ? " not" : "");
}

static void says_nothing_without_an_environment(void **state)
{
    struct provide_places p = { 0 };

    (void)state;
    assert_true(provide_has(&p, STR("anything")));
    assert_true(provide_has(&p, STR("")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST_IN_DIR(knows_where_modules_come_from),
        cmocka_unit_test(says_nothing_without_an_environment),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
