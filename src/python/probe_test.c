#include "python/probe.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/fd.h"
#include "base/file.h"
#include "python/elf.h"
#include "python/facts.h"

#define ANSWER                                                                                                         \
    "{\"major\":3,\"minor\":12,\"micro\":1,\"debug\":false,\"full\":\"3.12.1\",\"implementation\":\"cpython\","        \
    "\"implementation_version\":\"3.12.1\",\"cache_tag\":\"cpython-312\",\"soabi\":\"cpython-312-x86_64-linux-gnu\","  \
    "\"abiflags\":\"\",\"base_prefix\":\"/opt/py\",\"stdlib\":\"/opt/py/lib/python3.12\",\"platlibdir\":\"lib\","      \
    "\"platform\":\"linux\",\"executable\":\"/opt/py/bin/python\",\"libc\":\"glibc 2.36\",\"denied\":\"\"}"

struct place {
    struct arena a;
    char dir[64];
};

static int set_up(void **state)
{
    struct place *p = calloc(1, sizeof *p);

    (void)snprintf(p->dir, sizeof p->dir, "/tmp/blast-probe-XXXXXX");
    *state = p;
    return mkdtemp(p->dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    int rc = file_remove_tree(AT_FDCWD, p->dir, &e) ? 0 : -1;

    arena_clear(&p->a);
    free(p);
    return rc;
}

static char *path_in(struct place *p, const char *name)
{
    return arena_cstr(&p->a, arena_printf(&p->a, "%s/%s", p->dir, name));
}

static char *write_program(struct place *p, const char *name, const char *text)
{
    char *path = path_in(p, name);
    struct err e = { 0 };
    AUTO_FD fd = -1;

    if (!fd_open(AT_FDCWD, path, O_WRONLY | O_CREAT | O_TRUNC, 0755, &fd, &e) ||
        !fd_write_all(fd, text, strlen(text), path, &e))
        fail_msg("%s", e.text);
    return path;
}

/* A real interpreter, or NULL. */
static const char *real_python(void)
{
    static const char *const places[] = { "/usr/bin/python3", "/usr/local/bin/python3" };
    const char *given = getenv("BLAST_TEST_PYTHON");

    if (given)
        return given;
    for (size_t i = 0; i < COUNT(places); i++)
        if (access(places[i], X_OK) == 0)
            return places[i];
    return NULL;
}

static void reads_what_an_interpreter_says(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f;
    char *path = write_program(p, "python", "#!/bin/sh\necho '" ANSWER "'\n");

    if (!probe_python(path, NULL, &p->a, &f, &e))
        fail_msg("%s", e.text);
    assert_int_equal(f.minor, 12);
    assert_string_equal(f.version_text.p, "3.12.1");
    assert_string_equal(f.executable.p, path);
    assert_string_equal(f.layout.purelib.p, "lib/python3.12/site-packages");
    assert_string_equal(f.layout.include.p, "include/site/python3.12");
    assert_string_equal(f.marker.python_version.p, "3.12");
    assert_string_equal(f.marker.platform_python_implementation.p, "CPython");
    assert_int_equal(f.libc, TAG_GLIBC);
    assert_int_equal(f.libc_minor, 36);
    assert_false(facts_is_venv(&f));
}

static void a_broken_interpreter_is_named_with_its_complaint(void **state)
{
    static const struct {
        const char *program, *why;
    } cases[] = {
        { "#!/bin/sh\necho 'libfoo.so.1: no such file' >&2; exit 127\n",
          "/python' ended with status 127: libfoo.so.1: no such file" },
        { "#!/bin/sh\nexit 3\n", "ended with status 3: it wrote nothing" },
        { "#!/bin/sh\necho 'Unknown option: -I' >&2; exit 2\n", "is a Python before 3.4, 3.6 is the oldest supported" },
        { "#!/bin/sh\necho hello\n", "gives no sensible answer" },
        { "#!/bin/sh\necho '{}'\n", "its answer is not complete" },
        { "#!/bin/sh\nhead -c 300000 /dev/zero\n", "printed more than 262144 bytes" },
        { "#!/bin/sh\necho '{\"major\":3,\"minor\":5,\"full\":\"3.5.2\",\"implementation\":\"cpython\","
          "\"base_prefix\":\"/x\",\"executable\":\"/x\"}'\n", "is Python 3.5, 3.6 is the oldest supported" },
    };
    struct place *p = *state;

    for (size_t i = 0; i < COUNT(cases); i++) {
        char *path = write_program(p, "python", cases[i].program);
        struct err e = { 0 };
        struct py_facts f;

        assert_false(probe_python(path, NULL, &p->a, &f, &e));
        assert_int_equal(e.kind, ERR_PYTHON);
        if (!strstr(e.text, cases[i].why) || !strstr(e.text, path))
            fail_msg("\"%s\" does not say \"%s\"", e.text, cases[i].why);
    }
}

static void what_is_no_program_is_refused(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f;

    assert_false(probe_python(path_in(p, "missing"), NULL, &p->a, &f, &e));
    assert_int_equal(e.kind, ERR_PYTHON);
    assert_non_null(strstr(e.text, "No such file"));
    assert_false(probe_python(p->dir, NULL, &p->a, &f, &e));
    assert_non_null(strstr(e.text, "is not an executable file"));
}

static void a_script_is_asked_each_time(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f;
    char *cache = path_in(p, "cache");
    char *path = write_program(p, "python", "#!/bin/sh\necho '" ANSWER "'\n");

    assert_true(probe_python(path, cache, &p->a, &f, &e));
    assert_false(probe_cached(path, cache, &p->a, &f));
}

static void a_real_interpreter_is_asked_once(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f, again;
    char *cache = path_in(p, "cache");
    const char *python = real_python();

    if (!python) {
        print_message("SKIP: no python3 in /usr/bin or /usr/local/bin\n");
        skip();
    }
    assert_false(probe_cached(python, cache, &p->a, &f));
    if (!probe_python(python, cache, &p->a, &f, &e))
        fail_msg("%s", e.text);
    assert_true(probe_cached(python, cache, &p->a, &again));
    assert_true(str_eq(facts_fingerprint(&f, &p->a), facts_fingerprint(&again, &p->a)));
    assert_true(str_eq(f.real_executable, again.real_executable));
    assert_true(str_eq(f.soabi, again.soabi) && f.soabi.n > 0);
    assert_true(version_cmp(&f.version, &again.version) == 0);
    assert_true(f.marker.platform_release.n > 0);
    assert_int_equal(access(arena_printf(&p->a, STR_FMT "/os.py", STR_ARG(f.stdlib)).p, R_OK), 0);
    assert_true(tag_set_count(facts_tags(&f, &p->a)) > 20);
}

static void a_damaged_or_old_cache_is_not_believed(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f;
    char *cache = path_in(p, "cache"), *link = path_in(p, "py");
    const char *python = real_python();
    const struct dirent *entry;
    AUTO_FILE_LIST list = { 0 };

    if (!python) {
        print_message("SKIP: no python3 in /usr/bin or /usr/local/bin\n");
        skip();
    }
    assert_int_equal(symlink(python, link), 0);
    assert_true(probe_python(link, cache, &p->a, &f, &e));
    assert_true(file_list_open(AT_FDCWD, path_in(p, "cache/python-v1"), &list, &e));
    assert_true(file_list_next(&list, &entry, &e));

    char *file = path_in(p, arena_printf(&p->a, "cache/python-v1/%s", entry->d_name).p);

    assert_int_equal(truncate(file, 200), 0);
    assert_false(probe_cached(link, cache, &p->a, &f));
    assert_true(probe_python(link, cache, &p->a, &f, &e));
    assert_true(probe_cached(link, cache, &p->a, &f));
    assert_int_equal(unlink(link), 0);
    assert_int_equal(symlink("/bin/true", link), 0);
    assert_false(probe_cached(link, cache, &p->a, &f));
}

static void a_cache_that_cannot_be_written_is_no_error(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f;
    const char *python = real_python();
    char *file = write_program(p, "file", "");

    if (!python) {
        print_message("SKIP: no python3 in /usr/bin or /usr/local/bin\n");
        skip();
    }
    assert_true(probe_python(python, file, &p->a, &f, &e));
    assert_int_equal(e.kind, ERR_NONE);
}

static void an_environment_leads_to_its_base(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f, base;
    const char *python = real_python();

    if (!python) {
        print_message("SKIP: no python3 in /usr/bin or /usr/local/bin\n");
        skip();
    }
    assert_true(probe_python(python, NULL, &p->a, &base, &e));
    assert_true(file_make_dirs(AT_FDCWD, path_in(p, "venv/bin"), 0755, &e));
    (void)write_program(p, "venv/pyvenv.cfg",
                        arena_printf(&p->a, "home = " STR_FMT "\nversion = 3\n", STR_ARG(base.home)).p);
    assert_int_equal(symlink(python, path_in(p, "venv/bin/python")), 0);
    if (!probe_python(path_in(p, "venv/bin/python"), NULL, &p->a, &f, &e))
        fail_msg("%s", e.text);
    assert_true(facts_is_venv(&f));
    assert_string_equal(f.prefix.p, path_in(p, "venv"));
    assert_string_equal(f.base_executable.p, base.real_executable.p);
    assert_string_equal(f.home.p, base.home.p);
}

static void the_layout_follows_the_implementation(void **state)
{
    struct place *p = *state;
    struct err e = { 0 };
    struct py_facts f;
    char *path = write_program(p, "pypy3",
        "#!/bin/sh\necho '{\"major\":3,\"minor\":10,\"micro\":14,\"full\":\"3.10.14\",\"implementation\":\"pypy\","
        "\"implementation_version\":\"7.3.17\",\"soabi\":\"pypy310-pp73-x86_64-linux-gnu\",\"abiflags\":\"\","
        "\"base_prefix\":\"/opt/pypy\",\"executable\":\"/opt/pypy/bin/pypy3\",\"libc\":\"glibc 2.36\"}'\n");

    if (!probe_python(path, NULL, &p->a, &f, &e))
        fail_msg("%s", e.text);
    assert_string_equal(f.layout.purelib.p, "lib/pypy3.10/site-packages");
    assert_string_equal(f.marker.platform_python_implementation.p, "PyPy");
    assert_string_equal(f.marker.implementation_version.p, "7.3.17");

    struct tag best = tag_set_at(facts_tags(&f, &p->a), 0);

    assert_true(str_eq(best.python, STR("pp310")) && str_eq(best.abi, STR("pypy310_pp73")));
    path = write_program(p, "python3t",
        "#!/bin/sh\necho '{\"major\":3,\"minor\":13,\"micro\":0,\"full\":\"3.13.0+\",\"implementation\":\"cpython\","
        "\"abiflags\":\"t\",\"platlibdir\":\"lib64\",\"base_prefix\":\"/opt/t\",\"executable\":\"/opt/t/python\"}'\n");
    if (!probe_python(path, NULL, &p->a, &f, &e))
        fail_msg("%s", e.text);
    assert_true(f.free_threaded);
    assert_string_equal(f.version_text.p, "3.13.0+local");
    assert_string_equal(f.layout.purelib.p, "lib/python3.13t/site-packages");
    assert_string_equal(f.layout.platlib.p, "lib64/python3.13t/site-packages");
    assert_int_equal(f.libc, TAG_LIBC_NONE);
}

static void elf_heads_are_read_and_others_refused(void **state)
{
    struct place *p = *state;
    struct elf elf;

    assert_false(elf_read(write_program(p, "script", "#!/bin/sh\n"), &elf));
    assert_false(elf_read(write_program(p, "short", "\177ELF\002\001"), &elf));
    assert_false(elf_read(path_in(p, "missing"), &elf));
    assert_true(elf_read("/proc/self/exe", &elf));
    assert_true(elf.is_32bit == (sizeof(void *) == 4));
    assert_true(elf.loader[0] == '/' || elf.loader[0] == '\0');
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(reads_what_an_interpreter_says, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_broken_interpreter_is_named_with_its_complaint, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_program_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_script_is_asked_each_time, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_real_interpreter_is_asked_once, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_damaged_or_old_cache_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_cache_that_cannot_be_written_is_no_error, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_environment_leads_to_its_base, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_layout_follows_the_implementation, set_up, tear_down),
        cmocka_unit_test_setup_teardown(elf_heads_are_read_and_others_refused, set_up, tear_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
