/* A project in a directory of its own, with a made-up interpreter: for tests of what needs no real one. For *_test.c
 * only. The directories of Blast and the home directory lie beside the project. */
#pragma once

#include <stdlib.h>
#include <unistd.h>
#include "base/arena.h"
#include "base/mem.h"
#include "base/test_dir.h"
#include "sync/workspace.h"

struct test_project {
    struct arena a;
    struct test_dir *t;
    struct request r;
    struct workspace w;
    bool open;
};

static inline void test_write(struct test_dir *t, const char *path, const char *text)
{
    size_t slash = str_rfind(str_of(path), '/');
    struct err e = { 0 };
    AUTO_FD dir = -1;
    char folder[200];

    (void)snprintf(folder, sizeof folder, "%.*s", (int)slash, path);
    if (!file_make_dirs(t->fd, folder, 0777, &e) || !fd_open_dir(t->fd, folder, &dir, &e) ||
        !file_replace(dir, path + slash + 1, str_of(text), 0666, FILE_NO_SYNC, &e))
        fail_msg("%s", e.text);
}

/* The file's text, or NULL when it is not there. */
static inline const char *test_read(struct test_project *p, const char *path)
{
    struct str text;
    struct err e = { 0 };

    if (!fd_read_if_there(p->t->fd, path, 1 << 20, &p->a, &text, &e))
        fail_msg("%s", e.text);
    return text.p;
}

static inline void test_no_environment(void)
{
    static const char *const gone[] = { "PIP_INDEX_URL", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME", "XDG_CACHE_HOME",
                                        "BLAST_CACHE_DIR", "BLAST_STATE_DIR", "BLAST_STORE_DIR", "BLAST_CONFIG_DIR",
                                        "VIRTUAL_ENV" };

    for (size_t i = 0; i < COUNT(gone); i++)
        (void)unsetenv(gone[i]);
}

/* p/ is the project; what the request says besides may be set before test_open(). */
static inline void test_init(struct test_project *p, void **state)
{
    struct test_dir *t = *state;
    struct err e = { 0 };

    *p = (struct test_project){ .t = t };
    test_no_environment();
    (void)setenv("HOME", arena_printf(&p->a, "%s/user", t->path).p, 1);
    (void)setenv("BLAST_HOME", arena_printf(&p->a, "%s/home", t->path).p, 1);
    assert_true(file_make_dirs(t->fd, "p", 0777, &e) && file_make_dirs(t->fd, "user", 0777, &e));
    p->r.project = arena_printf(&p->a, "%s/p", t->path);
    p->r.index_url = STR("https://index.example/simple/");
}

static inline void test_python(struct py_facts *f, struct arena *a)
{
    *f = (struct py_facts){
        .executable = STR("/nowhere/python3"),
        .major = 3,
        .minor = 12,
        .micro = 4,
        .version_text = STR("3.12.4"),
        .implementation = STR("cpython"),
        .cache_tag = STR("cpython-312"),
        .machine = STR("x86_64"),
        .libc = TAG_GLIBC,
        .libc_major = 2,
        .libc_minor = 36,
    };
    f->marker = (struct marker_env){
        .os_name = STR("posix"),
        .sys_platform = STR("linux"),
        .platform_machine = STR("x86_64"),
        .platform_python_implementation = STR("CPython"),
        .platform_release = STR("6"),
        .platform_system = STR("Linux"),
        .platform_version = STR("1"),
        .python_version = STR("3.12"),
        .python_full_version = STR("3.12.4"),
        .implementation_name = STR("cpython"),
        .implementation_version = STR("3.12.4"),
    };
    assert_true(version_parse(f->version_text, a, &f->version));
}

static inline struct workspace *test_open(struct test_project *p)
{
    struct err e = { 0 };

    if (!workspace_open(&p->r, &p->a, &p->w, &e))
        fail_msg("%s", e.text);
    test_python(&p->w.python, &p->a);
    p->w.python_known = true;
    p->open = true;
    return &p->w;
}

static inline void test_close(struct test_project *p)
{
    if (p->open)
        workspace_close(&p->w);
    arena_clear(&p->a);
}

static inline struct str_list test_list(struct arena *a, const char *const *words)
{
    struct str *p = ARENA_ARRAY(a, struct str, 8);
    size_t n = 0;

    for (; words[n]; n++)
        p[n] = str_of(words[n]);
    return (struct str_list){ p, n };
}
